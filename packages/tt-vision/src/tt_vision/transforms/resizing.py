"""Resize: the same image on a coarser or finer grid.

Along each axis a resized image is a matrix times the image: row i holds how much each old pixel gives to new pixel i.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.transforms.arguments import chosen, whole
from tt_vision.transforms.drawing import ImageTransform
from tt_vision.transforms.images import computing_dtype, in_order, opened, seen, stored

__all__ = ["Resize", "resize"]

MODES = ("bilinear", "nearest", "nearest-exact")


def resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """The images with (h, w) rows and columns. Pixel i of the new grid lies at (i + ½) · old / new - ½ of the old one.

    Args:
        size: (h, w); or one integer for the shorter side, the longer one in proportion; or None, with `max_size`
            for the longer side.
        interpolation: "bilinear": between the two nearest pixels; "nearest": the pixel ⌊i · old / new⌋;
            "nearest-exact": the pixel ⌊(i + ½) · old / new⌋.
        max_size: with one integer: the longer side is at most this long.
        antialias: where bilinear shrinks, the mean (with a triangle as weight) over the old pixels that a new one
            covers, as PIL does it; without, pixels between are skipped.

    uint8 is rounded; images that have the size already come back as they are.

    Raises ArgumentError for other arguments, DTypeError for integers other than uint8, ShapeError for images without
    pixels, or so narrow that by `max_size` none would be left across.
    """
    given = opened(images, "resize")
    mode = chosen("resize", "interpolation", interpolation, MODES)
    pixels = given.pixels
    old = pixels.shape[2:]
    wanted = _wanted("resize", size, max_size)
    if not all(old):
        raise ShapeError(f"resize: images of {old[0]} × {old[1]} have no pixels to make others of")
    new = _new_size(old, wanted, max_size)
    if not all(new):
        raise ShapeError(
            f"resize: max_size={max_size} leaves images of {old[0]} × {old[1]} no pixel across; take a larger one"
        )
    if new == old:
        return images
    if mode == "bilinear":
        return given.close(_bilinear(pixels, new, bool(antialias)))
    shift = 0.5 if mode == "nearest-exact" else 0.0
    rows, columns = (_nearest(o, n, shift) for o, n in zip(old, new, strict=True))
    memory, last = stored(pixels)
    axis = 1 if last else 2
    return given.close(seen(memory.take(rows, axis).take(columns, axis + 1), last))


def _bilinear(pixels: Any, new: tuple[int, int], antialias: bool) -> Any:
    dtype = computing_dtype(pixels, "resize")
    old, last = pixels.shape[2:], stored(pixels)[1]
    plane = np.ascontiguousarray(pixels, dtype)
    if new[1] != old[1]:
        plane = plane @ weights(old[1], new[1], antialias).T.astype(dtype)  # (N, C, H, W) → (N, C, H, w)
    if new[0] != old[0]:
        plane = weights(old[0], new[0], antialias).astype(dtype) @ plane  # → (N, C, h, w)
    if pixels.dtype.kind == "u":
        np.clip(np.rint(plane, out=plane), 0, 255, out=plane)
    return in_order(plane, last, pixels.dtype)


@lru_cache(maxsize=32)
def weights(old: int, new: int, antialias: bool) -> Any:
    """The matrix (new, old): row i holds the shares of the old pixels in new pixel i, which add up to 1.

    A triangle of width 1 on both sides (of width old / new where an image shrinks and `antialias` is on), around
    (i + ½) · old / new - ½. At the border what lies outside is left out, or, without antialias, the border itself.
    """
    step = old / new
    centres = (np.arange(new) + 0.5) * step - 0.5
    if antialias:
        width = max(step, 1.0)
    else:
        centres, width = np.clip(centres, 0, old - 1), 1.0
    shares = np.maximum(0, 1 - np.abs(np.arange(old) - centres[:, None]) / width)
    shares /= shares.sum(axis=1, keepdims=True)
    shares.flags.writeable = False
    return shares


def _nearest(old: int, new: int, shift: float) -> Any:
    """⌊(i + shift) · old / new⌋, in integers, so that no rounding moves it."""
    return np.minimum((2 * np.arange(new) + int(2 * shift)) * old // (2 * new), old - 1)


def _wanted(where: str, size: Any, max_size: Any) -> tuple[int, ...] | None:
    """(h, w), or (shorter,), or None."""
    if size is None:
        if max_size is None:
            raise ArgumentError(f"{where}: size is None, so max_size must be an integer")
        whole(where, "max_size", max_size, 1)
        return None
    given = tuple(size) if isinstance(size, list | tuple) else (size,)
    if len(given) not in (1, 2):
        raise ArgumentError(
            f"{where}: size is one integer for the shorter side or (height, width), not {size!r}"
        )
    sides = tuple(whole(where, "size", side, 1) for side in given)
    if max_size is not None and (len(given) == 2 or whole(where, "max_size", max_size, 1) <= sides[0]):
        raise ArgumentError(
            f"{where}: max_size={max_size!r} goes with one integer for the shorter side that is smaller, not {size!r}"
        )
    return sides


def _new_size(old: tuple[int, int], wanted: tuple[int, ...] | None, max_size: int | None) -> tuple[int, int]:
    if wanted is not None and len(wanted) == 2:
        return wanted[0], wanted[1]
    short, long = sorted(old)
    new_short, new_long = (short, long) if wanted is None else (wanted[0], wanted[0] * long // short)
    if max_size is not None and (wanted is None or new_long > max_size):
        new_short, new_long = max_size * new_short // new_long, max_size
    return (new_short, new_long) if old[0] <= old[1] else (new_long, new_short)


class Resize(ImageTransform):
    """The images with (h, w) rows and columns. Arguments and errors as for `functional.resize`."""

    def __init__(
        self,
        size: Any,
        interpolation: str = "bilinear",
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        wanted = _wanted("Resize", size, max_size)
        self.size = wanted if wanted is None or len(wanted) == 2 else wanted[0]
        self.interpolation = chosen("Resize", "interpolation", interpolation, MODES)
        self.max_size, self.antialias = max_size, antialias

    def __call__(self, images: Any) -> Any:
        return resize(images, self.size, self.interpolation, self.max_size, self.antialias)
