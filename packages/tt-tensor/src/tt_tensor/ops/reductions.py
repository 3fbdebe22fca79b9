"""Reductions: many elements become one, over any axes, and their rules.

Every function here takes `axis` (an int, several in a tuple, None for all, the empty tuple for none) and
`keepdims` (leave the reduced axes in the shape, with size 1).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.dtypes import check_dtype
from tt_tensor.errors import DTypeError, ShapeError
from tt_tensor.function import Function
from tt_tensor.kernels.reductions import reduce
from tt_tensor.ops.over_axes import Axes, OverAxes, axes_of, check_keepdims
from tt_tensor.ops.plain import raw

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = [
    "Max",
    "Mean",
    "Min",
    "Prod",
    "ReductionMethods",
    "Sum",
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "max",
    "mean",
    "min",
    "prod",
    "sum",
]


class Sum(OverAxes, Function):
    """y = Σ x over `axis`: each element of a sum gets the sum's gradient."""

    def __init__(self, axis: Axes = None, keepdims: bool = False, dtype: Any = None) -> None:
        super().__init__(axis, keepdims)
        self.dtype = dtype if dtype is None else check_dtype(dtype, "sum")

    def forward(self, x: Any) -> Any:
        self.look_at(x)
        return reduce(np.add, x, self.axes, self.keepdims, self.dtype)

    def backward(self, grad: Any) -> Any:
        return self.spread(grad)


class Mean(OverAxes, Function):
    """y = Σ x / n over `axis`, n elements each: each gets grad / n."""

    def __init__(self, axis: Axes = None, keepdims: bool = False, dtype: Any = None) -> None:
        super().__init__(axis, keepdims)
        self.dtype = dtype if dtype is None else check_dtype(dtype, "mean")
        if self.dtype is not None and self.dtype.kind != "f":
            raise DTypeError(f"mean: an average needs a floating dtype, not {self.dtype}")

    def forward(self, x: Any) -> Any:
        self.look_at(x)
        return average(x, self.axes, self.keepdims, self.dtype, self.count())

    def backward(self, grad: Any) -> Any:
        return self.spread(grad / (self.count() or 1))


def average(x: Any, axes: tuple[int, ...] | None, keepdims: bool, dtype: Any, count: int) -> Any:
    """Σ x / count in `dtype`; NaN if there is nothing to average."""
    result = None
    if dtype is None and x.dtype.kind != "f":
        dtype = np.float64
    elif x.dtype == np.float16 and (dtype is None or dtype == np.float16):
        dtype, result = np.float32, np.float16  # 65,504 is soon passed, and 2,048 + 1 is 2,048
    total = reduce(np.add, x, axes, keepdims, dtype)
    mean = total / count if count else total * math.nan
    return mean if result is None else mean.astype(result)


class Prod(OverAxes, Function):
    """y = Π x over `axis`: dxᵢ = grad · Π_{j≠i} x_j, without a division, so zeros are right too."""

    def __init__(self, axis: Axes = None, keepdims: bool = False, dtype: Any = None) -> None:
        super().__init__(axis, keepdims)
        self.dtype = dtype if dtype is None else check_dtype(dtype, "prod")

    def forward(self, x: Any) -> Any:
        self.look_at(x)
        self.x = x
        return reduce(np.multiply, x, self.axes, self.keepdims, self.dtype)

    def backward(self, grad: Any) -> Any:
        axes = axes_of(self.axis, len(self.shape), "prod")
        stay = [axis for axis in range(len(self.shape)) if axis not in axes]
        order = (*stay, *axes)
        # The reduced axes to the end, and as one: (…, n)
        moved = np.transpose(self.x, order)
        others = products_of_others(moved.reshape((*moved.shape[: len(stay)], self.count())))
        others = np.transpose(others.reshape(moved.shape), tuple(np.argsort(order).tolist()))
        return others * self.aligned(grad)


def products_of_others(x: Any) -> Any:
    """Π_{j≠i} x_j along the last axis, for every i: n multiplications on the way up a tree, 2n down again."""
    size = x.shape[-1]
    if size < 2:
        return np.ones(x.shape, x.dtype)
    if size % 2:
        last = x[..., -1:]
        rest = x[..., :-1]
        inner = products_of_others(rest)
        return np.concatenate([inner * last, inner[..., :1] * rest[..., :1]], axis=-1)
    left, right = x[..., 0::2], x[..., 1::2]
    outside = products_of_others(left * right)  # of all pairs but one's own
    return np.stack([outside * right, outside * left], axis=-1).reshape(x.shape)


class Max(OverAxes, Function):
    """y = max x over `axis`: the gradient goes to the winner.

    Ties as in PyTorch: one int axis names one winner, the first; over None or several axes they share evenly.
    """

    ufunc: np.ufunc = np.maximum

    def forward(self, x: Any) -> Any:
        self.look_at(x)
        self.x = x
        y = reduce(self.ufunc, x, self.axes, self.keepdims)
        self.shares = isinstance(self.axis, tuple | list) or self.axes is None
        self.y = y if self.shares else None  # not needed, so it may be written after
        return y

    def backward(self, grad: Any) -> Any:
        x = raw(self.x)
        if self.shares:
            y = self.aligned(np.asarray(raw(self.y)))
            won = (x == y) | (np.isnan(x) & np.isnan(y))
            share = np.add.reduce(won, self.axes, x.dtype, None, True)
            return np.where(won, self.aligned(grad) / share, 0.0)
        (axis,) = self.axes or ()
        winner = (np.argmax if self.ufunc is np.maximum else np.argmin)(x, axis, keepdims=True)
        along = np.arange(x.shape[axis]).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        return np.where(along == winner, self.aligned(grad), 0.0)


class Min(Max):
    """y = min x over `axis`: the gradient goes to the winner, ties as for Max."""

    ufunc = np.minimum


def sum(x: Any, axis: Axes = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
    """Σ x over `axis` (all axes by default).

    Floats keep their dtype; bool and integers below 64 bits are summed in 64 bits, as in NumPy. `dtype` is
    the one to sum in. The sum of nothing is 0.

    Raises AxisError for an axis out of range or named twice, DTypeError for an axis that is no integer.
    """
    return Sum(axis, keepdims, dtype)(x)


def mean(x: Any, axis: Axes = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
    """Σ x / n over `axis` (all axes by default), n elements becoming one.

    Floats keep their dtype (float16 is summed in float32), bool and integers give float64, as in NumPy. The
    mean of nothing is NaN.

    Raises AxisError for an axis out of range or named twice, DTypeError for an axis that is no integer.
    """
    return Mean(axis, keepdims, dtype)(x)


def prod(x: Any, axis: Axes = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
    """Π x over `axis` (all axes by default); dtypes as for `sum`. The product of nothing is 1.

    Its gradient is right with any number of zeros among the factors.

    Raises AxisError for an axis out of range or named twice, DTypeError for an axis that is no integer.
    """
    return Prod(axis, keepdims, dtype)(x)


def max(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The largest element over `axis` (all axes by default); NaN if one is NaN.

    The gradient at ties follows PyTorch: with one int axis, the first of the largest gets all of it (the one
    that `argmax` names; torch.max(x, dim)); with None or a tuple of axes, the largest share it evenly
    (torch.max(x), torch.amax). Gives the values only; `argmax` gives the indices.

    Raises ShapeError where there is no element to choose from, AxisError for an axis out of range or named
    twice, DTypeError for an axis that is no integer.
    """
    return Max(axis, keepdims)(x)


def min(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The smallest element over `axis` (all axes by default); NaN if one is NaN. Ties as for `max`.

    Raises ShapeError where there is no element to choose from, AxisError for an axis out of range or named
    twice, DTypeError for an axis that is no integer.
    """
    return Min(axis, keepdims)(x)


amax, amin = max, min


def any(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """True where at least one element over `axis` is not zero. False for no elements."""
    return _test(np.logical_or, "any", x, axis, keepdims)


def all(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """True where no element over `axis` is zero. True for no elements."""
    return _test(np.logical_and, "all", x, axis, keepdims)


def _test(ufunc: np.ufunc, what: str, x: Any, axis: Axes, keepdims: bool) -> Tensor:
    from tt_tensor.tensor import as_array, wrap

    check_keepdims(keepdims, what)
    array = as_array(x, what)
    return wrap(np.asarray(reduce(ufunc, array, axes_of(axis, array.ndim, what), keepdims)))


def count_nonzero(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """How many elements over `axis` are not zero; int64."""
    from tt_tensor.tensor import as_array, wrap

    check_keepdims(keepdims, "count_nonzero")
    array = as_array(x, "count_nonzero")
    axes = axes_of(axis, array.ndim, "count_nonzero")
    return wrap(np.asarray(reduce(np.add, array != 0, axes, keepdims)))


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the largest element along `axis`, the first of equal ones (or of NaN); int64, no gradient.

    With axis=None, the index into the elements in row-major order.

    Raises ShapeError where there is no element to choose from, AxisError for an axis out of range,
    DTypeError for an axis that is no integer.
    """
    return _argument(np.ndarray.argmax, "argmax", x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the smallest element along `axis`; otherwise as `argmax`."""
    return _argument(np.ndarray.argmin, "argmin", x, axis, keepdims)


def _argument(function: Any, what: str, x: Any, axis: int | None, keepdims: bool) -> Tensor:
    from tt_tensor.tensor import as_array, wrap

    check_keepdims(keepdims, what)
    array = as_array(x, what)
    if axis is not None:
        if isinstance(axis, tuple | list):
            raise DTypeError(f"{what}: an index is taken along one axis or all (None), not {axis!r}")
        (axis,) = axes_of(axis, array.ndim, what)
    if (array.size if axis is None else array.shape[axis]) == 0:
        raise ShapeError(
            f"{what}: no elements along axis {axis} of shape {array.shape}, so there is none to choose"
        )
    return wrap(np.asarray(function(array, axis, keepdims=keepdims)))


class ReductionMethods:
    """The reductions as methods of a Tensor."""

    sum = sum
    mean = mean
    prod = prod
    max = amax = max
    min = amin = min
    any = any
    all = all
    argmax = argmax
    argmin = argmin
    count_nonzero = count_nonzero
