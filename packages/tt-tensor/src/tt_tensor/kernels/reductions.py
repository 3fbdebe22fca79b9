"""Reduction kernels: the elements along some axes become one, by a ufunc of two arguments."""

from __future__ import annotations

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


def loops(
    ufunc: np.ufunc, x: Any, axes: tuple[int, ...] | None, keepdims: bool = False, dtype: Any = None
) -> Any:
    """out[kept] = f(… f(f(x₀, x₁), x₂) …) over the reduced positions in row-major order."""
    if hasattr(x, "requires_grad"):
        return numpy(ufunc, x, axes, keepdims, dtype)
    x = np.asarray(x)
    axes = tuple(range(x.ndim)) if axes is None else axes
    reduced = [x.shape[axis] for axis in axes]
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
            if total is None:
                raise ShapeError(
                    f"{ufunc.__name__}: no elements in shape {x.shape}, so there is none to choose"
                )
            out[start] = total
    return out if keepdims else out.reshape([size for axis, size in enumerate(x.shape) if axis not in axes])


def numpy(
    ufunc: np.ufunc, x: Any, axes: tuple[int, ...] | None, keepdims: bool = False, dtype: Any = None
) -> Any:
    """The same, by NumPy's own loops in C; float sums along contiguous memory are pairwise."""
    if hasattr(x, "requires_grad"):
        return _NAMES[ufunc](x, axis=axes, keepdims=keepdims, **({} if dtype is None else {"dtype": dtype}))
    return ufunc.reduce(x, axis=axes, dtype=dtype, keepdims=keepdims)


table.register("reductions", "loops", loops)
table.register("reductions", "numpy", numpy, default=True)


def reduce(
    ufunc: np.ufunc, x: Any, axes: tuple[int, ...] | None, keepdims: bool = False, dtype: Any = None
) -> Any:
    """The reduction on the kernel in use. `axes` count from the front; None: all of them."""
    if table.plain and x.__class__ is np.ndarray:
        return ufunc.reduce(x, axis=axes, dtype=dtype, keepdims=keepdims)
    return table.kernel("reductions")(ufunc, x, axes, keepdims, dtype)
