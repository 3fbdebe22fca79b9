"""Training with the Trainer in a milestone: its line on the milestone's bar, and what --resume says that cannot go on.

Needs the extra: milestone-kit[training].
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from milestone_kit.errors import UsageError
from milestone_kit.progress import Progress
from tt_optim.training import (
    Callback,
    CheckpointError,
    ConfigurationError,
    HistoryError,
    Interrupted,
    ReplayError,
    ResumeError,
    Trainer,
)

__all__ = ["Live", "resumable"]

CANNOT_GO_ON: tuple[type[Exception], ...] = (
    CheckpointError,
    ConfigurationError,
    HistoryError,
    ReplayError,
    ResumeError,
)


class Live(Callback):
    """Step, mean loss of the epoch and a figure of the last evaluation, on the milestone's own bar.

    Args:
        bar: the milestone's.
        name: what the figure is called there.
        figure: which one it is.
        form: how it is written.
    """

    def __init__(self, bar: Progress, name: str, figure: str = "val_accuracy", form: str = "{:.1%}") -> None:
        self.bar, self.name, self.figure, self.form = bar, name, figure, form

    def on_fit_start(self, trainer: Trainer) -> None:
        self.bar.go_on_from(trainer.step)

    def on_step_end(self, trainer: Trainer) -> None:
        seen = trainer.results.get(self.figure)
        shown = {} if seen is None else {self.name: self.form.format(seen)}
        self.bar.update(trainer.step, loss=trainer.mean_loss.compute(), **shown)


@contextmanager
def resumable(trainer: Trainer, folder: Path | None, *also: type[Exception]) -> Iterator[None]:
    """A block with `trainer.fit()`, whose errors say what the person at the keyboard can do.

    Args:
        folder: where the checkpoints are; None: there are none of this training.
        also: what else is raised where the run in it cannot go on; by a loader, for one.

    Raises Interrupted on Ctrl-C, with how to go on; UsageError where `folder` holds what this run cannot go on from.
    """
    try:
        yield
    except Interrupted as stop:
        number = int(stop.code or 0) - 128
        where = f"after step {trainer.step}; go on with --resume" if folder else "before any checkpoint"
        raise Interrupted(where, number) from stop
    except (*CANNOT_GO_ON, *also) as error:
        raise UsageError(
            f"argument --resume: cannot go on from {folder}: give the options that it was started with, or leave "
            f"--resume out to start anew ({error})"
        ) from error
