"""The plane as a classifier sees it: colours mixed by probability, lines where the answer changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from milestone_kit.boundary import Plane
from milestone_kit.pictures import COLOURS, INK, house_style, new_picture
from milestone_spirals.spirals import ARMS, Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PLANE", "Frame", "film", "large"]

PLANE = Plane(-1.15, 1.15, cells=81)
FINE = Plane(PLANE.low, PLANE.high, cells=241)
PAINTS = (COLOURS[0], COLOURS[1], COLOURS[3])
PALE = 0.55


@dataclass(frozen=True)
class Frame:
    """One moment: its title and the probability of each arm at each cell, (cells, cells, 3)."""

    title: str
    probability: npt.NDArray[np.floating]


def colours(probability: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The arms' colours, mixed: (…, 3) probabilities → (…, 3) red, green, blue, pale enough for points on them."""
    from matplotlib.colors import to_rgb

    paints = np.array([to_rgb(paint) for paint in PAINTS])  # (3 arms, 3)
    return 1 - PALE * (1 - np.clip(probability.astype(float) @ paints, 0, 1))


def film(frames: Sequence[Frame], points: Points, title: str, columns: int = 4) -> Figure:
    """The frames in reading order, small, with the points that are learned from."""
    rows = -(-len(frames) // columns)
    with house_style():
        figure, axes = new_picture(rows, columns, 2.6 * columns, 2.85 * rows + 0.4, title)
        for axis in axes[len(frames) :]:
            axis.set_axis_off()
        for axis, frame in zip(axes, frames, strict=False):
            _show(axis, frame, points, size=2.0)
    return figure


def large(
    frames: Sequence[Frame], points: Points, wrong: Sequence[npt.NDArray[np.bool_]], title: str
) -> Figure:
    """The frames side by side, large, with held-out points; a ring around those that were answered wrongly.

    Where most are wrong, rings would hide everything, and the colours tell.
    """
    with house_style():
        figure, axes = new_picture(1, len(frames), 5.2 * len(frames), 5.7, title)
        for axis, frame, missed in zip(axes, frames, wrong, strict=True):
            _show(axis, frame, points, size=7.0)
            if 0 < np.count_nonzero(missed) <= len(points) // 10:
                x, y = points.places[missed].T
                axis.scatter(x, y, s=90, facecolors="none", edgecolors=INK, lw=1.4, zorder=4)
    return figure


def _show(axis: Axes, frame: Frame, points: Points, size: float) -> None:
    probability = frame.probability.astype(float)
    extent = (PLANE.low, PLANE.high, PLANE.low, PLANE.high)
    axis.imshow(colours(probability), origin="lower", extent=extent, interpolation="bilinear")
    line = np.linspace(PLANE.low, PLANE.high, len(probability))
    for number in range(ARMS):
        others = np.delete(probability, number, axis=-1).max(axis=-1)
        lead = probability[..., number] - others
        if lead.min() < 0 < lead.max():
            axis.contour(line, line, lead, levels=[0], colors=[INK], linewidths=0.7)
        x, y = points.places[points.arms == number].T
        axis.scatter(x, y, s=size, c=PAINTS[number], linewidths=0, zorder=3)
    axis.set_title(frame.title, fontsize=10)
    axis.set_xlim(PLANE.low, PLANE.high)
    axis.set_ylim(PLANE.low, PLANE.high)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
