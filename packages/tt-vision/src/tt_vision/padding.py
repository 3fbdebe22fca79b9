"""Padding: more pixels around an image; zeros or another number, mirrored, repeated, or from the other side."""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import Any

import numpy as np

from tt_nn import Module
from tt_tensor import Tensor, as_tensor
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.axis_map import AxisMap, copies
from tt_vision.resampling import ResampleFunction
from tt_vision.window import Pair

__all__ = [
    "PADDING_MODES",
    "CircularPad1d",
    "CircularPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "PadImagesFunction",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ZeroPad1d",
    "ZeroPad2d",
    "pad_images",
]

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
"""What a convolution may have around its input, by PyTorch's names."""

Sides = tuple[Pair, Pair]
"""(top, bottom), (left, right)."""


class PadImagesFunction(ResampleFunction):
    """y = x with pixels around it; each of those sends its gradient back to the one that it is a copy of.

    `padding` is ((top, bottom), (left, right)); negative numbers cut pixels away. With mode "zeros" the pixels around
    are `value`, and no gradient comes from there.
    """

    what = "pad"
    kinds = "fiub"

    def __init__(self, padding: Sides, mode: str = "zeros", value: float = 0.0, dims: int = 2) -> None:
        self.padding, self.mode, self.value, self.dims = padding, mode, value, dims

    def maps(self, image: Pair) -> tuple[AxisMap, AxisMap]:
        (top, bottom), (left, right) = self.padding
        return (
            _around(self.mode, image[0], top, bottom, "height"),
            _around(self.mode, image[1], left, right, "width"),
        )

    def forward(self, x: Any) -> Any:
        y = super().forward(x)
        if self.mode == "zeros" and self.value:
            self._outside(self.rows, y, -2)
            self._outside(self.columns, y, -1)
        return y

    def _outside(self, axis_map: AxisMap, y: Any, axis: int) -> None:
        """Write `value` where along `axis` of y there is no pixel."""
        if self.dims == 1 and axis == -2:
            return
        for places in axis_map.pieces[1]:
            y[(..., places) if axis == -1 else (..., places, slice(None))] = self.value


@lru_cache(maxsize=256)
def _around(mode: str, length: int, before: int, after: int, name: str) -> AxisMap:
    """Which pixel stands at each place along an axis.

    Raises ShapeError where there are too few pixels to mirror or to go round.
    """
    first, last = max(-before, 0), length - max(-after, 0)
    left = last - first  # pixels that are not cut away
    most = {"reflect": length - 1, "circular": left}.get(mode, length + before + after)
    if left < 0 or (mode != "zeros" and left == 0) or max(before, after) > max(most, 0):
        few = {
            "reflect": "must be less than the image's size",
            "circular": "can be no more than the image's size",
        }
        raise ShapeError(
            f"pad: {before} pixels before and {after} after do not fit an image of {name} {length} with mode {mode!r}: "
            + few.get(mode, "nothing of it would be left")
        )
    at = np.arange(-before, length + after)
    if mode == "zeros":
        at = np.where((at < 0) | (at >= length), -1, at)
    elif mode == "replicate":
        at = np.clip(at, 0, length - 1)
    elif mode == "reflect":
        at = length - 1 - abs(length - 1 - abs(at))
    else:
        at = first + (at - first) % left
    return copies(tuple(at.tolist()), length)


def pad_images(x: Any, padding: Sides, mode: str = "zeros", value: float = 0.0, dims: int = 2) -> Tensor:
    """x with pixels around it: `padding` is ((top, bottom), (left, right)); negative numbers cut.

    x is (N, C, H, W) or (C, H, W); with `dims` 1, (N, C, L) or (C, L), and the first pair is (0, 0). `mode` is one of

    - "zeros": the number `value`;
    - "reflect": mirrored at the outermost pixel, which is not repeated; less than the image's size;
    - "replicate": the outermost pixel again;
    - "circular": from the other side; the image's size at most.

    Raises ArgumentError for an unknown mode or what is no padding, ShapeError where the image has too few pixels.
    """
    if mode not in PADDING_MODES:
        raise ArgumentError(f"pad_images: mode {mode!r} is not one of {', '.join(PADDING_MODES)}")
    try:
        (top, bottom), (left, right) = [[operator.index(side) for side in sides] for sides in padding]
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"pad_images: padding is ((top, bottom), (left, right)) in whole numbers, not {padding!r}"
        ) from error
    return PadImagesFunction(((top, bottom), (left, right)), mode, value, dims)(as_tensor(x))


class _Pad2d(Module):
    """Pixels around an image."""

    mode: str
    value: float = 0.0
    dims: int = 2

    def __init__(self, padding: Any) -> None:
        sides = list(padding) if isinstance(padding, tuple | list) else [padding] * 2 * self.dims
        if len(sides) != 2 * self.dims or not all(
            isinstance(side, int | np.integer) and not isinstance(side, bool) for side in sides
        ):
            many = "four for left, right, top, bottom" if self.dims == 2 else "two for left, right"
            raise ArgumentError(
                f"{type(self).__name__}: padding is a whole number, or {many}, not {padding!r}"
            )
        self.padding = tuple(map(int, sides))

    def forward(self, x: Any) -> Tensor:
        left, right, top, bottom = self.padding if self.dims == 2 else (*self.padding, 0, 0)
        sides = ((top, bottom), (left, right))
        return self.compute(PadImagesFunction(sides, self.mode, self.value, self.dims), x)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(_Pad2d):
    """Zeros around x (N, C, H, W) or (C, H, W).

    Args:
        padding: how many pixels; one number, or (left, right, top, bottom) as in PyTorch. Negative ones cut.

    Raises ArgumentError for what is no padding, ShapeError where nothing of the image would be left.
    """

    mode = "zeros"


class ConstantPad2d(_Pad2d):
    """`value` around x; else as ZeroPad2d."""

    mode = "zeros"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ReflectionPad2d(_Pad2d):
    """The image mirrored at its outermost pixels around x, which are not repeated: 3 2 | 1 2 3 | 2 1.

    Else as ZeroPad2d. Raises ShapeError unless each padding is less than the image's size.
    """

    mode = "reflect"


class ReplicationPad2d(_Pad2d):
    """The outermost pixels again around x: 1 1 | 1 2 3 | 3 3. Else as ZeroPad2d."""

    mode = "replicate"


class CircularPad2d(_Pad2d):
    """The pixels of the other side around x: 2 3 | 1 2 3 | 1 2.

    Else as ZeroPad2d. Raises ShapeError for a padding of more than the image's size.
    """

    mode = "circular"


class ZeroPad1d(ZeroPad2d):
    """ZeroPad2d for one axis: x is (N, C, L) or (C, L), padding one number, or (left, right)."""

    dims = 1


class ConstantPad1d(ConstantPad2d):
    """ConstantPad2d for one axis, as ZeroPad1d."""

    dims = 1


class ReflectionPad1d(ReflectionPad2d):
    """ReflectionPad2d for one axis, as ZeroPad1d."""

    dims = 1


class ReplicationPad1d(ReplicationPad2d):
    """ReplicationPad2d for one axis, as ZeroPad1d."""

    dims = 1


class CircularPad1d(CircularPad2d):
    """CircularPad2d for one axis, as ZeroPad1d."""

    dims = 1
