"""Images on their way through a transform: one or a batch, an array or a Tensor, in either memory order.

A transform sees (N, C, H, W) always. `opened` makes that of what came in, `close` gives back what went in: a Tensor
for a Tensor, (C, H, W) for a single image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tt_tensor import Tensor, recorder
from tt_tensor.errors import DTypeError, GradientError, ShapeError
from tt_tensor.tensor import as_array, wrap

__all__ = ["Images", "computing_dtype", "in_order", "opened", "seen", "stored"]


@dataclass(frozen=True, slots=True)
class Images:
    """`pixels` (N, C, H, W), and the form in which they came."""

    pixels: Any
    single: bool
    tensor: bool

    def close(self, pixels: Any) -> Any:
        """`pixels` (N, C, H, W) in the form in which the images came."""
        result = pixels[0] if self.single else pixels
        return wrap(result) if self.tensor else result


def opened(images: Any, where: str) -> Images:
    """The images as (N, C, H, W), without a copy.

    Raises DTypeError for what is neither an array nor a Tensor, ShapeError for other than three or four axes,
    GradientError for a Tensor whose gradient would be lost.
    """
    tensor = isinstance(images, Tensor)
    if not tensor and not isinstance(images, np.ndarray):
        raise DTypeError(
            f"{where}: takes a Tensor or a NumPy array of images, not {type(images).__name__}; "
            "use ToTensor() first"
        )
    if tensor and images.requires_grad and recorder.recording():
        raise GradientError(
            f"{where}: no gradient flows through a transform of images, so this one would be lost; "
            "use images.detach() if that is meant"
        )
    pixels = as_array(images, where)
    if pixels.ndim not in (3, 4):
        raise ShapeError(f"{where}: images are (C, H, W) or a batch (N, C, H, W), not {pixels.shape}")
    single = pixels.ndim == 3
    return Images(pixels[None] if single else pixels, single, tensor)


def stored(pixels: Any) -> tuple[Any, bool]:
    """A contiguous array of the same pixels in the order in which they lie, and whether that has the channels last.

    (N, H, W, C) with True, else (N, C, H, W) with False. No copy, unless there are gaps.
    """
    if pixels.flags.c_contiguous:
        return pixels, False
    moved = pixels.transpose(0, 2, 3, 1)
    if moved.flags.c_contiguous:
        return moved, True
    last = abs(pixels.strides[1]) < abs(pixels.strides[3])
    return np.ascontiguousarray(moved if last else pixels), last


def seen(memory: Any, last: bool) -> Any:
    """What `stored` gave, or an array of the same order, as (N, C, H, W) again."""
    return memory.transpose(0, 3, 1, 2) if last else memory


def in_order(pixels: Any, last: bool, dtype: Any = None) -> Any:
    """(N, C, H, W) in any memory order, lying with the channels last or not, cast on the way."""
    if not last:
        return np.ascontiguousarray(pixels, dtype)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1), dtype).transpose(0, 3, 1, 2)


def computing_dtype(pixels: Any, where: str) -> Any:
    """In which dtype to compute: float64 for float64, else float32.

    Raises DTypeError for anything but uint8 and floats: of other integers nobody knows the range.
    """
    if pixels.dtype == np.uint8 or pixels.dtype.kind == "f":
        return np.dtype(np.float64) if pixels.dtype == np.float64 else np.dtype(np.float32)
    raise DTypeError(
        f"{where}: takes images of uint8 (0 to 255) or floats (0 to 1), not {pixels.dtype}; "
        "convert with astype('uint8') or ToDtype"
    )
