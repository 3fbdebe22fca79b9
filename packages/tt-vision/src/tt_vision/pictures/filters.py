"""What the first layer looks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_data.pictures import finished, new_picture
from tt_nn import Module
from tt_tensor.errors import ArgumentError, ShapeError
from tt_tensor.tensor import as_array
from tt_vision.pictures.style import bare, style
from tt_vision.pictures.tiles import mosaic

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.figure import Figure

__all__ = ["first_layer_filters"]


def first_layer_filters(
    model: Any,
    shape: Sequence[int] | None = None,
    title: str = "",
    path: str | PathLike[str] | None = None,
) -> Figure:
    """Every filter of the first layer as a small image, side by side; gray is 0.

    A filter over three channels is a colour; over one, bright is positive and dark negative. Each is scaled by its
    own largest weight.

    Args:
        model: a network, whose first weight of four axes is shown, or that weight, (O, C, kh, kw).
        shape: (C, H, W) of the images, for a network that starts with a Linear: its rows as images.
        path: where to write the picture as PNG.

    Raises ArgumentError for a network without such a weight, ShapeError for other than 1 or 3 channels,
    MissingWheelError without matplotlib.
    """
    weight = _first_weight(model, 2 if shape is not None else 4) if isinstance(model, Module) else model
    filters = np.asarray(as_array(weight, "first_layer_filters"), np.float64)
    if shape is not None:
        if filters.ndim != 2 or len(shape) != 3 or filters.shape[1] != np.prod(shape):
            raise ShapeError(
                f"first_layer_filters: rows of {filters.shape} are no images of the shape {tuple(shape)}"
            )
        filters = filters.reshape(len(filters), *shape)
    if filters.ndim != 4 or filters.shape[1] not in (1, 3) or not filters.size:
        raise ShapeError(
            f"first_layer_filters: shows filters (O, 1, kh, kw) or (O, 3, kh, kw), not {filters.shape}; "
            "only the first layer sees colours"
        )
    extent = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    shown = 0.5 + 0.5 * filters / np.where(extent > 0, extent, 1)
    tiles = shown[:, 0] if shown.shape[1] == 1 else shown.transpose(0, 2, 3, 1)
    image = mosaic(tiles)
    with style("first_layer_filters"):
        height = 5.0 * image.shape[0] / image.shape[1]
        figure, (axis,) = new_picture(1, 1, 5.0, height + 0.5 * bool(title), title)
        axis.imshow(image, cmap="gray", vmin=0, vmax=1)
        bare(axis)
        return finished(figure, path)


def _first_weight(model: Module, axes: int) -> Any:
    for _, parameter in model.named_parameters():
        if parameter.ndim == axes:
            return parameter
    what = (
        "no convolution; for one that starts with a Linear, say shape=(C, H, W)" if axes == 4 else "no Linear"
    )
    raise ArgumentError(f"first_layer_filters: {type(model).__name__} has {what}")
