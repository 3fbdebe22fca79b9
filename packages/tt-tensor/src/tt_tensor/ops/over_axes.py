"""Over which axes: an axis as callers give it, and what all that runs over axes has in common."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError, AxisError, DTypeError

__all__ = ["Axes", "OverAxes", "axes_of", "check_keepdims", "one_axis", "wide"]

Axes = int | tuple[int, ...] | None

# The largest gradient of a reduction that is filled in; above, it is a view that repeats what it was given.
FILL = 1 << 16


def axes_of(axis: Any, ndim: int, what: str) -> tuple[int, ...]:
    """`axis` (an int, several, or None for all) as a tuple of axes counted from the front.

    Raises AxisError for an axis out of range or named twice, DTypeError for what is no integer.
    """
    if axis is None:
        return tuple(range(ndim))
    if axis.__class__ is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    wanted = axis if isinstance(axis, tuple | list) else (axis,)
    found = []
    for one in wanted:
        if not isinstance(one, int | np.integer) or isinstance(one, bool):
            raise DTypeError(f"{what}: an axis is an integer, not {one!r}")
        if not -ndim <= one < ndim:
            many = (
                f"{ndim} axes (from {-ndim} to {ndim - 1})" if ndim else "a single number, which has no axes"
            )
            raise AxisError(f"{what}: axis {one} is out of range for {many}")
        found.append(int(one) % ndim)
    if len(set(found)) != len(found):
        raise AxisError(f"{what}: axis {axis} names an axis twice")
    return tuple(found)


def one_axis(axis: Any, ndim: int, what: str) -> int:
    """`axis` counted from the front. Raises DTypeError for several, AxisError out of range."""
    if axis.__class__ is int and -ndim <= axis < ndim:
        return axis % ndim
    if isinstance(axis, tuple | list) or axis is None:
        raise DTypeError(f"{what}: it runs along one axis, an integer, not {axis!r}")
    return axes_of(axis, ndim, what)[0]


def check_keepdims(keepdims: Any, what: str) -> None:
    """Raise ArgumentError for what is neither True nor False."""
    if not isinstance(keepdims, bool):
        raise ArgumentError(f"{what}: keepdims is True or False, not {keepdims!r}")


def wide(x: Any) -> Any:
    """`x` in a dtype to compute in: float16 in float32, integers in float64."""
    if x.dtype.kind != "f":
        return x.astype(np.float64)
    return x.astype(np.float32) if x.dtype == np.float16 else x


class OverAxes:
    """What reductions share: which axes go, how many elements that is, and how a gradient comes back."""

    def __init__(self, axis: Axes = None, keepdims: bool = False) -> None:
        if keepdims is not False and keepdims is not True:  # written out: a call costs more
            check_keepdims(keepdims, self.name())
        self.axis, self.keepdims = axis, keepdims

    @classmethod
    def name(cls) -> str:
        return cls.__name__.lower()

    def look_at(self, x: Any) -> None:
        """Note the shape of `x` and the axes that go (None: all of them)."""
        self.shape = x.shape
        self.axes = None if self.axis is None else axes_of(self.axis, x.ndim, self.name())

    def count(self) -> int:
        """How many elements become one."""
        if self.axes is None:
            return math.prod(self.shape)
        return math.prod([self.shape[axis] for axis in self.axes])

    def kept(self) -> tuple[int, ...]:
        """The shape of the result with keepdims."""
        if self.axes is None:
            return (1,) * len(self.shape)
        return tuple([1 if axis in self.axes else size for axis, size in enumerate(self.shape)])

    def result_shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        if self.keepdims:
            return self.kept()
        if self.axes is None:
            return ()
        return tuple([size for axis, size in enumerate(self.shape) if axis not in self.axes])

    def aligned(self, value: Any) -> Any:
        """A value of the result's shape, so shaped that it broadcasts against the input."""
        return value.reshape(self.kept()) if value.ndim and not self.keepdims else value

    def spread(self, grad: Any) -> Any:
        """A gradient of the result's shape, repeated to the shape of the input."""
        grad = self.aligned(grad)
        if isinstance(grad, np.ndarray | np.generic) and math.prod(self.shape) <= FILL:
            out = np.empty(self.shape, grad.dtype)  # four times as fast as broadcast_to, while it is small
            out[...] = grad
            return out
        return np.broadcast_to(grad, self.shape)
