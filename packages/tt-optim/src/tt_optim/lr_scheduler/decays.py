"""Schedules that multiply: by a constant now and then, or by a little each time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

from tt_optim.lr_scheduler.scheduler import LRScheduler
from tt_optim.optimizer import Optimizer
from tt_optim.ranges import COUNT, NONNEGATIVE, NUMBER, UNIT, number
from tt_tensor.errors import ArgumentError

__all__ = ["ConstantLR", "ExponentialLR", "LinearLR", "MultiStepLR", "PolynomialLR", "StepLR"]


class StepLR(LRScheduler):
    """lr = base · gamma^⌊t / step_size⌋.

    Args:
        optimizer, last_epoch: see `LRScheduler`.
        step_size: how many steps a learning rate lasts, ≥ 1.
        gamma: what it is then multiplied by.
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = COUNT(1)("StepLR: step_size", step_size)
        self.gamma = NUMBER("StepLR: gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return self._current()
        return self._scaled(self.gamma)

    def closed_form(self) -> list[float]:
        return [base * self.gamma ** (self.last_epoch // self.step_size) for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """lr = base · gamma^(number of milestones ≤ t).

    Args:
        optimizer, last_epoch: see `LRScheduler`.
        milestones: steps, ≥ 0, in any order; one that is named twice counts twice.
        gamma: what the learning rate is multiplied by at each.
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        if not isinstance(milestones, Iterable):
            raise ArgumentError(f"MultiStepLR: milestones must be a list of steps, not {milestones!r}")
        self.milestones = tuple(
            sorted(COUNT(0)(f"MultiStepLR: milestones[{index}]", at) for index, at in enumerate(milestones))
        )
        self.gamma = NUMBER("MultiStepLR: gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        times = self.milestones.count(self.last_epoch)
        return self._scaled(self.gamma**times) if times else self._current()

    def closed_form(self) -> list[float]:
        return [base * self.gamma ** bisect_right(self.milestones, self.last_epoch) for base in self.base_lrs]

    def of_pytorch(self, state: dict[str, Any]) -> dict[str, Any]:
        counts = state.get("milestones")
        if isinstance(counts, Mapping):  # step → how often
            state["milestones"] = tuple(sorted(int(at) for at, times in counts.items() for _ in range(times)))
        return state


class ExponentialLR(LRScheduler):
    """lr = base · gammaᵗ.

    Args:
        optimizer, last_epoch: see `LRScheduler`.
        gamma: what the learning rate is multiplied by at each step.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = NUMBER("ExponentialLR: gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return self._current() if self._starting else self._scaled(self.gamma)

    def closed_form(self) -> list[float]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]


class ConstantLR(LRScheduler):
    """lr = base · factor while t < total_iters, then base.

    Args:
        optimizer, last_epoch: see `LRScheduler`.
        factor: in (0, 1].
        total_iters: how many steps it lasts, ≥ 0.
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        self.factor = UNIT("ConstantLR: factor", factor)
        if self.factor == 0:
            raise ArgumentError(
                "ConstantLR: factor must be greater than 0: it is divided out again at the end"
            )
        self.total_iters = COUNT(0)("ConstantLR: total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return self._scaled(self.factor)
        return self._scaled(1 / self.factor) if self.last_epoch == self.total_iters else self._current()

    def closed_form(self) -> list[float]:
        factor = self.factor if self.last_epoch < self.total_iters else 1.0
        return [base * factor for base in self.base_lrs]


class LinearLR(LRScheduler):
    """lr = base · (start_factor + (end_factor − start_factor) · min(t, total_iters) / total_iters).

    Args:
        optimizer, last_epoch: see `LRScheduler`.
        start_factor: in (0, 1].
        end_factor: in [0, 1].
        total_iters: how many steps it takes, ≥ 1.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = number("LinearLR: start_factor", start_factor)
        if not 0 < self.start_factor <= 1:
            raise ArgumentError(f"LinearLR: start_factor must be in (0, 1], not {start_factor!r}")
        self.end_factor = UNIT("LinearLR: end_factor", end_factor)
        self.total_iters = COUNT(1)("LinearLR: total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return self._scaled(self.start_factor)
        if self._starting or self.last_epoch > self.total_iters:
            return self._current()
        slope = self.end_factor - self.start_factor
        # From one step to the next, so that it can be chained: the ratio of two neighbours on the line.
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * slope
        # At the end of a line to 0, rounding must not take it below: a negative rate could not be loaded again.
        return self._scaled(max(1 + slope / before, 0.0))

    def closed_form(self) -> list[float]:
        share = min(self.last_epoch, self.total_iters) / self.total_iters
        return [
            base * (self.start_factor + (self.end_factor - self.start_factor) * share)
            for base in self.base_lrs
        ]


class PolynomialLR(LRScheduler):
    """lr = base · (1 − min(t, total_iters) / total_iters)^power.

    Args:
        optimizer, last_epoch: see `LRScheduler`.
        total_iters: how many steps it takes to 0, ≥ 1.
        power: 1 for a line; ≥ 0.
    """

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        self.total_iters = COUNT(1)("PolynomialLR: total_iters", total_iters)
        self.power = NONNEGATIVE("PolynomialLR: power", power)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self._starting or self.last_epoch > self.total_iters:
            return self._current()
        now, before = (1 - t / self.total_iters for t in (self.last_epoch, self.last_epoch - 1))
        return self._scaled((now / before) ** self.power)

    def closed_form(self) -> list[float]:
        share = min(self.last_epoch, self.total_iters) / self.total_iters
        return [base * (1 - share) ** self.power for base in self.base_lrs]
