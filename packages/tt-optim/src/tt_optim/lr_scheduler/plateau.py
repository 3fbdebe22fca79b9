"""ReduceLROnPlateau: slower when it no longer gets better."""

from __future__ import annotations

import math
from typing import Any

from tt_optim.lr_scheduler.scheduler import LRScheduler, of_each_group, optimizer_of
from tt_optim.optimizer import Optimizer
from tt_optim.ranges import CHOICE, COUNT, NONNEGATIVE, number
from tt_tensor.errors import ArgumentError

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """lr ← max(lr · factor, min_lr) after more than `patience` steps without a new best.

    Args:
        optimizer: whose groups it sets.
        mode: "min" where lower is better (a loss), "max" where higher is (an accuracy).
        factor: in [0, 1).
        patience: how many steps without improvement are borne, ≥ 0.
        threshold: how much better counts: best · (1 − threshold) for "rel", best − threshold for "abs"
            (with + for mode "max").
        threshold_mode: "rel" or "abs".
        cooldown: how many steps after a reduction are not counted, ≥ 0.
        min_lr: never below it, ≥ 0; one number, or one for each group.
        eps: a change smaller than this is not made, ≥ 0.

    Raises ArgumentError for values out of range, DTypeError for values of a wrong kind.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        who = "ReduceLROnPlateau"
        self.optimizer = optimizer_of(self, optimizer)
        self.mode = CHOICE("min", "max")(f"{who}: mode", mode)
        self.factor = NONNEGATIVE(f"{who}: factor", factor)
        if self.factor >= 1:
            raise ArgumentError(
                f"{who}: factor must be below 1, not {factor!r}: it is to reduce the learning rate"
            )
        self.patience = COUNT(0)(f"{who}: patience", patience)
        self.threshold = NONNEGATIVE(f"{who}: threshold", threshold)
        self.threshold_mode = CHOICE("rel", "abs")(f"{who}: threshold_mode", threshold_mode)
        self.cooldown = COUNT(0)(f"{who}: cooldown", cooldown)
        self.min_lrs = [
            NONNEGATIVE(f"{who}: min_lr", low) for low in of_each_group(self, optimizer, "min_lr", min_lr)
        ]
        self.eps = NONNEGATIVE(f"{who}: eps", eps)
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0
        self._last_lr = self._current()

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Take note of this step's figure: a number, or a tensor of one element. nan is no improvement."""
        current = number("ReduceLROnPlateau: metrics", metrics)
        self.last_epoch += 1
        if self.is_better(current):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._current()

    def is_better(self, value: float) -> bool:
        """Is `value` better than the best so far, by the threshold?"""
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            bar = self.best * (1 + sign * self.threshold)
        else:
            bar = self.best + sign * self.threshold
        return value > bar if self.mode == "max" else value < bar

    def _reduce(self) -> None:
        # Groups that were added since have the bound of the last one.
        lows = self.min_lrs + self.min_lrs[-1:] * (len(self.optimizer.param_groups) - len(self.min_lrs))
        for group, low in zip(self.optimizer.param_groups, lows, strict=True):
            lr = max(group["lr"] * self.factor, low)
            if group["lr"] - lr > self.eps:
                group["lr"] = lr
