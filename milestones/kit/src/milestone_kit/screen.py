"""Where a milestone speaks: a live terminal, plain lines, or nothing at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Screen"]

PLAIN_WIDTH = 100


class Screen:
    """`stream` seen as a terminal (`live`), as plain lines, or, when `quiet`, as nothing."""

    def __init__(self, stream: TextIO, quiet: bool = False) -> None:
        self.stream = stream
        self.quiet = quiet
        self.live = not quiet and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._plain_signs = not _can_print(stream, "≥≤")
        if self._plain_signs and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")

    def sign(self, text: str) -> str:
        """`text` with ≥ and ≤ spelled out where the stream has no such characters."""
        return text.replace("≥", ">=").replace("≤", "<=") if self._plain_signs else text

    def say(self, text: str = "") -> None:
        """Print one line, at once."""
        if not self.quiet:
            self.stream.write(self.sign(text) + "\n")
            self.stream.flush()

    @cached_property
    def console(self) -> Console:
        """The rich console on this stream; colours and movement only where it is live."""
        from rich.console import Console

        return Console(
            file=self.stream,
            quiet=self.quiet,
            force_terminal=self.live,
            width=None if self.live else PLAIN_WIDTH,
            highlight=False,
            markup=False,
        )

    def table(self, heading: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str]) -> None:
        """Print a table: a heading, the rows, and one style for the last cell of each row.

        In a terminal that is too narrow for one, a line for each row, which wraps.
        """
        if self.quiet:
            return
        from rich.box import ROUNDED
        from rich.measure import Measurement
        from rich.table import Table
        from rich.text import Text

        table = Table(box=ROUNDED)
        for index, name in enumerate(heading):
            table.add_column(name, justify="right" if name in ("value", "bar") else "left", no_wrap=index > 0)
        for row, style in zip(rows, styles, strict=True):
            cells = [Text(self.sign(cell)) for cell in row]
            cells[-1].stylize(style)
            table.add_row(*cells)
        options = self.console.options
        if (
            Measurement.get(self.console, options.update(width=PLAIN_WIDTH), table).minimum
            > options.max_width
        ):
            for row in rows:
                self.say("  ".join(filter(None, row)))
            return
        self.console.print(table)
        self.stream.flush()


def _can_print(stream: TextIO, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
