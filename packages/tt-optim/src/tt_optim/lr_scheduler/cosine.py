"""Schedules along a cosine: down once, down and up for ever, down with restarts, and after a warm-up."""

from __future__ import annotations

import math

from tt_optim.lr_scheduler.scheduler import LRScheduler
from tt_optim.optimizer import Optimizer
from tt_optim.ranges import COUNT, NONNEGATIVE, NUMBER
from tt_tensor.errors import ArgumentError

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts", "WarmupCosineLR"]


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (base − eta_min) · (1 + cos(π·t / T_max)) / 2.

    It goes on: up again after T_max steps, down again after 2·T_max.

    Args:
        optimizer, last_epoch: see `LRScheduler`.
        T_max: steps to the lowest point, ≥ 1.
        eta_min: the learning rate there.

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983 (without restarts).
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = COUNT(1)("CosineAnnealingLR: T_max", T_max)
        self.eta_min = NUMBER("CosineAnnealingLR: eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        t, half, low = self.last_epoch, self.T_max, self.eta_min
        if self._starting:
            return self._current()
        if (t - 1 - half) % (2 * half) == 0:
            # The step after the lowest point: there the ratio below would be a division by 0.
            rise = (1 - math.cos(math.pi / half)) / 2
            self._check_groups(len(self.base_lrs))
            pairs = zip(self._current(), self.base_lrs, strict=True)
            return [lr + (base - low) * rise for lr, base in pairs]
        ratio = (1 + math.cos(math.pi * t / half)) / (1 + math.cos(math.pi * (t - 1) / half))
        return [low + (lr - low) * ratio for lr in self._current()]

    def closed_form(self) -> list[float]:
        share = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr = eta_min + (base − eta_min) · (1 + cos(π·T_cur / T_i)) / 2, with T_cur the steps since the last restart.

    Args:
        optimizer, last_epoch: see `LRScheduler`.
        T_0: steps to the first restart, ≥ 1.
        T_mult: how many times longer each period is than the one before, ≥ 1.
        eta_min: the learning rate before a restart.

    Source: Loshchilov and Hutter 2017, "SGDR", arXiv:1608.03983.
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_0 = COUNT(1)("CosineAnnealingWarmRestarts: T_0", T_0)
        self.T_mult = COUNT(1)("CosineAnnealingWarmRestarts: T_mult", T_mult)
        self.eta_min = NUMBER("CosineAnnealingWarmRestarts: eta_min", eta_min)
        self.T_i = self.T_0
        self.T_cur: float = 0
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        share = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """One step further; or to `epoch`, a number of steps since the start, fractions allowed."""
        self._check_groups(len(self.base_lrs))
        if epoch is None:
            self.last_epoch += 1
            self.T_cur += 1
            if self._starting:
                self._place(self.last_epoch)
            elif self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        else:
            self._place(NONNEGATIVE("CosineAnnealingWarmRestarts: epoch", epoch))
            self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())

    def _place(self, epoch: float) -> None:
        """Find the period that `epoch` lies in."""
        self.T_cur, self.T_i = epoch, self.T_0
        while self.T_cur >= self.T_i:
            if self.T_mult == 1:
                self.T_cur %= self.T_i
            else:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult

    def _restart(self) -> None:
        self._place(0)
        super()._restart()


class WarmupCosineLR(LRScheduler):
    """A line up, then a cosine down, then level: the usual schedule for GPTs.

        t < warmup_steps:   base · (t + 1) / (warmup_steps + 1)
        t ≤ total_steps:    min_lr + (base − min_lr) · (1 + cos(π·s)) / 2,
                            s = (t − warmup_steps) / (total_steps − warmup_steps)
        t > total_steps:    min_lr

    Args:
        optimizer, last_epoch: see `LRScheduler`.
        warmup_steps: steps to the base learning rate, ≥ 0.
        total_steps: the step at which min_lr is reached, > warmup_steps.
        min_lr: the learning rate from there on, ≥ 0; a tenth of the base is usual.

    Source: Brown et al. 2020, arXiv:2005.14165, appendix B; the formula is nanoGPT's.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: int,
        total_steps: int,
        min_lr: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.warmup_steps = COUNT(0)("WarmupCosineLR: warmup_steps", warmup_steps)
        self.total_steps = COUNT(1)("WarmupCosineLR: total_steps", total_steps)
        self.min_lr = NONNEGATIVE("WarmupCosineLR: min_lr", min_lr)
        if self.total_steps <= self.warmup_steps:
            raise ArgumentError(
                f"WarmupCosineLR: total_steps ({total_steps}) counts from the start, so it must be greater than "
                f"warmup_steps ({warmup_steps})"
            )
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        t, warmup = self.last_epoch, self.warmup_steps
        if t < warmup:
            return [base * (t + 1) / (warmup + 1) for base in self.base_lrs]
        share = min(1.0, (t - warmup) / (self.total_steps - warmup))
        height = (1 + math.cos(math.pi * share)) / 2
        return [self.min_lr + (base - self.min_lr) * height for base in self.base_lrs]
