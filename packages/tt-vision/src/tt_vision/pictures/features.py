"""What a layer makes of one image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_data.pictures import finished, new_picture
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.pictures.looking import looked_at, submodule
from tt_vision.pictures.style import bare, style
from tt_vision.pictures.tiles import mosaic, one_image, spread, visible

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.figure import Figure

__all__ = ["feature_maps"]


def feature_maps(
    model: Any,
    image: Any,
    layer: Any,
    count: int = 64,
    title: str | None = None,
    path: str | PathLike[str] | None = None,
) -> Figure:
    """The image, and beside it the first `count` channels of what `layer` makes of it, each on its own scale.

    Args:
        model: a network; it runs once, in evaluation, and is left in the mode in which it was.
        image: (C, H, W), as the network takes it.
        layer: a dotted name, as `model.named_modules()` gives it, or the module itself.
        title: by default the layer and the shape of what it gives.
        path: where to write the picture as PNG.

    Raises ArgumentError for a layer that is not there or did not run, ShapeError for one that gives no maps,
    MissingWheelError without matplotlib.
    """
    pixels = one_image(image, "feature_maps")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"feature_maps: count is an integer from 1, not {count!r}")
    found, _ = looked_at(model, pixels, submodule(model, layer, "feature_maps"), "feature_maps")
    if found.ndim != 4 or not found.size:
        raise ShapeError(f"feature_maps: the layer gives {found.shape}, not maps (1, C, H, W)")
    maps = found[0].astype(np.float64)
    name = layer if isinstance(layer, str) else type(layer).__name__
    with style("feature_maps"):
        heading = f"{name}: {len(maps)} maps of {maps.shape[1]} × {maps.shape[2]}" if title is None else title
        figure, (left, right) = new_picture(1, 2, 9.0, 4.8, heading)
        left.imshow(visible(pixels[0], "feature_maps"), cmap="gray", vmin=0, vmax=1)
        tiles = mosaic(np.stack([spread(one) for one in maps[:count]]), np.nan)  # nan is not drawn
        right.imshow(tiles, cmap="viridis", vmin=0, vmax=1)
        for axis in (left, right):
            bare(axis)
        return finished(figure, path)
