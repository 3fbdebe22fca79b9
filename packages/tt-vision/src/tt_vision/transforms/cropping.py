"""Pad, CenterCrop and RandomCrop: another window on the same image."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor.errors import ShapeError
from tt_vision.transforms.arguments import Sides, chosen, fill_of, padding_of, size_of, whole
from tt_vision.transforms.drawing import ImageTransform, RandomTransform, checked_generator
from tt_vision.transforms.images import opened, seen, stored

__all__ = ["CenterCrop", "Pad", "RandomCrop", "center_crop", "crop", "pad"]

MODES = ("constant", "edge", "reflect", "symmetric")


def pad(images: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """Rows and columns added outside.

    Args:
        padding: for all four sides, or (left and right, top and bottom), or (left, top, right, bottom).
        fill: the value outside for "constant", or one for each channel, in the units of the images.
        padding_mode: "constant"; "edge" repeats the outermost pixel; "reflect" mirrors at it (c b | a b c | b a);
            "symmetric" mirrors behind it (b a | a b c | c b).

    Raises ArgumentError for another padding or mode or a fill that does not fit the dtype, ShapeError for a mirror
    image that is longer than the image or a fill of another count than the channels'.
    """
    given = opened(images, "pad")
    mode = chosen("pad", "padding_mode", padding_mode, MODES)
    return given.close(padded("pad", given.pixels, padding_of("pad", padding), fill, mode))


def padded(where: str, pixels: Any, sides: Sides, fill: Any, mode: str) -> Any:
    """(N, C, H, W) with (left, top, right, bottom) more columns and rows."""
    left, top, right, bottom = sides
    if not any(sides):
        return pixels
    n, channels, h, w = pixels.shape
    memory, last = stored(pixels)
    if mode != "constant":
        _check_mirror(where, (h, w), sides, mode)
        around = ((top, bottom), (left, right))
        widths = ((0, 0), *around, (0, 0)) if last else ((0, 0), (0, 0), *around)
        return seen(np.pad(memory, widths, mode), last)  # type: ignore[arg-type]
    values = fill_of(where, fill, channels, memory.dtype)
    size = (top + h + bottom, left + w + right)
    shape = (n, *size, channels) if last else (n, channels, *size)
    if values.any():
        out = np.empty(shape, memory.dtype)
        out[...] = values if last else values[:, None, None]
    else:
        out = np.zeros(shape, memory.dtype)
    if last:
        out[:, top : top + h, left : left + w] = memory
    elif memory.size:
        # Row by row as one run of bytes, which is copied twice as fast as its elements.
        run, start = f"V{w * memory.itemsize}", (top * size[1] + left) * memory.itemsize
        np.ndarray((n, channels, h), run, out, start, out.strides[:3])[...] = memory.view(run)[..., 0]
    return seen(out, last)


def _check_mirror(where: str, size: tuple[int, int], sides: Sides, mode: str) -> None:
    """An image must be as long as what is mirrored; "reflect" does not mirror the outermost pixel."""
    for length, ends in zip(size, (sides[1::2], sides[::2]), strict=True):
        least = {"edge": 1, "reflect": 1 + max(ends), "symmetric": max(ends)}[mode]
        if any(ends) and length < least:
            raise ShapeError(
                f"{where}: padding {sides} in mode {mode!r} on images of {size[0]} × {size[1]}: "
                f"{least} pixels are needed where {length} are"
            )


def crop(images: Any, top: int, left: int, height: int, width: int) -> Any:
    """The window of `height` rows from row `top` and `width` columns from column `left`; 0 where it is outside.

    A view, where it lies inside. Raises ArgumentError for a window without rows or columns.
    """
    given = opened(images, "crop")
    height, width = whole("crop", "the window", height, 1), whole("crop", "the window", width, 1)
    top, left = whole("crop", "the corner", top), whole("crop", "the corner", left)
    h, w = given.pixels.shape[2:]
    outside = (max(-left, 0), max(-top, 0), max(left + width - w, 0), max(top + height - h, 0))
    pixels = padded("crop", given.pixels, outside, 0, "constant")
    top, left = max(top, 0), max(left, 0)
    return given.close(pixels[:, :, top : top + height, left : left + width])


def center_crop(images: Any, output_size: Any) -> Any:
    """The window of `output_size` (h, w) in the middle; an image that is smaller gets zeros around it first.

    Raises ArgumentError for a size that is none.
    """
    given = opened(images, "center_crop")
    height, width = size_of("center_crop", output_size)
    h, w = given.pixels.shape[2:]
    lacks_h, lacks_w = max(height - h, 0), max(width - w, 0)
    outside = (lacks_w // 2, lacks_h // 2, (lacks_w + 1) // 2, (lacks_h + 1) // 2)
    pixels = padded("center_crop", given.pixels, outside, 0, "constant")
    # round() as in torchvision: halves go to the even row.
    top, left = round((pixels.shape[2] - height) / 2), round((pixels.shape[3] - width) / 2)
    return given.close(pixels[:, :, top : top + height, left : left + width])


def windows(pixels: Any, top: Any, left: Any, size: tuple[int, int]) -> Any:
    """A window of `size` from each of (N, C, H, W), at rows top (N,) and columns left (N,); a copy.

    A row of the window is one run of bytes in memory, and an array of such runs, one for each place, overlaps the
    images without a copy. Indexing it with (image, top, left) then moves whole runs: five times as fast as a loop
    of slices.
    """
    n, channels, h, w = pixels.shape
    height, width = size
    memory, last = stored(pixels)
    item, places = memory.itemsize, (h - height + 1, w - width + 1)
    if not memory.size:
        return np.empty((n, channels, height, width), memory.dtype)
    images = np.arange(n)
    if last:
        row, column = w * channels * item, channels * item
        runs = np.ndarray((n, *places, height), f"V{width * column}", memory, 0, (h * row, row, column, row))
        found = runs[images, top, left].view(memory.dtype).reshape(n, height, width, channels)
    else:
        plane, row = h * w * item, w * item
        runs = np.ndarray(
            (n, channels, *places, height),
            f"V{width * item}",
            memory,
            0,
            (channels * plane, plane, row, item, row),
        )
        found = runs[images, :, top, left].view(memory.dtype).reshape(n, channels, height, width)
    return seen(found, last)


class Pad(ImageTransform):
    """Rows and columns added outside. Arguments and errors as for `functional.pad`."""

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> None:
        self.padding, self.fill = padding_of("Pad", padding), fill
        self.padding_mode = chosen("Pad", "padding_mode", padding_mode, MODES)

    def __call__(self, images: Any) -> Any:
        given = opened(images, "Pad")
        return given.close(padded("Pad", given.pixels, self.padding, self.fill, self.padding_mode))


class CenterCrop(ImageTransform):
    """The window of `size` in the middle; an image that is smaller gets zeros around it first."""

    def __init__(self, size: Any) -> None:
        self.size = size_of("CenterCrop", size)

    def __call__(self, images: Any) -> Any:
        return center_crop(images, self.size)


class RandomCrop(RandomTransform):
    """From each image, with `padding` around it, a window of `size` at a place of its own, all equally likely.

    Args:
        size: (h, w), or one integer for both.
        padding: for all four sides, or (left and right, top and bottom), or (left, top, right, bottom).
        pad_if_needed: pad an image that is still smaller than the window by what it lacks, on both sides.
        fill, padding_mode: what is outside, as for `Pad`.
        generator: where the places are drawn from; see RandomTransform.

    Raises ArgumentError for arguments that make no sense; when called, ShapeError for images that are smaller than
    the window.
    """

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
        *,
        generator: Any = None,
    ) -> None:
        self.size = size_of("RandomCrop", size)
        self.padding = None if padding is None else padding_of("RandomCrop", padding)
        self.pad_if_needed, self.fill = bool(pad_if_needed), fill
        self.padding_mode = chosen("RandomCrop", "padding_mode", padding_mode, MODES)
        self.generator = checked_generator("RandomCrop", generator)

    def draw(self, shape: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[Any, ...]:
        """The first row and the first column of each window, in the padded image: two arrays (N,)."""
        left, top, right, bottom = self._sides(shape)
        rows = top + shape[2] + bottom - self.size[0] + 1
        columns = left + shape[3] + right - self.size[1] + 1
        if rows < 1 or columns < 1:
            raise ShapeError(
                f"RandomCrop: a window of {self.size} does not fit into images of {shape[2:]} with padding "
                f"{self.padding or 0}; use pad_if_needed=True"
            )
        return np.divmod(rng.integers(0, rows * columns, shape[0]), columns)

    def apply(self, pixels: Any, *draws: Any) -> Any:
        """The windows that begin at (top, left) of the padded images."""
        top, left = draws
        outer = padded("RandomCrop", pixels, self._sides(pixels.shape), self.fill, self.padding_mode)
        return windows(outer, top, left, self.size)

    def _sides(self, shape: tuple[int, ...]) -> Sides:
        left, top, right, bottom = self.padding or (0, 0, 0, 0)
        if self.pad_if_needed:
            lacks = max(self.size[0] - (top + shape[2] + bottom), 0)
            top, bottom = top + lacks, bottom + lacks
            lacks = max(self.size[1] - (left + shape[3] + right), 0)
            left, right = left + lacks, right + lacks
        return left, top, right, bottom
