"""How training shows itself: a live line in a terminal, a plain line now and then elsewhere, or nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TextIO, TypeAlias

from tt_optim.training.callbacks import Callback
from tt_tensor.errors import ArgumentError, MissingWheelError

if TYPE_CHECKING:
    from rich.progress import Progress

    from tt_optim.training.trainer import Trainer

__all__ = ["Display", "Mode", "display_of", "duration"]

Mode: TypeAlias = bool | Literal["auto", "plain"]

BAR = 24
LIVE_EVERY_SECONDS = 0.1
PLAIN_EVERY_SECONDS = 2.0


def display_of(mode: Mode, stream: TextIO | None = None) -> list[Display]:
    """The display for "auto", "plain", True or False: one, or none. Raises ArgumentError for anything else."""
    if mode not in ("auto", "plain", True, False):
        raise ArgumentError(f"Trainer: progress must be 'auto', 'plain', True or False, not {mode!r}")
    if mode is False:
        return []
    # The stream of now: whoever redirects sys.stderr later than this gets nothing.
    stream = stream or sys.stderr
    live = mode is True or (mode == "auto" and stream.isatty() and os.environ.get("TERM") != "dumb")
    return [Display(stream, live)]


class Display(Callback):
    """epoch 3/10  step 1200/4000  loss 0.0123  val_accuracy 0.98  3,400 samples/s  12 s left

    Renewed ten times a second where it is live, every two seconds as plain lines, and at the end.
    """

    def __init__(self, stream: TextIO, live: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.live, self.clock = stream, live, clock
        self.every = LIVE_EVERY_SECONDS if live else PLAIN_EVERY_SECONDS
        self.shown = 0.0
        self._rich: Progress | None = None

    def on_fit_start(self, trainer: Trainer) -> None:
        self.started = self.shown = self.clock()
        self.first_step, self.first_sample = trainer.step, trainer.samples
        if self.live:
            try:
                from rich.console import Console
                from rich.progress import BarColumn, Progress, TextColumn
                from rich.table import Column
            except ModuleNotFoundError as error:
                raise MissingWheelError(
                    "Trainer: the live display needs rich; pip install 'tt-optim[training]', or pass progress='plain'"
                ) from error
            self._rich = Progress(
                BarColumn(bar_width=BAR),
                TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
                console=Console(file=self.stream, force_terminal=True, highlight=False, markup=False),
                auto_refresh=False,
            )
            self._task = self._rich.add_task("", total=None)
            self._rich.start()

    def on_step_end(self, trainer: Trainer) -> None:
        now = self.clock()
        if now - self.shown >= self.every:
            self.show(trainer, now)

    def on_evaluate_end(self, trainer: Trainer, results: Mapping[str, Any]) -> None:
        self.on_step_end(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        self.show(trainer, self.clock(), done=True)
        self.close()
        if trainer.stop_reason:
            self.say(f"stopped: {trainer.stop_reason}")

    def on_exception(self, trainer: Trainer, error: BaseException) -> None:
        self.close()
        if isinstance(error, KeyboardInterrupt):
            self.say(str(error))

    def show(self, trainer: Trainer, now: float, done: bool = False) -> None:
        """Renew the line, or write one."""
        self.shown = now
        place, figures, pace = self.text(trainer, now, done)
        if self._rich is None:
            self.say("  ".join(filter(None, (place, figures, pace))))
        else:
            # Where it is narrow the figures are cut, and not the time that is left.
            room = self._rich.console.width - BAR - len(place) - len(pace) - 6
            if len(figures) > room:
                cut = "..." if self._rich.console.options.ascii_only else "…"
                figures = figures[: room - len(cut)].rstrip() + cut if room > 8 else ""
            total = trainer.total_steps
            self._rich.update(
                self._task,
                description="  ".join(filter(None, (place, figures, pace))),
                completed=min(trainer.step, total) if total else trainer.step,
                total=total,
            )
            self._rich.refresh()

    def text(self, trainer: Trainer, now: float, done: bool = False) -> tuple[str, str, str]:
        """Where it stands, the figures, and how fast it is. The loss is the mean of this epoch so far."""
        steps, epochs = trainer.total_steps, trainer.total_epochs
        epoch = trainer.epoch + (not done and (epochs is None or trainer.epoch < epochs))
        place = f"epoch {epoch}/{epochs}" if epochs else f"epoch {epoch}"
        place += f"  step {trainer.step}/{steps}" if steps else f"  step {trainer.step}"
        figures = dict(trainer.results)
        if trainer.mean_loss.count:
            figures |= {
                metric.name: metric.compute() for metric in (trainer.mean_loss, *trainer.train_metrics)
            }
        shown = [f"{name} {value:.4g}" for name, value in figures.items() if isinstance(value, float | int)]
        pace = ""
        elapsed = now - self.started
        taken = trainer.step - self.first_step
        if elapsed > 0 and taken:
            rate = (trainer.samples - self.first_sample) / elapsed
            pace = f"{rate:,.0f} samples/s" if rate >= 10 else f"{rate:.2g} samples/s"
            if done:
                pace += f"  {duration(elapsed)}"
            elif steps:
                pace += f"  {duration((steps - trainer.step) * elapsed / taken)} left"
        return place, "  ".join(shown), pace

    def say(self, text: str) -> None:
        """One plain line, at once."""
        self.stream.write(text + "\n")
        self.stream.flush()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._rich is not None:
            self._rich.stop()
            self._rich = None


def duration(seconds: float) -> str:
    """Seconds for people: ``0.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 05 min``."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
