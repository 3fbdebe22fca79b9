"""One picture: every ladder as bars, a factor of ten for each line of the grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from milestone_kit import Session
from milestone_kit.pictures import COLOURS, house_style, new_picture
from milestone_speedup.rung import Ladder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw", "picture"]


def draw(session: Session, ladders: Sequence[Ladder]) -> None:
    """Keep the picture, if there is something in it."""
    if ladders:
        session.picture("ladders.png", picture(ladders))


def picture(ladders: Sequence[Ladder]) -> Figure:
    """A panel for each ladder, with a bar for each rung: how many times faster than the first."""
    heights = [0.35 * len(ladder.rungs) + 0.8 for ladder in ladders]
    with house_style():
        figure, panels = new_picture(
            len(ladders), 1, 9.0, sum(heights), "From loops to kernels", height_ratios=heights
        )
        for ladder, panel, colour in zip(ladders, panels, COLOURS, strict=False):
            _bars(panel, ladder, colour)
    return figure


def _bars(panel: Any, ladder: Ladder, colour: str) -> None:
    names = [rung.name for rung in ladder.rungs]
    factors = [ladder.factor(rung) for rung in ladder.rungs]
    bars = panel.barh(range(len(names)), factors, color=colour, left=0)
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.set_xscale("log")
    panel.set_xlim(0.5, max(10.0, 4 * max(factors)))
    panel.bar_label(bars, [f"{factor:,.3g} ×" for factor in factors], padding=4)
    panel.set_title(f"{ladder.title}, times faster than the first", loc="left")
    panel.grid(axis="x", alpha=0.3)
    panel.set_axisbelow(True)
