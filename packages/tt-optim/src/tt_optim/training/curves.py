"""The curves of a history as a picture: the loss, and each other figure, against the step.

Made of matplotlib's Figure alone: pyplot is never used, so there is no window and no global state. matplotlib is
imported when a picture is drawn.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tt_optim.training.aside import Aside
from tt_optim.training.history import TIMES, History
from tt_tensor.errors import ArgumentError, MissingWheelError

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_curves", "save_curves"]

INK, QUIET = "#22262e", "#8a93a3"
TRAINING, VALIDATION = "#2f6db3", "#d1495b"
STYLE: Any = {
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "xtick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.color": QUIET,
    "ytick.labelcolor": INK,
}


def draw_curves(history: History, figures: Sequence[str] | None = None, title: str = "") -> Figure:
    """A panel for each figure, training and validation in one: loss with val_loss, accuracy with val_accuracy.

    Args:
        history: of `fit`, or `History.read(path)`.
        figures: which ones, without "val_"; by default all that are numbers.
        title: above all panels.

    Raises ArgumentError for a history without such figures, MissingWheelError without matplotlib.
    """
    names = _figures(history) if figures is None else list(figures)
    if not names:
        raise ArgumentError("draw_curves: this history has no figures yet; train first")
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingWheelError("draw_curves: needs matplotlib; pip install 'tt-optim[training]'") from error
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6 * columns, 3.4 * rows), facecolor="white", layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
        for axis, name in zip(axes, names, strict=False):
            _panel(axis, history, name)
        for axis in axes[len(names) :]:
            axis.set_axis_off()
        if title:
            figure.suptitle(title, fontsize=13, fontweight="bold")
    return figure


def save_curves(
    history: History,
    path: str | PathLike[str],
    figures: Sequence[str] | None = None,
    title: str = "",
) -> Path:
    """Draw the curves into a PNG file, which is written aside and renamed. Raises as `draw_curves`, and OSError."""
    buffer = io.BytesIO()
    draw_curves(history, figures, title).savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    with Aside(Path(path)) as file:
        file.write(buffer.getvalue())
        file.commit()
    return file.target


def _figures(history: History) -> list[str]:
    found = []
    for name in history.names:
        values = [value for value in history[name] if value is not None]
        if name not in TIMES and values and all(isinstance(value, int | float) for value in values):
            found.append(name.removeprefix("val_"))
    return list(dict.fromkeys(found))


def _panel(axis: Axes, history: History, name: str) -> None:
    """Training as a line; single steps, where they were recorded, faint behind it; validation beside it."""
    drawn = 0
    for label, colour in ((name, TRAINING), (f"val_{name}", VALIDATION)):
        if label not in history:
            continue
        steps, values = history.column(label)
        values = [math.nan if value is None else value for value in values]
        marker = "o" if len(values) < 30 else None
        axis.plot(steps, values, color=colour, label=label, lw=1.8, marker=marker, ms=3)
        drawn += 1
    fine = history.column(name, "step") if name in history else ([], [])
    if fine[0] and len(fine[0]) < len([r for r in history if name in r]):
        axis.plot(*fine, color=TRAINING, alpha=0.3, lw=0.8, zorder=1)
    if not drawn:
        raise ArgumentError(f"draw_curves: no figure {name!r}; there are {', '.join(_figures(history))}")
    axis.set_title(name.replace("_", " "))
    axis.set_xlabel("step")
    axis.grid(color=QUIET, alpha=0.25, lw=0.6)
    if drawn > 1:
        axis.legend(frameon=False)
