"""Callbacks of the Trainer: what one sees while it learns, and when it was as good as it has to be."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from tt_optim.training import Callback, Trainer

__all__ = ["Reached", "Samples", "Speed"]

NEAR = 0.03
"""The whole split is looked at where the estimate is this near to the bar, or below it."""


class Samples(Callback):
    """After each evaluation: how it stands, and what it writes now.

    Args:
        say: prints a line.
        write: the model's text of now.
    """

    def __init__(self, say: Callable[[str], None], write: Callable[[], str]) -> None:
        self.say, self.write = say, write

    def on_evaluate_end(self, trainer: Trainer, results: Mapping[str, Any]) -> None:
        self.say(
            f"step {trainer.step}: loss {trainer.mean_loss.compute():.3f}, validation about "
            f"{results['val_loss']:.3f}; it writes"
        )
        for line in self.write().splitlines():
            self.say(f"  │ {line}")


class Reached(Callback):
    """The first evaluation at which the loss on the whole split is at most `bar`: the step, and seconds until then.

    Args:
        bar: in the unit of the loss.
        measure: the loss on the whole split, of the weights of now.
    """

    def __init__(self, bar: float, measure: Callable[[], float]) -> None:
        self.bar, self.measure = bar, measure
        self.step = 0
        """0: not yet."""
        self.seconds = math.nan
        self.looked = 0.0
        """Seconds that were spent on looking at the whole split, which are no part of the training."""
        self.last = (0, math.nan)
        """The step of the last look, and what was seen."""

    def on_evaluate_end(self, trainer: Trainer, results: Mapping[str, Any]) -> None:
        if self.step or results["val_loss"] > self.bar + NEAR:
            return
        before, started = self.looked, time.perf_counter()
        self.last = (trainer.step, self.measure())
        self.looked += time.perf_counter() - started
        if self.last[1] <= self.bar:
            self.step, self.seconds = trainer.step, trainer.seconds - before

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "seconds": self.seconds, "looked": self.looked}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.step, self.seconds = state_dict["step"], state_dict["seconds"]
        self.looked = state_dict["looked"]


class Speed(Callback):
    """How long steps take, without what is between them: evaluations, samples, checkpoints."""

    def __init__(self) -> None:
        self.seconds, self.steps = 0.0, 0
        self._last = math.nan

    def on_fit_start(self, trainer: Trainer) -> None:
        self._last = time.perf_counter()

    def on_step_end(self, trainer: Trainer) -> None:
        now = time.perf_counter()
        self.seconds += now - self._last
        self.steps += 1
        self._last = now

    def on_evaluate_end(self, trainer: Trainer, results: Mapping[str, Any]) -> None:
        self._last = time.perf_counter()

    on_checkpoint = on_evaluate_end  # type: ignore[assignment]
