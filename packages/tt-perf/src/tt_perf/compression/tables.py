"""Tables in plain text, by rich, which is imported when one is shown."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["table"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, width: int = 120) -> str:
    """A table; the first `left` columns stand to the left, the others, numbers, to the right."""
    from rich.console import Console
    from rich.table import Table

    made = Table()
    for at, name in enumerate(head):
        made.add_column(name, justify="left" if at < left else "right", no_wrap=True)
    for row in rows:
        made.add_row(*row)
    console = Console(width=width, no_color=True, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(made)
    return capture.get().rstrip()
