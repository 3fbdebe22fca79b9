"""The same elements under another shape: reshape, transpose, broadcast_to …, and their rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.function import Function

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["BroadcastTo", "Cast", "Reshape", "ShapeMethods", "astype", "broadcast_to", "reshape"]


class Reshape(Function):
    """The elements in row-major order under a new shape: a view where the memory allows it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.new = shape

    def forward(self, x: Any) -> Any:
        self.old = x.shape
        return x.reshape(self.new)

    def backward(self, grad: Any) -> Any:
        return grad.reshape(self.old)


class BroadcastTo(Function):
    """Repeat along new axes and axes of size 1, without copying; `gradients` sums over them."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Any) -> Any:
        return np.broadcast_to(x, self.shape)

    def backward(self, grad: Any) -> Any:
        return grad


class Cast(Function):
    """The values in another dtype; `gradients` casts back."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def forward(self, x: Any) -> Any:
        return x.astype(self.dtype)

    def backward(self, grad: Any) -> Any:
        return grad


def reshape(x: Any, *shape: Any) -> Tensor:
    """`x` in the shape given as ints or one tuple; one size may be -1."""
    return Reshape(shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape)(x)


def broadcast_to(x: Any, shape: tuple[int, ...]) -> Tensor:
    """`x` repeated to `shape` by the rules of broadcasting: a read-only view."""
    return BroadcastTo(shape)(x)


def astype(x: Any, dtype: Any) -> Tensor:
    """The values in another dtype (a copy)."""
    return Cast(dtype)(x)


class ShapeMethods:
    """The shape operations as methods of a Tensor."""

    reshape = reshape
    broadcast_to = broadcast_to
    astype = astype
