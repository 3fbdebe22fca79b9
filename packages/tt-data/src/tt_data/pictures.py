"""How pictures look, in all wheels, and how they are made: of matplotlib's Figure alone, the same bytes every time.

pyplot is never used: there is no window, no global figure, nothing to close. matplotlib is imported when a picture is
drawn.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tt_tensor.errors import MissingWheelError
from tt_tensor.files import whole_file

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["INK", "QUIET", "finished", "house_style", "new_picture", "png"]

DOTS_PER_INCH = 150
INK, QUIET = "#22262e", "#8a93a3"
STYLE: Any = {
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # the font that comes with matplotlib
    "font.size": 10,
    "image.interpolation": "nearest",
    "text.color": INK,
    "xtick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.color": QUIET,
    "ytick.labelcolor": INK,
}


@contextmanager
def house_style(where: str, extra: str = "tt-data[pictures]") -> Iterator[None]:
    """matplotlib's own defaults with STYLE over them, whatever the user's matplotlibrc says.

    Args:
        where: the function that draws, for the error.
        extra: what brings matplotlib.

    Raises MissingWheelError without matplotlib.
    """
    # matplotlib announces on stderr that it builds its font cache; a program's user need not know.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    try:
        import matplotlib as mpl
        import matplotlib.figure
    except ModuleNotFoundError as error:
        raise MissingWheelError(f"{where}: needs matplotlib; pip install '{extra}'") from error
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def new_picture(
    rows: int, columns: int, width: float, height: float, title: str = ""
) -> tuple[Figure, list[Axes]]:
    """A figure of `width` by `height` inches and its rows · columns axes, in reading order."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    if title:
        figure.suptitle(title, fontsize=12, fontweight="bold")
    return figure, list(axes.ravel())


def png(figure: Figure) -> bytes:
    """The figure at 150 dots an inch, with no word about software or time in it."""
    buffer = io.BytesIO()
    with house_style("pictures"):
        figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def finished(figure: Figure, path: str | PathLike[str] | None) -> Figure:
    """The figure, which is also written to `path` as PNG, if there is one: aside, then renamed. Raises OSError."""
    if path is None:
        return figure
    with whole_file(path) as file:
        file.write(png(figure))
    return figure
