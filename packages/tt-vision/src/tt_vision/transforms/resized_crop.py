"""RandomResizedCrop: a part of each image, drawn to one size. So networks for photographs are trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tt_tensor.errors import ShapeError
from tt_vision.transforms.arguments import chosen, interval_of, size_of
from tt_vision.transforms.cropping import crop
from tt_vision.transforms.drawing import RandomTransform, checked_generator
from tt_vision.transforms.images import seen, stored
from tt_vision.transforms.resizing import MODES, resize

__all__ = ["RandomResizedCrop", "resized_crop"]

TRIES = 10
"""Windows that are drawn until one fits; where none does, the largest one in the middle is taken. As in torchvision."""


def resized_crop(
    images: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool | None = True,
) -> Any:
    """`resize` of `crop`. Arguments and errors as for both."""
    return resize(crop(images, top, left, height, width), size, interpolation, antialias=antialias)


class RandomResizedCrop(RandomTransform):
    """From each image a window of an area, a shape and a place of its own, resized to `size`.

    Args:
        size: (h, w) of what comes out, or one integer for both.
        scale: (least, most) area of the window, as a share of the image's, uniform.
        ratio: (least, most) of width / height, uniform in the logarithm.
        interpolation, antialias: as for `Resize`.
        generator: where all is drawn from; see RandomTransform.

    Raises ArgumentError for other arguments; when called, ShapeError for images without pixels.
    Source: Szegedy et al., "Going Deeper with Convolutions", 2014, section 6.
    """

    def __init__(
        self,
        size: Any,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: str = "bilinear",
        antialias: bool | None = True,
        *,
        generator: Any = None,
    ) -> None:
        name = "RandomResizedCrop"
        self.size = size_of(name, size)
        self.scale = interval_of(name, "scale", scale, 0, 1)
        self.ratio = interval_of(name, "ratio", ratio, np.nextafter(0, 1))
        self.interpolation, self.antialias = chosen(name, "interpolation", interpolation, MODES), antialias
        self.generator = checked_generator(name, generator)

    def draw(self, shape: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[Any, ...]:
        """The windows (N, 4): top, left, height, width."""
        n, _, rows, columns = shape
        if not rows * columns:
            raise ShapeError(
                f"RandomResizedCrop: images of {rows} × {columns} have no pixels to make others of"
            )
        drawn = rng.random((n, 2 + 2 * TRIES))
        area = rows * columns * (self.scale[0] + drawn[:, 2::2] * (self.scale[1] - self.scale[0]))
        low, high = np.log(self.ratio)
        ratio = np.exp(low + drawn[:, 3::2] * (high - low))
        heights, widths = np.rint(np.sqrt(area / ratio)), np.rint(np.sqrt(area * ratio))  # (N, TRIES)
        fits = (heights > 0) & (heights <= rows) & (widths > 0) & (widths <= columns)
        one = np.arange(n), fits.argmax(axis=1)
        found = fits[one]
        nearest = np.clip(columns / rows, *self.ratio)
        height = np.where(found, heights[one], max(1, min(rows, np.rint(columns / nearest))))
        width = np.where(found, widths[one], max(1, min(columns, np.rint(rows * nearest))))
        room_y, room_x = rows - height, columns - width
        top = np.where(found, np.floor(drawn[:, 0] * (room_y + 1)), room_y // 2)
        left = np.where(found, np.floor(drawn[:, 1] * (room_x + 1)), room_x // 2)
        return (np.stack([top, left, height, width], axis=1).astype(np.intp),)

    def apply(self, pixels: Any, *draws: Any) -> Any:
        """Each window resized."""
        last = stored(pixels)[1]
        shape = (len(pixels), *self.size, pixels.shape[1]) if last else (*pixels.shape[:2], *self.size)
        out = seen(np.empty(shape, pixels.dtype), last)
        for image, made, (top, left, height, width) in zip(pixels, out, draws[0].tolist(), strict=True):
            window = image[:, top : top + height, left : left + width]
            made[...] = resize(window, self.size, self.interpolation, antialias=self.antialias)
        return out
