"""Reduction kernels: the elements along some axes become one, by a ufunc of two arguments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_tensor.errors import ShapeError
from tt_tensor.kernels import table

__all__ = ["loops", "numpy", "reduce"]

# What NumPy calls the reduction by each ufunc; a Tensor answers these with operations that have a rule.
_NAMES: dict[np.ufunc, Any] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.logical_or: np.any,
    np.logical_and: np.all,
}

# From this many elements on, it matters how a sum is rounded; so many are then summed in one run.
LARGE, RUN = 1 << 14, 1 << 8


def loops(
    ufunc: np.ufunc, x: Any, axes: tuple[int, ...] | None, keepdims: bool = False, dtype: Any = None
) -> Any:
    """out[kept] = f(… f(f(x₀, x₁), x₂) …) over the reduced positions in row-major order."""
    if hasattr(x, "requires_grad"):
        return numpy(ufunc, x, axes, keepdims, dtype)
    x = np.asarray(x)
    axes = tuple(range(x.ndim)) if axes is None else axes
    reduced = [x.shape[axis] for axis in axes]
    if ufunc.identity is None and 0 in reduced:
        raise ShapeError(f"{ufunc.__name__}: no elements in shape {x.shape}, so there is none to choose")
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    # The dtype in which NumPy accumulates: int64 for a sum of bool, the array's own for float32.
    out = np.empty(kept, np.asarray(ufunc.reduce(np.ones(1, x.dtype), dtype=dtype)).dtype)
    # Integers wrap around in an array; for single numbers NumPy would warn.
    with np.errstate(over="ignore" if out.dtype.kind in "iu" else None):
        for start in np.ndindex(kept):
            total = None if ufunc.identity is None else out.dtype.type(ufunc.identity)
            for step in np.ndindex(*reduced):
                at = list(start)
                for axis, index in zip(axes, step, strict=True):
                    at[axis] = index
                value = out.dtype.type(x[tuple(at)])
                total = value if total is None else ufunc(total, value)
            out[start] = total
    return out if keepdims else out.reshape([size for axis, size in enumerate(x.shape) if axis not in axes])


def numpy(
    ufunc: np.ufunc, x: Any, axes: tuple[int, ...] | None, keepdims: bool = False, dtype: Any = None
) -> Any:
    """The same, by NumPy's own loops in C.

    NumPy sums pairwise along the axis that is contiguous, but row after row along another: of 10⁶ float32 rows
    only four or five digits are left. Such sums are taken in runs of 256 here, which costs nothing.
    """
    if hasattr(x, "requires_grad"):
        return _NAMES[ufunc](x, axis=axes, keepdims=keepdims, **({} if dtype is None else {"dtype": dtype}))
    if ufunc is np.add and x.size >= LARGE and x.dtype == np.float32 and not in_one_run(x, axes):
        return sum_in_runs(x, axes, keepdims, dtype)
    return ufunc.reduce(x, axis=axes, dtype=dtype, keepdims=keepdims)


def in_one_run(x: Any, axes: tuple[int, ...] | None) -> bool:
    """Does each sum over `axes` walk memory in one run, which NumPy sums pairwise?"""
    if axes is None or len(axes) == x.ndim:
        return bool(x.flags.forc)
    # The innermost axis is that of the smallest step; one of size 1 or repeated memory has none.
    steps = [(abs(step), axis) for axis, step in enumerate(x.strides) if step and x.shape[axis] > 1]
    return len(axes) == 1 and bool(steps) and min(steps)[1] == axes[0]


def sum_in_runs(x: Any, axes: tuple[int, ...] | None, keepdims: bool, dtype: Any) -> Any:
    """Σ over `axes`, by sums of about RUN elements that are then summed."""
    axes = tuple(range(x.ndim)) if axes is None else axes
    if not axes:
        return np.add.reduce(x, axis=axes, dtype=dtype, keepdims=keepdims)
    longest = max(axes, key=lambda axis: x.shape[axis])
    length = x.shape[longest]
    step = max(1, length * RUN // math.prod([x.shape[axis] for axis in axes]))
    front = (slice(None),) * longest
    runs = [
        np.add.reduce(x[(*front, slice(start, start + step))], axis=axes, dtype=dtype, keepdims=keepdims)
        for start in range(0, length, step)
    ]
    if len(runs) <= RUN:
        return runs[0] if len(runs) == 1 else np.add.reduce(runs, axis=0)
    return sum_in_runs(np.asarray(runs), (0,), False, None)


table.register("reductions", "loops", loops)
table.register("reductions", "numpy", numpy, default=True)


def reduce(
    ufunc: np.ufunc, x: Any, axes: tuple[int, ...] | None, keepdims: bool = False, dtype: Any = None
) -> Any:
    """The reduction on the kernel in use. `axes` count from the front; None: all of them."""
    if table.plain and x.__class__ is np.ndarray and x.size < LARGE:
        return ufunc.reduce(x, axis=axes, dtype=dtype, keepdims=keepdims)
    return table.kernel("reductions")(ufunc, x, axes, keepdims, dtype)
