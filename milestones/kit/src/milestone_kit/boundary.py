"""The decision boundary of a classifier on the plane, and the film of it as it forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from milestone_kit.pictures import COLOURS, INK, house_style, new_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Frame", "Plane", "decision_boundary", "film"]


@dataclass(frozen=True)
class Frame:
    """One moment: its title and the probability of class 1 at each cell, shape (cells, cells)."""

    title: str
    probability: npt.NDArray[np.floating]


@dataclass(frozen=True)
class Plane:
    """The square ``low <= x, y <= high``, looked at in cells * cells points."""

    low: float
    high: float
    cells: int = 101

    def points(self) -> npt.NDArray[np.float64]:
        """The points (cells * cells, 2), row by row, y growing from row to row."""
        line = np.linspace(self.low, self.high, self.cells)
        x, y = np.meshgrid(line, line)
        return np.stack([x.ravel(), y.ravel()], axis=1)

    def look(self, probability: Callable[[npt.NDArray[np.float64]], npt.ArrayLike], title: str) -> Frame:
        """What `probability`, (N, 2) -> N values in [0, 1], says now.

        Raises ValueError if it gives another number of values.
        """
        values = np.asarray(probability(self.points()), dtype=float)
        if values.size != self.cells**2:
            raise ValueError(f"need one probability a point, got {values.shape} for {self.cells**2} points")
        return Frame(title, values.reshape(self.cells, self.cells))


def decision_boundary(plane: Plane, frame: Frame, points: npt.ArrayLike, classes: npt.ArrayLike) -> Figure:
    """One frame, large: the probability as colour, the line of 1/2, the points of both classes."""
    return film(plane, [frame], points, classes)


def film(
    plane: Plane,
    frames: Sequence[Frame],
    points: npt.ArrayLike,
    classes: npt.ArrayLike,
    title: str = "",
    columns: int = 4,
) -> Figure:
    """The frames in reading order. points (N, 2), classes (N,) of 0 and 1.

    Raises ValueError if there is no frame or not one class a point.
    """
    places, kinds = np.asarray(points, dtype=float), np.asarray(classes).ravel()
    if not frames or places.ndim != 2 or len(places) != kinds.size:
        raise ValueError(f"need a frame, and as many classes as points; got {places.shape}, {kinds.shape}")
    columns = min(columns, len(frames))
    rows = -(-len(frames) // columns)
    side = 4.6 if len(frames) == 1 else 2.5
    line = np.linspace(plane.low, plane.high, plane.cells)
    with house_style():
        height = (side + 0.25) * rows + (0.4 if title else 0)
        figure, axes = new_picture(rows, columns, side * columns + 0.9, height, title)
        for axis in axes[len(frames) :]:
            axis.set_axis_off()
        for axis, frame in zip(axes, frames, strict=False):
            shown = axis.imshow(
                frame.probability,
                cmap="RdBu_r",
                vmin=0,
                vmax=1,
                origin="lower",
                extent=(plane.low, plane.high, plane.low, plane.high),
                interpolation="bilinear",
                alpha=0.8,
            )
            # Where all is one half but for rounding, a line would be noise.
            if frame.probability.min() < 0.499 and frame.probability.max() > 0.501:
                axis.contour(line, line, frame.probability, levels=[0.5], colors=[INK], linewidths=1.5)
            for kind, sign in ((0, "o"), (1, "s")):
                here = places[kinds == kind]
                x, y = here[:, 0], here[:, 1]
                axis.scatter(x, y, s=80, marker=sign, c=COLOURS[kind], edgecolors="white", lw=1.5, zorder=3)
            axis.set_title(frame.title, fontsize=10)
            axis.set_xticks([0, 1])
            axis.set_yticks([0, 1])
            axis.set_aspect("equal")
            axis.spines[:].set_visible(False)
        bar = figure.colorbar(shown, ax=axes, shrink=0.8, aspect=30, ticks=[0, 0.5, 1])
        bar.set_label("probability of class 1")
        bar.outline.set_visible(False)
    return figure
