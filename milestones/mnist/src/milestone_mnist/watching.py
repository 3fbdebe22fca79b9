"""Callbacks of the Trainer: the line that moves while it trains, and a watch that stops it."""

from __future__ import annotations

import time

import numpy as np

from tt_optim.training import Callback, Trainer

__all__ = ["Stopwatch"]


class Stopwatch(Callback):
    """Stops the training after `seconds`, and knows how long a step takes."""

    FEWEST = 4
    """Steps to see in any case; the first one, in which memory is fetched, does not count."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.ends: list[float] = []

    def on_step_end(self, trainer: Trainer) -> None:
        self.ends.append(time.perf_counter())
        if len(self.ends) >= self.FEWEST and self.ends[-1] - self.ends[0] >= self.seconds:
            trainer.stop("time is up")

    @property
    def step_seconds(self) -> float:
        """What the quickest tenth of the steps takes at most: what other programs do meanwhile hardly counts."""
        return float(np.quantile(np.diff(self.ends), 0.1))
