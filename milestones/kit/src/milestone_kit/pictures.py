"""Pictures as PNG: made of matplotlib Figure objects alone, the same bytes every time.

pyplot is never used: there is no window, no global figure, nothing to close. matplotlib is imported in
the functions, because it takes longer to import than ``--help`` may take to answer.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "curves", "digit_grid", "new_picture", "png", "weights_image"]

DOTS_PER_INCH = 150
INK, QUIET = "#22262e", "#8a93a3"
COLOURS = ("#2f6db3", "#d1495b", "#3a9272", "#e09f3e", "#7b5ea7", "#5f6b7a")
STYLE: Any = {
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # the font that comes with matplotlib
    "font.size": 10,
    "text.color": INK,
    "xtick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.color": QUIET,
    "ytick.labelcolor": INK,
}


@contextmanager
def house_style() -> Iterator[None]:
    """matplotlib's own defaults with STYLE over them, whatever the user's matplotlibrc says."""
    # matplotlib announces on stderr that it builds its font cache; a program's user need not know.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def new_picture(
    rows: int, columns: int, width: float, height: float, title: str = "", **layout: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `width` by `height` inches and its rows * columns axes, in reading order."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # type: ignore[union-attr,call-arg]
    axes = figure.subplots(rows, columns, squeeze=False, **layout)
    if title:
        figure.suptitle(title, fontsize=13, fontweight="bold")
    return figure, list(axes.ravel())


def png(figure: Figure) -> bytes:
    """The picture as PNG bytes at 150 dots an inch, with no word about software or time in it."""
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def digit_grid(
    images: npt.ArrayLike,
    labels: Sequence[object],
    title: str = "",
    columns: int = 8,
    wrong: Sequence[bool] | None = None,
) -> Figure:
    """images (N, H, W), dark ink on white paper, each under its label; those in `wrong` are in red.

    Raises ValueError if there are no images, or not one label for each.
    """
    stack = np.asarray(images, dtype=float)
    if stack.ndim != 3 or not len(stack) or len(labels) != len(stack):
        raise ValueError(f"need N > 0 images (N, H, W) and N labels, got {stack.shape} and {len(labels)}")
    marks = [False] * len(stack) if wrong is None else list(wrong)
    columns = min(columns, len(stack))
    rows = -(-len(stack) // columns)
    with house_style():
        figure, axes = new_picture(rows, columns, 1.05 * columns, 1.3 * rows + (0.5 if title else 0), title)
        for axis in axes:
            axis.set_axis_off()
        for axis, image, label, mark in zip(axes, stack, labels, marks, strict=False):
            axis.imshow(image, cmap="Greys", vmin=0, vmax=stack.max() or 1, interpolation="nearest")
            axis.set_title(str(label), color=COLOURS[1] if mark else INK, fontsize=10, pad=3)
    return figure


def weights_image(
    weights: Mapping[str, npt.ArrayLike], title: str = "", low: str = "", high: str = ""
) -> Figure:
    """Each weight matrix (H, W) under its name: blue below zero, white at zero, red above.

    `low` and `high` say what a negative and a positive weight speak for. Each image has its own
    scale, because a rule's weights have no unit to compare.
    """
    if not weights:
        raise ValueError("need at least one weight matrix")
    with house_style():
        figure, axes = new_picture(1, len(weights), 3.9 * len(weights), 3.9, title)
        for axis, (name, given) in zip(axes, weights.items(), strict=True):
            matrix = np.asarray(given, dtype=float)
            extent = float(np.abs(matrix).max()) or 1.0
            shown = axis.imshow(matrix, cmap="RdBu_r", vmin=-extent, vmax=extent, interpolation="nearest")
            axis.set_title(name)
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
            bar = figure.colorbar(shown, ax=axis, shrink=0.86, aspect=24)
            bar.outline.set_visible(False)
            if high:
                bar.ax.set_title(high, fontsize=9, color="#b2182b", pad=6)
            if low:
                bar.ax.set_xlabel(low, fontsize=9, color="#2166ac", labelpad=6)
    return figure


def curves(
    lines: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
    title: str = "",
    x_label: str = "step",
    y_label: str = "loss",
    log_y: bool = False,
    bar: float | None = None,
) -> Figure:
    """Each line (x, y) in its own colour, named in the legend; `bar` is a dashed level to reach."""
    if not lines:
        raise ValueError("need at least one line")
    with house_style():
        figure, (axis,) = new_picture(1, 1, 6.4, 3.8, title)
        for index, (name, (x, y)) in enumerate(lines.items()):
            axis.plot(np.asarray(x), np.asarray(y), color=COLOURS[index % len(COLOURS)], label=name, lw=1.8)
        if bar is not None:
            axis.axhline(bar, color=QUIET, ls="--", lw=1.2, label=f"bar {bar:g}")
        if log_y:
            axis.set_yscale("log")
        axis.set_xlabel(x_label)
        axis.set_ylabel(y_label)
        axis.grid(color=QUIET, alpha=0.25, lw=0.6)
        if len(lines) > 1 or bar is not None:
            axis.legend(frameon=False)
    return figure
