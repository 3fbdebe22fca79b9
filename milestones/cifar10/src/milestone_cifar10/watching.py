"""Callbacks of the Trainer: the line that moves while it trains, and the clock that stops for the test."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tt_optim.training import Callback, Trainer

__all__ = ["MARKS", "Clock"]

MARKS = (60.0, 70.0, 75.0, 80.0, 85.0, 90.0)
"""Accuracies in percent, the time to which is told."""


class Clock(Callback):
    """How long training took without the looks at the test images, and when they first found which accuracy."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.reached: dict[float, float] = {}
        self._since = time.perf_counter()

    def on_fit_start(self, trainer: Trainer) -> None:
        self._since = time.perf_counter()

    def on_step_end(self, trainer: Trainer) -> None:
        now = time.perf_counter()
        self.seconds += now - self._since
        self._since = now

    def on_evaluate_end(self, trainer: Trainer, results: Mapping[str, Any]) -> None:
        for mark in MARKS:
            if results["val_accuracy"] * 100 >= mark:
                self.reached.setdefault(mark, self.seconds)
        self._since = time.perf_counter()

    def on_checkpoint(self, trainer: Trainer, path: Any) -> None:
        self._since = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "reached": [[mark, at] for mark, at in self.reached.items()]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.seconds = float(state_dict["seconds"])
        self.reached = {float(mark): float(at) for mark, at in state_dict["reached"]}
