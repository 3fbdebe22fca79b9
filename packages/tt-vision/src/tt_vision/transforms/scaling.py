"""ToTensor, ToDtype and Normalize: from bytes to floats around zero."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from tt_tensor import Tensor
from tt_tensor.dtypes import check_dtype
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.tensor import as_array, wrap
from tt_vision.transforms.drawing import ImageTransform
from tt_vision.transforms.images import opened, seen, stored

__all__ = ["Normalize", "ToDtype", "ToTensor", "normalize", "to_dtype", "to_tensor"]

BLOCK = 1 << 17
"""Elements that go through all passes before the next ones: half a megabyte of float32 stays in the cache."""
TABLE = 1 << 14
"""Up to so many elements of an image, constants are laid out for each: one long loop over the whole image."""


def to_tensor(image: Any) -> Tensor:
    """uint8 → x / 255 in float32; other dtypes stay as they are.

    As in torchvision, a NumPy array (or a PIL image) of two or three axes is an image as files have it: (H, W) or
    (H, W, C), and becomes (C, H, W). A batch (N, C, H, W) and a Tensor (C, H, W) are only scaled.

    Raises ShapeError for a NumPy array whose last axis cannot be channels (more than 4, or none).
    """
    if isinstance(image, Tensor):
        given = opened(image, "ToTensor")
        return given.close(_scaled(given.pixels, np.dtype(np.float32), 1 / 255))
    pixels = as_array(image, "ToTensor")
    if pixels.ndim in (2, 3):
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        if not 1 <= pixels.shape[2] <= 4:
            raise ShapeError(
                f"ToTensor: an array of one image is (H, W, C) with 1 to 4 channels, not {pixels.shape}; "
                "for (C, H, W) use ToDtype('float32', scale=True)"
            )
        return wrap(_scaled(pixels[None].transpose(0, 3, 1, 2), np.dtype(np.float32), 1 / 255)[0])
    return wrap(_scaled(opened(pixels, "ToTensor").pixels, np.dtype(np.float32), 1 / 255))


def to_dtype(images: Any, dtype: Any = np.float32, scale: bool = False) -> Any:
    """Cast to `dtype`. With `scale`, 0 … 255 of uint8 becomes 0 … 1 of a float, and back: x / 255, ⌊255.999 x⌋.

    Raises DTypeError where `scale` is asked for between other dtypes than uint8 and floats.
    """
    given, wanted = opened(images, "to_dtype"), check_dtype(dtype, "to_dtype")
    pixels = given.pixels
    if pixels.dtype == wanted:
        return images
    if not scale or (pixels.dtype.kind == "f" and wanted.kind == "f"):
        return given.close(pixels.astype(wanted))
    if pixels.dtype == np.uint8 and wanted.kind == "f":
        return given.close(_scaled(pixels, wanted, 1 / 255))
    if pixels.dtype.kind == "f" and wanted == np.uint8:
        bytes_ = np.clip(pixels * pixels.dtype.type(256 - 1e-3), 0, 255)
        return given.close(bytes_.astype(np.uint8))
    raise DTypeError(
        f"to_dtype: scales between uint8 and floats, not from {pixels.dtype} to {wanted}; use astype()"
    )


def _scaled(pixels: Any, dtype: Any, factor: float) -> Any:
    """uint8 times `factor` in `dtype`; other dtypes as they are."""
    if pixels.dtype != np.uint8:
        return pixels
    memory, last = stored(pixels)
    out = np.empty(memory.shape, dtype)
    for part in _blocks(memory):
        np.copyto(out[part], memory[part])
        out[part] *= out.dtype.type(factor)
    return seen(out, last)


def normalize(images: Any, mean: Any, std: Any) -> Any:
    """(x - mean) / std for each channel; of uint8, x / 255 comes first, in the same pass.

    Args:
        images: (C, H, W) or (N, C, H, W); floats keep their dtype, uint8 becomes float32.
        mean, std: one number for each channel (or one for all), in units of 0 … 1 images.

    Raises DTypeError for other integers, ShapeError for another count than the channels', ArgumentError for a std
    that is 0 or not finite. torchvision refuses uint8 here; this is the one that a fast pipeline wants.
    """
    return _normalized(images, _constants("mean", mean), _constants("std", std))


def _normalized(images: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
    given = opened(images, "Normalize")
    pixels = given.pixels
    channels = pixels.shape[1]
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, channels):
            raise ShapeError(f"Normalize: {name} has {len(values)} values, the images {channels} channels")
    memory, last = stored(pixels)
    shape = memory.shape[1:]
    if pixels.dtype.kind == "f":
        out = np.empty_like(memory)
        shift, scale = _table(mean, shape, last, out.dtype), _table(std, shape, last, out.dtype)
        for x, y in _pairs(memory, out, shift):
            np.subtract(x, shift, y)
            np.divide(y, scale, y)
    elif pixels.dtype == np.uint8:
        out = np.empty(memory.shape, np.float32)
        shift = _table(tuple(255 * m for m in mean), shape, last, out.dtype)
        scale = _table(tuple(1 / (255 * s) for s in std), shape, last, out.dtype)
        for x, y in _pairs(memory, out, shift):
            # A cast by itself, then two passes in place: half the time of ufuncs that cast on the way.
            np.copyto(y, x)
            np.subtract(y, shift, y)
            np.multiply(y, scale, y)
    else:
        raise DTypeError(
            f"Normalize: takes floats, or uint8 from 0 to 255, not {pixels.dtype}; use astype() first"
        )
    return given.close(seen(out, last))


def _blocks(memory: Any) -> list[slice]:
    """The batch in blocks of about BLOCK elements."""
    length = max(1, BLOCK // max(1, memory[:1].size))
    return [slice(start, start + length) for start in range(0, len(memory), length)]


def _pairs(memory: Any, out: Any, table: Any) -> Any:
    """Blocks of both, in the shape that goes with the table."""
    n = len(memory)
    rows = (n, *table.shape) if table.size == memory[:1].size else memory.shape
    x, y = memory.reshape(rows), out.reshape(rows)
    return [(x[part], y[part]) for part in _blocks(memory)]


@lru_cache(maxsize=64)
def _table(values: tuple[float, ...], shape: tuple[int, ...], last: bool, dtype: Any) -> Any:
    """The constants of the channels, laid out to go with images of `shape` in memory; shared, so not to be written."""
    channels = shape[-1] if last else shape[0]
    row = np.asarray(values * (channels if len(values) == 1 else 1), dtype)
    size = shape[0] * shape[1] * shape[2]
    if size <= TABLE:
        table = np.ascontiguousarray(np.broadcast_to(row if last else row[:, None, None], shape)).reshape(
            size
        )
    else:
        table = np.ascontiguousarray(np.broadcast_to(row, shape[1:])) if last else row[:, None, None]
    table.flags.writeable = False
    return table


def _constants(name: str, values: Any) -> tuple[float, ...]:
    found = as_array(values, "Normalize", np.float64).reshape(-1)
    if not found.size or not np.all(np.isfinite(found)) or (name == "std" and not np.all(found)):
        raise ArgumentError(
            f"Normalize: {name} has a finite number{' other than 0' * (name == 'std')} for each channel, not {values!r}"
        )
    return tuple(found.tolist())


class ToTensor(ImageTransform):
    """Images as a Tensor: uint8 becomes x / 255 in float32, other dtypes stay.

    In: (H, W) or (H, W, C) as a NumPy array or a PIL image, which becomes (C, H, W); or (N, C, H, W), or a Tensor,
    whose axes stay where they are. Raises as `functional.to_tensor`.
    """

    def __call__(self, images: Any) -> Tensor:
        return to_tensor(images)


class ToDtype(ImageTransform):
    """Images cast to `dtype`; with `scale` also from 0 … 255 to 0 … 1, or back. Raises as `functional.to_dtype`."""

    def __init__(self, dtype: Any = np.float32, scale: bool = False) -> None:
        self.dtype, self.scale = check_dtype(dtype, "ToDtype"), bool(scale)

    def __call__(self, images: Any) -> Any:
        return to_dtype(images, self.dtype, self.scale)


class Normalize(ImageTransform):
    """(x - mean) / std for each channel; of uint8, x / 255 comes first, in the same pass, as float32.

    So `Normalize(mean, std)` right after crops and flips of bytes gives what ToTensor and Normalize give, in one
    pass instead of four. The memory order of the images (channels last or first) stays.

    Args:
        mean, std: for each channel, or one for all, in units of 0 … 1 images.
        inplace: taken so that PyTorch's code needs no change; the input keeps its own memory, always.

    Raises ArgumentError for a std that is 0; when called, as `functional.normalize`.
    """

    def __init__(self, mean: Any, std: Any, inplace: bool = False) -> None:
        self.mean, self.std = _constants("mean", mean), _constants("std", std)
        self.inplace = bool(inplace)

    def __call__(self, images: Any) -> Any:
        return _normalized(images, self.mean, self.std)
