"""The same values in another dtype, or in memory of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.dtypes import check_dtype
from tt_tensor.function import Function

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["Cast", "CastMethods", "Clone", "astype", "clone", "contiguous"]


def tensor_of(x: Any) -> Tensor:
    """`x` as it is if it is a Tensor, else a Tensor of it (sharing the memory of an array)."""
    if hasattr(x, "requires_grad"):
        return x
    from tt_tensor.tensor import as_tensor

    return as_tensor(x)


class Cast(Function):
    """y = x in another dtype: dx = grad, which `gradients` casts back. Nothing flows through integers."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = check_dtype(dtype, "astype")

    def forward(self, x: Any) -> Any:
        return x.astype(self.dtype)

    def backward(self, grad: Any) -> Any:
        return grad if self.dtype.kind == "f" else None


class Clone(Function):
    """y = x, in row-major memory of its own: dx = grad."""

    def forward(self, x: Any) -> Any:
        return x.copy()

    def backward(self, grad: Any) -> Any:
        return grad


def astype(x: Any, dtype: Any) -> Tensor:
    """x in another dtype, always a copy, as in NumPy. Floats to integers are cut towards zero.

    From one floating dtype to another the gradient comes back in the dtype of x; through integers and bool
    there is none.

    Raises DTypeError for a dtype that a Tensor does not hold.
    """
    return Cast(dtype)(x)


def to(x: Any, dtype: Any) -> Tensor:
    """x in `dtype` (or in the dtype of another Tensor), as in PyTorch: x itself if it has that dtype already.

    Raises DTypeError for what is no dtype, device names among them: every Tensor is in main memory.
    """
    x = tensor_of(x)
    wanted = dtype.dtype if hasattr(dtype, "requires_grad") else check_dtype(dtype, "to")
    return x if x.dtype == wanted else Cast(wanted)(x)


def clone(x: Any) -> Tensor:
    """A copy of x in row-major memory of its own. The gradient goes through; `detach()` cuts it instead."""
    return Clone()(x)


def contiguous(x: Any) -> Tensor:
    """x itself if its elements already lie in row-major order without gaps, else a copy in which they do."""
    x = tensor_of(x)
    return x if x.array.flags.c_contiguous else Clone()(x)


class CastMethods:
    """Casts and copies as methods of a Tensor; the short ones are PyTorch's, and return self if nothing changes."""

    astype = astype
    to = to
    clone = clone
    copy = clone
    contiguous = contiguous

    def type_as(self, other: Tensor) -> Tensor:
        """To the dtype of `other`."""
        return to(self, other)

    def half(self) -> Tensor:
        """To float16 (storage; NumPy computes it one value at a time)."""
        return to(self, np.float16)

    def double(self) -> Tensor:
        """To float64."""
        return to(self, np.float64)

    def long(self) -> Tensor:
        """To int64; no gradient flows through it."""
        return to(self, np.int64)

    def float(self) -> Tensor:
        """To float32."""
        return to(self, np.float32)

    def int(self) -> Tensor:
        """To int32; no gradient flows through it."""
        return to(self, np.int32)

    def bool(self) -> Tensor:
        """To bool: True where x is not 0."""
        return to(self, np.bool_)
