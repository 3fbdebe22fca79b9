"""What pictures of images have beside the house style: axes that show nothing but an image."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from tt_data.pictures import INK, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["WRONG", "bare", "style"]

WRONG = "#d1495b"


def style(where: str) -> AbstractContextManager[None]:
    """The house style; raises MissingWheelError without matplotlib, which names this wheel's extra."""
    return house_style(where, "tt-vision[pictures]")


def bare(axis: Axes, title: str = "", colour: str = INK) -> None:
    """Nothing around what the axis shows but a title above."""
    axis.set_axis_off()
    if title:
        axis.set_title(title, color=colour, pad=3)
