"""Figures in words, tables as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["in_bytes", "in_seconds", "rendered"]

WIDTH = 120


def in_seconds(seconds: float) -> str:
    """Three digits and a unit: 1.25 ms."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return (
                f"{seconds * factor:.3g} {unit}"
                if seconds * factor < 1000
                else f"{seconds * factor:.0f} {unit}"
            )
    return f"{seconds * 1e9:.3g} ns"


def in_bytes(count: float) -> str:
    """Powers of 1024: 241.8 KiB."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.2f} GiB"


def rendered(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as plain text: the first column to the left, the others to the right."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left")
    for at, head in enumerate(heads):
        table.add_column(escape(head), justify="left" if at == 0 else "right")
    for row in rows:
        table.add_row(*map(escape, row))
    console = Console(width=WIDTH, no_color=True, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()
