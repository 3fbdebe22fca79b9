"""Arrays as matplotlib wants them: one image, or many side by side in one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_tensor.errors import ShapeError
from tt_tensor.tensor import as_array

__all__ = ["mosaic", "named", "one_image", "spread", "visible"]


def visible(image: Any, where: str) -> Any:
    """(C, H, W) as (H, W) or (H, W, 3), floats from 0 to 1.

    uint8 is divided by 255. Floats within 0 and 1 stay; others, as behind Normalize, are stretched to just that.

    Raises ShapeError for other than 1 or 3 channels.
    """
    pixels = np.asarray(as_array(image, where))
    if pixels.ndim != 3 or pixels.shape[0] not in (1, 3) or not pixels.size:
        raise ShapeError(f"{where}: shows images (1, H, W) or (3, H, W), not {pixels.shape}")
    found = pixels.astype(np.float64)
    if pixels.dtype == np.uint8:
        found /= 255
    elif found.min() < 0 or found.max() > 1:
        found = spread(found)
    return found[0] if len(found) == 1 else found.transpose(1, 2, 0)


def spread(values: Any) -> Any:
    """(x - min) / (max - min); ½ where all are equal."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.full(values.shape, 0.5)


def one_image(image: Any, where: str) -> Any:
    """A batch (1, C, H, W) of one image (C, H, W), or as it is. Raises ShapeError for more images than one."""
    pixels = as_array(image, where)
    pixels = pixels[None] if pixels.ndim == 3 else pixels
    if pixels.ndim != 4 or len(pixels) != 1:
        raise ShapeError(f"{where}: looks at one image (C, H, W), not at {pixels.shape}")
    return pixels


def mosaic(tiles: Any, ground: float = 1.0, gap: int = 1) -> Any:
    """(N, H, W) or (N, H, W, 3) as one image, about as wide as high, row by row, with gaps of `ground` between."""
    n, h, w = tiles.shape[:3]
    columns = math.ceil(math.sqrt(n * h / w))
    rows = math.ceil(n / columns)
    size = (rows * (h + gap) - gap, columns * (w + gap) - gap)
    whole = np.full((*size, *tiles.shape[3:]), ground)
    for index, tile in enumerate(tiles):
        top, left = index // columns * (h + gap), index % columns * (w + gap)
        whole[top : top + h, left : left + w] = tile
    return whole


def named(classes: Any, count: int, where: str) -> list[str]:
    """The names of `count` classes; their numbers, where `classes` is None. Raises ShapeError for another count."""
    if classes is None:
        return [str(number) for number in range(count)]
    names = [str(name) for name in classes]
    if len(names) != count:
        raise ShapeError(f"{where}: {len(names)} names for {count} classes")
    return names
