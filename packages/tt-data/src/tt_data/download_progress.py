"""How far a download has come: a bar on a terminal, else nothing."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TypeAlias

from tt_tensor.errors import ArgumentError

if TYPE_CHECKING:
    import rich.progress

__all__ = ["Progress", "Show"]

Progress: TypeAlias = bool | Literal["auto"]


class Show:
    """name  ━━━━━━━━╸───  81.2/170.1 MB  3.2 MB/s  0:00:28

    Args:
        what: the name to show.
        total: how much there is to come, in bytes.
        progress: True for the bar, False for nothing, "auto" for the bar if standard error is a terminal.
    """

    def __init__(self, what: str, total: int, progress: Progress = "auto") -> None:
        if progress not in (True, False, "auto"):
            raise ArgumentError(f"progress must be True, False or 'auto', not {progress!r}")
        self.what, self.total = what, total
        self.shown = progress is True or (
            progress == "auto" and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        )
        self._bar: rich.progress.Progress | None = None

    def at(self, done: int) -> None:
        """So many bytes have come."""
        if self.shown:
            if self._bar is None:
                self._start(done)
            else:
                self._bar.update(self._task, completed=done)

    def note(self, text: str) -> None:
        """A line above the bar."""
        if self.shown:
            bar = self._bar or self._start(0)
            bar.console.print(f"{self.what}: {text}", markup=False, highlight=False)

    def _start(self, done: int) -> rich.progress.Progress:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr, force_terminal=True),
        )
        self._task = self._bar.add_task(self.what, total=self.total, completed=done)
        self._bar.start()
        return self._bar

    def __enter__(self) -> Show:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
