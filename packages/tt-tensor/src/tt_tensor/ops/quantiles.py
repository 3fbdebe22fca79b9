"""The values below which a given share of the elements lies: quantile, median. Made of a sort, and so with its rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.ops.casting import tensor_of
from tt_tensor.ops.over_axes import Axes, axes_of, check_keepdims
from tt_tensor.ops.sorting import sort

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["QuantileMethods", "median", "quantile"]


def quantile(x: Any, q: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The value at the place q (n - 1) of the n sorted elements over `axis` (all axes by default).

    Between two places it lies on the line between their values; q = ½ is the median. With several q, the result has
    an axis for them in front. The gradient goes to the one or two elements it is made of. NaN where one is NaN.
    Floats keep their dtype, bool and integers give float64.

    Raises ArgumentError unless 0 ≤ q ≤ 1, ShapeError for no elements, AxisError for an axis out of range.
    """
    rows, kept = _rows(x, axis, keepdims, "quantile")
    share = np.asarray(q.array if hasattr(q, "requires_grad") else q)
    if share.dtype.kind not in "fiu" or share.ndim > 1:
        raise DTypeError(f"quantile: q is a number from 0 to 1, or several along one axis, not {q!r}")
    if not ((share >= 0) & (share <= 1)).all():
        raise ArgumentError(f"quantile: q is a share from 0 to 1, not {q!r}")
    place = np.atleast_1d(share.astype(np.float64)) * (rows.shape[-1] - 1)
    low, high = np.floor(place).astype(np.intp), np.ceil(place).astype(np.intp)
    weight = (place - low).astype(rows.dtype)
    below = rows[..., low]
    y = below
    if (low != high).any():
        # Where it falls on a place nothing is added: not even ∞ - ∞.
        between = rows[..., high] - below
        y = below + np.where(weight > 0, between, 0.0) * weight
    y = _nan_where_one_is(rows, y)
    y = y.moveaxis(-1, 0)
    return y.reshape((*(share.shape), *kept))  # type: ignore[no-any-return]


def median(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The middle of the sorted elements over `axis` (all axes by default); of an even number, the mean of two.

    NumPy's meaning: PyTorch takes the lower one of two, and gives its position, too. Gradient, NaN, dtypes and errors
    as for `quantile`.
    """
    rows, kept = _rows(x, axis, keepdims, "median")
    n = rows.shape[-1]
    y = rows[..., (n - 1) // 2 : (n - 1) // 2 + 1]
    if n % 2 == 0:
        y = y * 0.5 + rows[..., n // 2 : n // 2 + 1] * 0.5
    return _nan_where_one_is(rows, y).reshape(kept)  # type: ignore[no-any-return]


def _rows(x: Any, axis: Axes, keepdims: bool, what: str) -> tuple[Any, tuple[int, ...]]:
    """x with the axes that go as its last, sorted, and the shape of a result."""
    x = tensor_of(x)
    check_keepdims(keepdims, what)
    x = x if x.dtype.kind == "f" else x.astype(np.float64)
    gone = axes_of(axis, x.ndim, what)
    stay = [one for one in range(x.ndim) if one not in gone]
    if not all(x.shape[one] for one in gone):
        raise ShapeError(f"{what}: over axes of shape {x.shape} there is no element, and so no {what}")
    whole = tuple([x.shape[one] for one in stay])
    count = int(np.prod([x.shape[one] for one in gone], dtype=np.intp))
    rows = sort(x.transpose((*stay, *gone)).reshape((*whole, count)), -1)
    kept = tuple([1 if one in gone else size for one, size in enumerate(x.shape)]) if keepdims else whole
    return rows, kept


def _nan_where_one_is(rows: Any, y: Any) -> Any:
    """NaN in the place of y where the last of the sorted elements is one."""
    last = rows.array[..., -1:]
    wrong = np.isnan(last)
    return np.where(wrong, last, y) if wrong.any() else y


class QuantileMethods:
    """Methods of a Tensor."""

    quantile = quantile
    median = median
