"""Scans: every element becomes what stands before it, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.dtypes import check_dtype
from tt_tensor.errors import DTypeError
from tt_tensor.function import Function
from tt_tensor.ops.over_axes import axes_of

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["Cumsum", "ScanMethods", "cumsum"]


class Cumsum(Function):
    """yᵢ = Σ_{j≤i} x_j along `axis`: dx_j = Σ_{i≥j} gradᵢ, a sum that runs from the end."""

    def __init__(self, axis: int | None = None, dtype: Any = None) -> None:
        if isinstance(axis, tuple | list):
            raise DTypeError(f"cumsum: it runs along one axis or all (None), not {axis!r}")
        self.axis = axis
        self.dtype = dtype if dtype is None else check_dtype(dtype, "cumsum")

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        if self.axis is None:
            x = x.reshape((-1,))
        self.along = 0 if self.axis is None else axes_of(self.axis, x.ndim, "cumsum")[0]
        return np.cumsum(x, self.along, **({} if self.dtype is None else {"dtype": self.dtype}))

    def backward(self, grad: Any) -> Any:
        return np.flip(np.cumsum(np.flip(grad, self.along), self.along), self.along).reshape(self.shape)


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """yᵢ = x₀ + … + xᵢ along `axis`, of the shape of `x`; with axis=None over all elements in row-major order.

    Floats keep their dtype; bool and integers below 64 bits are summed in 64 bits, as in NumPy. `dtype` is
    the one to sum in.

    Raises AxisError for an axis out of range, DTypeError for an axis that is no integer.
    """
    return Cumsum(axis, dtype)(x)


class ScanMethods:
    """Methods of a Tensor."""

    cumsum = cumsum
