"""Order along an axis: sort, argsort, topk, unique.

Equal elements keep their order. NaN counts as larger than every number (NumPy): last in ascending order, first
in descending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from tt_tensor.errors import ArgumentError, AxisError
from tt_tensor.function import Function
from tt_tensor.ops.casting import tensor_of
from tt_tensor.ops.gathering import TakeAlongAxis
from tt_tensor.ops.over_axes import one_axis
from tt_tensor.ops.plain import raw

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["Sort", "SortingMethods", "TopK", "TopKResult", "argsort", "sort", "topk", "unique"]


def _order(x: Any, axis: int, descending: bool, stable: bool) -> Any:
    """The positions along `axis` in sorted order; equal elements keep theirs if `stable`."""
    kind: Literal["stable"] | None = "stable" if stable else None
    if not descending:
        return np.argsort(x, axis, kind=kind)
    # Backwards from the back: so the first of equal elements stays first.
    return x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis, kind=kind), axis)


class Sort(Function):
    """y = x[order]: dx[order] = grad."""

    def __init__(self, axis: int = -1, descending: bool = False, stable: bool = True) -> None:
        self.axis, self.descending, self.stable = axis, descending, stable

    def forward(self, x: Any) -> Any:
        if x.ndim == 0:
            raise AxisError("sort: a tensor of shape () has no axis to sort along; reshape it to (1,)")
        self.along = one_axis(self.axis, x.ndim, "sort")
        self.order = _order(raw(x), self.along, self.descending, self.stable)
        return np.take_along_axis(x, self.order, self.along)

    def backward(self, grad: Any) -> Any:
        back = np.empty_like(self.order)
        shape = [-1 if axis == self.along else 1 for axis in range(back.ndim)]
        np.put_along_axis(back, self.order, np.arange(back.shape[self.along]).reshape(shape), self.along)
        return np.take_along_axis(grad, back, self.along)


class TopK(TakeAlongAxis):
    """y = the k largest (or smallest) of x along `axis`: dx = zeros, with grad where they were taken.

    After the application `indices` holds their positions.
    """

    def __init__(self, k: int, axis: int = -1, largest: bool = True, sorted: bool = True) -> None:
        self.k, self.axis, self.largest, self.sorted = k, axis, largest, sorted

    def forward(self, x: Any) -> Any:
        if x.ndim == 0:
            raise AxisError("topk: a tensor of shape () has no axis to choose along; reshape it to (1,)")
        axis = one_axis(self.axis, x.ndim, "topk")
        if not isinstance(self.k, int | np.integer) or not 0 <= self.k <= x.shape[axis]:
            raise ArgumentError(
                f"topk: k is an integer from 0 to {x.shape[axis]}, the size of axis {axis} of shape {x.shape}, "
                f"not {self.k!r}"
            )
        self.indices = _first_k(raw(x), int(self.k), axis, self.largest, self.sorted)
        return super().forward(x)


def _first_k(x: Any, k: int, axis: int, largest: bool, in_order: bool) -> Any:
    """The positions of the k largest or smallest along `axis`; of equal elements those that come first."""
    n = x.shape[axis]
    if k == 0 or 4 * k > n or n < 64 or x.size == 0:
        order = _order(x, axis, largest, True)
        return order[(*[slice(None)] * axis, slice(k))]
    # A partition finds the k-th in linear time; then those at least as good, if that makes k of them.
    rows = np.moveaxis(x, axis, -1)
    kth = n - k if largest else k - 1
    edge = np.partition(rows, kth, axis=-1)[..., kth : kth + 1]
    chosen = (rows >= edge) if largest else (rows <= edge)
    if (np.count_nonzero(chosen, axis=-1) != k).any():  # equal ones at the edge, or NaN
        chosen = _chosen(rows, edge, k, largest)
    found = np.nonzero(chosen)[-1].reshape(*rows.shape[:-1], k)
    if in_order:
        found = np.take_along_axis(found, _order(np.take_along_axis(rows, found, -1), -1, largest, True), -1)
    return np.moveaxis(found, -1, axis)


def _chosen(rows: Any, edge: Any, k: int, largest: bool) -> Any:
    """True for what is beyond the k-th, `edge`, and for as many of its equals, from the front, as are missing."""
    beyond, equal = (rows > edge) if largest else (rows < edge), rows == edge
    if rows.dtype.kind == "f":
        nan, edge_nan = np.isnan(rows), np.isnan(edge)
        beyond |= (nan & ~edge_nan) if largest else (edge_nan & ~nan)
        equal |= nan & edge_nan
    missing = k - np.count_nonzero(beyond, axis=-1, keepdims=True)
    return beyond | (equal & (np.cumsum(equal, axis=-1) <= missing))


class TopKResult(NamedTuple):
    """What `topk` returns: the values and their positions along the axis."""

    values: Tensor
    indices: Tensor


def sort(x: Any, axis: int | None = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """x in order along `axis` (None: flattened): a copy, values only. `argsort` gives the positions.

    NumPy's words: PyTorch's sort returns values and positions. Equal elements keep their order if `stable`; NaN
    comes last, descending first. The gradient goes back to where each value came from.

    Raises AxisError for an axis out of range, or shape ().
    """
    x = tensor_of(x)
    return Sort(-1 if axis is None else axis, descending, stable)(x.reshape(-1) if axis is None else x)


def argsort(x: Any, axis: int | None = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The positions along `axis` (None: flattened) that put x in order, as int64: take_along_axis(x, it) sorts x.

    Equal elements keep their order if `stable`; NaN comes last, descending first. No gradient.

    Raises AxisError for an axis out of range, or shape ().
    """
    from tt_tensor.tensor import wrap

    array = tensor_of(x).array
    if axis is None:
        array, axis = array.reshape(-1), -1
    if array.ndim == 0:
        raise AxisError("argsort: a tensor of shape () has no axis to sort along; reshape it to (1,)")
    axis = one_axis(axis, array.ndim, "argsort")
    return wrap(_order(array, axis, descending, stable))


def topk(x: Any, k: int, axis: int = -1, largest: bool = True, sorted: bool = True) -> TopKResult:
    """The k largest (or smallest) along `axis` and their positions: a named tuple (values, indices), as in PyTorch.

    In order, the best first, if `sorted`. Of equal elements those that come first are taken; NaN counts as the
    largest. Values carry a gradient, indices are int64.

    Raises ArgumentError for a k that the axis has not, AxisError for an axis out of range.
    """
    from tt_tensor.tensor import wrap

    function = TopK(k, axis, largest, sorted)
    values = function(tensor_of(x))
    return TopKResult(values, wrap(function.indices))


def unique(
    x: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
) -> Any:
    """The distinct elements (or slices along `axis`), sorted; no gradient. NumPy's function.

    With a `return_…`, a tuple: also the position of each one's first occurrence, the positions in the result that
    make up x again, and how often each occurs.

    Raises AxisError for an axis out of range.
    """
    from tt_tensor.tensor import wrap

    array = tensor_of(x).array
    if axis is not None:
        axis = one_axis(axis, array.ndim, "unique")
    found = np.unique(array, return_index, return_inverse, return_counts, axis)
    return tuple([wrap(part) for part in found]) if isinstance(found, tuple) else wrap(found)


class SortingMethods:
    """Order along an axis, as methods of a Tensor."""

    sort = sort
    argsort = argsort
    topk = topk
    unique = unique
