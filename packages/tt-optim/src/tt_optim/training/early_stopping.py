"""EarlyStopping: end the run when it no longer gets better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tt_optim.ranges import CHOICE, COUNT, NONNEGATIVE
from tt_optim.training.best import one_number
from tt_optim.training.callbacks import Callback
from tt_tensor.errors import ArgumentError

if TYPE_CHECKING:
    from tt_optim.training.trainer import Trainer

__all__ = ["EarlyStopping"]


class EarlyStopping(Callback):
    """Stops after `patience` looks in a row of which none was better than the best by more than `min_delta`.

    A look is an evaluation for "val_..." figures, the end of an epoch for others. nan is no improvement.

    Args:
        monitor: which figure: "val_loss", "val_accuracy", "loss", ...
        mode: "min" where less is better, "max" where more is.
        patience: at least 1.
        min_delta: how much better counts, at least 0.

    Raises ArgumentError for values out of range, and during `fit` for a figure that is not there.
    """

    def __init__(
        self, monitor: str = "val_loss", mode: str = "min", patience: int = 5, min_delta: float = 0.0
    ) -> None:
        self.monitor = monitor
        self.mode = CHOICE("min", "max")("EarlyStopping: mode", mode)
        self.patience = COUNT(1)("EarlyStopping: patience", patience)
        self.min_delta = NONNEGATIVE("EarlyStopping: min_delta", min_delta)
        self.best = math.inf if mode == "min" else -math.inf
        self.waited = 0

    def look(self, value: float) -> bool:
        """Take note of a figure; True where patience is at its end."""
        gain = self.best - value if self.mode == "min" else value - self.best
        if gain > self.min_delta:
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        return self.waited >= self.patience

    def on_evaluate_end(self, trainer: Trainer, results: Mapping[str, Any]) -> None:
        if self.monitor.startswith("val_"):
            self._see(trainer, results)

    def on_epoch_end(self, trainer: Trainer, results: Mapping[str, Any]) -> None:
        if not self.monitor.startswith("val_"):
            self._see(trainer, results)

    def on_fit_start(self, trainer: Trainer) -> None:
        if self.monitor.startswith("val_") and not trainer.validates:
            raise ArgumentError(
                f"EarlyStopping: {self.monitor!r} is a figure of the validation, but fit() got no `val`; "
                "pass val=, or monitor 'loss'"
            )
        self._stop(trainer)  # a run that was resumed after its end

    def _see(self, trainer: Trainer, results: Mapping[str, Any]) -> None:
        if self.monitor not in results:
            raise ArgumentError(
                f"EarlyStopping: there is no figure {self.monitor!r}; there are {', '.join(results)}"
            )
        self.look(one_number(self.monitor, results[self.monitor]))
        self._stop(trainer)

    def _stop(self, trainer: Trainer) -> None:
        if self.waited >= self.patience:
            trainer.stop(f"{self.monitor} has not improved on {self.best:.6g} in {self.waited} looks")

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.best, self.waited = float(state_dict["best"]), int(state_dict["waited"])
