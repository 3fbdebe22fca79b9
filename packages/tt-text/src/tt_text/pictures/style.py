"""What pictures of tokens have beside the house style: tokens as the font can show them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache

from tt_data.pictures import house_style

__all__ = ["legible", "style"]

SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥"}


def style(where: str) -> AbstractContextManager[None]:
    """The house style; raises MissingWheelError without matplotlib, which names this wheel's extra."""
    return house_style(where, "tt-text[pictures]")


def legible(token: str) -> str:
    """A token as the font can show it: spaces and ends of lines as signs, what it has no letter for as an escape.

    >>> legible(" the\\n")
    '␣the⏎'
    """
    return "".join(
        [SIGNS.get(c) or (c if c.isprintable() and ord(c) in _letters() else _escape(c)) for c in token]
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


@lru_cache(maxsize=1)
def _letters() -> frozenset[int]:
    """What the font that comes with matplotlib has a picture for."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
