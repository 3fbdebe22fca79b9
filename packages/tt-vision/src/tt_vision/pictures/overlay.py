"""An image, and the same image under a map of what speaks for a class and what against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_data.pictures import finished, new_picture
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.pictures.style import bare, style
from tt_vision.pictures.tiles import visible

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.figure import Figure

__all__ = ["chosen_class", "overlay"]


def overlay(
    where: str, image: Any, heat: Any, title: str, what: str, path: str | PathLike[str] | None
) -> Figure:
    """`image` (C, H, W) on the left; on the right in gray, under `heat` (H, W): red above 0, blue below.

    Raises ShapeError for a map of another size, MissingWheelError without matplotlib.
    """
    seen = visible(image, where)
    if heat.shape != seen.shape[:2]:
        raise ShapeError(f"{where}: a map of {heat.shape} over an image of {seen.shape[:2]}")
    extent = float(np.abs(heat).max()) or 1.0
    with style(where):
        figure, (left, right) = new_picture(1, 2, 6.4, 3.4)
        left.imshow(seen, cmap="gray", vmin=0, vmax=1)
        right.imshow(seen if seen.ndim == 2 else seen.mean(axis=2), cmap="gray", vmin=0, vmax=1)
        shown = right.imshow(
            heat, cmap="RdBu_r", vmin=-extent, vmax=extent, alpha=0.6, interpolation="bilinear"
        )
        bar = figure.colorbar(shown, ax=right, shrink=0.8, aspect=20)
        bar.outline.set_visible(False)  # type: ignore[operator]
        bare(left, title)
        bare(right, what)
        return finished(figure, path)


def chosen_class(class_index: Any, probabilities: Any, where: str) -> int:
    """`class_index`, or the likeliest class for None. Raises ArgumentError for a class that is none."""
    if class_index is None:
        return int(probabilities.argmax())
    count = len(probabilities)
    if isinstance(class_index, bool) or not isinstance(class_index, int | np.integer):
        raise ArgumentError(f"{where}: class_index is an integer, not {class_index!r}")
    if not 0 <= class_index < count:
        raise ArgumentError(f"{where}: class_index {class_index} is not from 0 to {count - 1}")
    return int(class_index)
