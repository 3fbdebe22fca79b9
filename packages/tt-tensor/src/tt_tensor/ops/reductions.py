"""Reductions: many elements become one, over any axes, and their rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.errors import AxisError, DTypeError
from tt_tensor.function import Function

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["ReductionMethods", "Sum", "axes_of", "sum"]

Axes = int | tuple[int, ...] | None


def axes_of(axis: Any, ndim: int, what: str) -> tuple[int, ...]:
    """`axis` (an int, several, or None for all) as a tuple of axes counted from the front.

    Raises AxisError for an axis out of range or named twice, DTypeError for what is no integer.
    """
    if axis is None:
        return tuple(range(ndim))
    wanted = axis if isinstance(axis, tuple | list) else (axis,)
    found = []
    for one in wanted:
        if not isinstance(one, int | np.integer) or isinstance(one, bool):
            raise DTypeError(f"{what}: an axis is an integer, not {one!r}")
        if not -ndim <= one < ndim:
            raise AxisError(f"{what}: axis {one} is out of range for {ndim} axes (from {-ndim} to {ndim - 1})")
        found.append(int(one) % ndim)
    if len(set(found)) != len(found):
        raise AxisError(f"{what}: axis {axis} names an axis twice")
    return tuple(found)


class Sum(Function):
    """y = Σ x over `axis`: each element of a sum gets the sum's gradient."""

    def __init__(self, axis: Axes = None, keepdims: bool = False) -> None:
        self.axis, self.keepdims = axis, keepdims

    def forward(self, x: Any) -> Any:
        self.axes = axes_of(self.axis, x.ndim, "sum")
        self.shape = x.shape
        return np.sum(x, axis=self.axes, keepdims=self.keepdims)

    def backward(self, grad: Any) -> Any:
        kept = tuple(1 if axis in self.axes else size for axis, size in enumerate(self.shape))
        return np.broadcast_to(grad.reshape(kept), self.shape)


def sum(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """Σ x over `axis` (all axes by default); float16 to float64 stay, bool and small integers become int64."""
    return Sum(axis, keepdims)(x)


class ReductionMethods:
    """The reductions as methods of a Tensor."""

    sum = sum
