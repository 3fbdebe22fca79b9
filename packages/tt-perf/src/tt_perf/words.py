"""Numbers as people read them, and tables as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["amount", "in_bytes", "in_seconds", "rendered"]

WIDTH = 120


def in_seconds(value: float) -> str:
    """Three digits and a unit: 12.3 µs, 4.56 ms, 7.89 s."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}" if value * factor < 1000 else f"{value * factor:.0f} {unit}"
    return f"{value * 1e9:.3g} ns" if value else "0"


def in_bytes(count: float) -> str:
    """Powers of 1024: 512 B, 1.5 KiB, 3.2 MiB."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.2f} GiB"


def amount(value: float) -> str:
    """123, 4.56 K, 7.89 M, 1.23 G."""
    for unit, factor in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}" if value < 1000 * factor else f"{value / factor:.0f} {unit}"
    return f"{value:.0f}"


def rendered(heads: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", left: int = 1) -> str:
    """A table: the first `left` columns, names, stand to the left, the others, numbers, to the right."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title) or None, title_justify="left")
    for at, head in enumerate(heads):
        numbers = at >= left
        table.add_column(escape(head), justify="right" if numbers else "left", no_wrap=numbers)
    for row in rows:
        table.add_row(*map(escape, row))
    console = Console(width=WIDTH, no_color=True, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()
