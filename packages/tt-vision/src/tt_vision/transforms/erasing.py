"""RandomErasing: no single patch of an image may be all that a network looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.transforms.arguments import fill_of, interval_of, share_of, whole
from tt_vision.transforms.drawing import RandomTransform, checked_generator
from tt_vision.transforms.images import opened

__all__ = ["RandomErasing", "erase"]

TRIES = 10
"""Rectangles that are drawn until one fits; an image for which none does stays as it is. As in torchvision."""


def erase(images: Any, i: int, j: int, h: int, w: int, v: Any = 0) -> Any:
    """A copy with x[..., i : i + h, j : j + w] = v; `v` is one value, one for each channel, or (C, h, w).

    Raises ArgumentError for a rectangle that is not inside, ShapeError for a `v` of another shape.
    """
    given = opened(images, "erase")
    top, left, height, width = (whole("erase", "the rectangle", side, 0) for side in (i, j, h, w))
    rows, columns = given.pixels.shape[2:]
    if top + height > rows or left + width > columns:
        raise ArgumentError(
            f"erase: the rectangle at {(i, j)} of {(h, w)} is not inside of {(rows, columns)}"
        )
    value = np.asarray(v)
    if value.ndim < 2:
        value = fill_of("erase", v, given.pixels.shape[1], given.pixels.dtype)[:, None, None]
    out = given.pixels.copy(order="K")
    window = out[:, :, top : top + height, left : left + width]
    try:
        window[...] = value
    except ValueError as error:
        raise ShapeError(
            f"erase: v is one value, one for each channel or {window.shape[1:]}, not of shape {value.shape}"
        ) from error
    return given.close(out)


class RandomErasing(RandomTransform):
    """In each image, with probability `p`, one rectangle is overwritten.

    Args:
        scale: (least, most) area, as a share of the image's, uniform.
        ratio: (least, most) of height / width, uniform in the logarithm.
        value: what is written: a number, one for each channel, or "random" for normal numbers (floats only).
        inplace: taken so that PyTorch's code needs no change; the input keeps its own memory, always.
        generator: where all is drawn from; see RandomTransform.

    It belongs behind Normalize, so that 0 is the mean colour.

    Raises ArgumentError for other arguments; when called, DTypeError for "random" on integers.
    Source: Zhong et al., "Random Erasing Data Augmentation", 2017.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
        *,
        generator: Any = None,
    ) -> None:
        self.p = share_of("RandomErasing", "p", p)
        self.scale = interval_of("RandomErasing", "scale", scale, 0, 1)
        self.ratio = interval_of("RandomErasing", "ratio", ratio, np.nextafter(0, 1))
        if isinstance(value, str) and value != "random":
            raise ArgumentError(
                f"RandomErasing: value is a number, one for each channel or 'random', not {value!r}"
            )
        self.value, self.inplace = value, bool(inplace)
        self.generator = checked_generator("RandomErasing", generator)

    def draw(self, shape: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[Any, ...]:
        """Rectangles (N, 4): top, left, height, width, of height 0 where nothing is erased; and what is written."""
        n, channels, rows, columns = shape
        drawn = rng.random((n, 3 + 2 * TRIES))
        area = rows * columns * (self.scale[0] + drawn[:, 3::2] * (self.scale[1] - self.scale[0]))
        low, high = np.log(self.ratio)
        ratio = np.exp(low + drawn[:, 4::2] * (high - low))
        heights, widths = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))  # (N, TRIES)
        fits = (heights < rows) & (widths < columns)
        one = np.arange(n), fits.argmax(axis=1)
        wanted = fits[one] & (drawn[:, 0] < self.p)
        height, width = np.where(wanted, heights[one], 0), np.where(wanted, widths[one], 0)
        top, left = np.floor(drawn[:, 1] * (rows - height + 1)), np.floor(drawn[:, 2] * (columns - width + 1))
        places = np.stack([top, left, height, width], axis=1).astype(np.intp)
        if not isinstance(self.value, str):
            return places, [self.value] * n
        areas = places[:, 2] * places[:, 3]
        noise = rng.standard_normal(channels * areas.sum(), np.float32)
        ends = (channels * areas).cumsum()
        return places, [
            noise[end - channels * height * width : end].reshape(channels, height, width)
            for end, (height, width) in zip(ends, places[:, 2:].tolist(), strict=True)
        ]

    def apply(self, pixels: Any, *draws: Any) -> Any:
        """A copy with the rectangles overwritten."""
        places, written = draws
        random = isinstance(self.value, str)
        if random and pixels.dtype.kind != "f":
            raise DTypeError(
                f"RandomErasing: value='random' writes normal numbers, which {pixels.dtype} does not hold; "
                "put it behind ToTensor or Normalize"
            )
        out = pixels.copy(order="K")
        if not random:
            value = fill_of("RandomErasing", self.value, pixels.shape[1], pixels.dtype)[:, None, None]
        for image, (top, left, height, width), noise in zip(out, places.tolist(), written, strict=True):
            if height:
                image[:, top : top + height, left : left + width] = noise if random else value
        return out
