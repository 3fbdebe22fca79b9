"""Every: how often something is due, in steps, epochs or seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tt_optim.ranges import COUNT, POSITIVE
from tt_tensor.errors import ArgumentError

__all__ = ["Every"]


@dataclass(frozen=True)
class Every:
    """Due after so many steps, epochs or seconds, whichever comes first.

        Every(steps=500)
        Every(epochs=1, seconds=60)

    Raises ArgumentError for none of them, or for numbers below 1 (seconds: not above 0).
    """

    steps: int | None = None
    epochs: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.steps is None and self.epochs is None and self.seconds is None:
            raise ArgumentError("Every: say how often: steps=, epochs=, seconds=")
        for name, allowed in (("steps", COUNT(1)), ("epochs", COUNT(1)), ("seconds", POSITIVE)):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, allowed(f"Every: {name}", value))

    @classmethod
    def of(cls, what: str, value: Any) -> Every | None:
        """An Every of what a user writes: a number of steps, "step", "epoch", an Every, or None for never."""
        if value is None or isinstance(value, Every):
            return value
        if value == "epoch":
            return cls(epochs=1)
        if value == "step":
            return cls(steps=1)
        if isinstance(value, str):
            raise ArgumentError(
                f"{what} must be 'epoch', 'step', a number of steps, or Every(...), not {value!r}"
            )
        return cls(steps=COUNT(1)(what, value))

    def after_step(self, step: int, since: float = math.nan) -> bool:
        """Is it due after step number `step`, `since` seconds after the last time?"""
        if self.steps is not None and step % self.steps == 0:
            return True
        return self.seconds is not None and since >= self.seconds

    def after_epoch(self, epoch: int) -> bool:
        """Is it due after the epoch with which `epoch` are done?"""
        return self.epochs is not None and epoch % self.epochs == 0
