"""Scans: every element becomes what stands before it and itself, added up or multiplied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.arguments import whole_number
from tt_tensor.dtypes import check_dtype
from tt_tensor.errors import DTypeError
from tt_tensor.function import Function
from tt_tensor.ops.casting import tensor_of
from tt_tensor.ops.over_axes import axes_of, one_axis
from tt_tensor.ops.plain import raw

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["Cumprod", "Cumsum", "ScanMethods", "cumprod", "cumsum", "diff"]


class _Scan:
    """Part of a Function that runs along `axis`, or with None over all elements, flat."""

    name: str

    def __init__(self, axis: int | None = None, dtype: Any = None) -> None:
        if isinstance(axis, tuple | list):
            raise DTypeError(f"{self.name}: it runs along one axis or all (None), not {axis!r}")
        self.axis = axis
        self.dtype = dtype if dtype is None else check_dtype(dtype, self.name)

    def scanned(self, x: Any, by: Any) -> Any:
        """What np.cumsum or np.cumprod makes of x."""
        return by(x, self.along, **({} if self.dtype is None else {"dtype": self.dtype}))

    def look_at(self, x: Any) -> Any:
        """x as it is scanned: flat where there is no axis."""
        self.shape = x.shape
        if self.axis is None:
            x = x.reshape((-1,))
        self.along = 0 if self.axis is None else axes_of(self.axis, x.ndim, self.name)[0]
        return x


class Cumsum(_Scan, Function):
    """yᵢ = Σ_{j≤i} x_j along `axis`: dx_j = Σ_{i≥j} gradᵢ, a sum that runs from the end."""

    name = "cumsum"

    def forward(self, x: Any) -> Any:
        return self.scanned(self.look_at(x), np.cumsum)

    def backward(self, grad: Any) -> Any:
        return np.flip(np.cumsum(np.flip(grad, self.along), self.along), self.along).reshape(self.shape)


class Cumprod(_Scan, Function):
    """yᵢ = Π_{j≤i} x_j along `axis`: dxᵢ = Π_{j<i} x_j · sᵢ, where sᵢ = gradᵢ + xᵢ₊₁ sᵢ₊₁ runs from the end.

    Nothing is divided, so zeros are like other numbers. A step of Python for each element of the axis.
    """

    name = "cumprod"

    def forward(self, x: Any) -> Any:
        self.x = self.look_at(x)
        self.y = self.scanned(self.x, np.cumprod)
        return self.y

    def backward(self, grad: Any) -> Any:
        n = grad.shape[self.along]
        if n == 0:
            return grad.reshape(self.shape)
        x, y, grad = (np.moveaxis(one, self.along, 0) for one in (self.x, self.y, grad))
        sums = [grad[n - 1]]
        for i in reversed(range(n - 1)):
            sums.append(grad[i] + x[i + 1] * sums[-1])
        dx = np.concatenate((np.ones_like(raw(y[:1])), y[:-1])) * np.stack(sums[::-1])
        return np.moveaxis(dx, 0, self.along).reshape(self.shape)


def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """yᵢ = x₀ · … · xᵢ along `axis`, of the shape of `x`; with axis=None over all elements in row-major order.

    dtypes and errors as for `cumsum`.
    """
    return Cumprod(axis, dtype)(x)


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """yᵢ = x₀ + … + xᵢ along `axis`, of the shape of `x`; with axis=None over all elements in row-major order.

    Floats keep their dtype; bool and integers below 64 bits are summed in 64 bits, as in NumPy. `dtype` is
    the one to sum in.

    Raises AxisError for an axis out of range, DTypeError for an axis that is no integer.
    """
    return Cumsum(axis, dtype)(x)


def diff(x: Any, n: int = 1, axis: int = -1) -> Tensor:
    """xᵢ₊₁ - xᵢ along `axis`, n times over: each time one element less. What `cumsum` undoes.

    Of bools it says where they change, as in NumPy. Raises AxisError for an axis out of range, ArgumentError for a
    negative n.
    """
    x, times = tensor_of(x), whole_number("diff", "n", n)
    before = [slice(None)] * one_axis(axis, x.ndim, "diff")
    for _ in range(times):
        later, sooner = x[(*before, slice(1, None))], x[(*before, slice(None, -1))]
        x = later != sooner if x.dtype.kind == "b" else later - sooner
    return x


class ScanMethods:
    """Methods of a Tensor."""

    cumsum = cumsum
    cumprod = cumprod
    diff = diff
