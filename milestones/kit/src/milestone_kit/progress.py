"""Live progress: a moving bar in a terminal, a plain line now and then elsewhere, nothing when quiet."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from milestone_kit.screen import Screen

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

__all__ = ["Progress", "duration"]

LIVE_EVERY_SECONDS = 0.1
PLAIN_EVERY_SECONDS = 2.0


class Progress:
    """``with Progress(screen, total, "training") as bar: bar.update(step, loss=...)``

    `total` counts `unit`; `update` may be called as often as one likes, it shows itself ten times a
    second in a terminal and every two seconds as plain lines, and once more at the end.
    """

    def __init__(
        self,
        screen: Screen,
        total: int,
        title: str,
        unit: str = "steps",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.screen = screen
        self.total = total
        self.title = title
        self.unit = unit
        self.step = 0
        self._first = 0
        self._metrics: dict[str, Any] = {}
        self._clock = clock
        self._every = LIVE_EVERY_SECONDS if screen.live else PLAIN_EVERY_SECONDS
        self._started = self._shown = clock()
        self._rich: RichProgress | None = None

    def __enter__(self) -> Progress:
        self._started = self._shown = self._clock()
        if self.screen.live:
            from rich.progress import BarColumn, Progress, TextColumn
            from rich.table import Column

            self._rich = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
                console=self.screen.console,
                auto_refresh=False,
            )
            self._task = self._rich.add_task(self.title, total=max(self.total, 1), note="")
            self._rich.start()
        return self

    def go_on_from(self, step: int) -> None:
        """A run before this one did `step` of `total`: they are done, but say nothing of how fast it goes."""
        self.step = self._first = step

    def update(self, step: int, **metrics: Any) -> None:
        """`step` of `total` are done; `metrics` are the numbers to show, in the order given."""
        self.step = step
        self._metrics = metrics
        if self.screen.quiet:
            return
        now = self._clock()
        if now - self._shown >= self._every:
            self._show(now)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self.screen.quiet:
                self._show(self._clock(), done=True)
        finally:
            if self._rich is not None:
                self._rich.stop()

    def note(self, now: float, done: bool = False) -> str:
        """``1200/5000 steps  loss 0.0123  3400 steps/s  1.1 s left``"""
        elapsed = now - self._started
        parts = [f"{self.step}/{self.total} {self.unit}"]
        parts += [f"{name.replace('_', ' ')} {_short(value)}" for name, value in self._metrics.items()]
        if elapsed > 0 and self.step > self._first:
            rate = (self.step - self._first) / elapsed
            parts.append(f"{rate:,.0f} {self.unit}/s" if rate >= 10 else f"{rate:.2g} {self.unit}/s")
            left = max(self.total - self.step, 0) / rate
            parts.append(duration(elapsed) if done else f"{duration(left)} left")
        return "  ".join(parts)

    def _show(self, now: float, done: bool = False) -> None:
        self._shown = now
        note = self.note(now, done)
        if self._rich is None:
            self.screen.say(f"{self.title}  {note}")
        else:
            self._rich.update(self._task, completed=self.step, note=note)
            self._rich.refresh()


def duration(seconds: float) -> str:
    """Seconds for people: ``0.4 s``, ``12 s``, ``3 min 05 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def _short(value: Any) -> str:
    if isinstance(value, str | int):
        return str(value)
    return f"{float(value):.4g}"
