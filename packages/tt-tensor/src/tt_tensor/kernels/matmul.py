"""Kernels of the matrix product: three nested loops, then BLAS."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor.errors import DTypeError, ShapeError
from tt_tensor.kernels import table

__all__ = ["loops", "numpy", "product"]


def loops(x: Any, y: Any) -> Any:
    """out[…, i, j] = Σ_k x[…, i, k] · y[…, k, j]; leading axes broadcast, a vector is a row or a column."""
    if hasattr(x, "requires_grad") or hasattr(y, "requires_grad"):
        return np.matmul(x, y)  # a Tensor answers this itself, and comes back here as an array
    x, y = np.asarray(x), np.asarray(y)
    check_shapes(x.shape, y.shape)
    a = x[None, :] if x.ndim == 1 else x  # (…, n, k)
    b = y[:, None] if y.ndim == 1 else y  # (…, k, m)
    rows, inner, columns = a.shape[-2], a.shape[-1], b.shape[-1]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = np.broadcast_to(a, (*batch, rows, inner))
    b = np.broadcast_to(b, (*batch, inner, columns))
    out = np.empty((*batch, rows, columns), np.result_type(x, y))
    for at in np.ndindex(batch):
        left, right = a[at].tolist(), b[at].tolist()  # Python numbers: floats of 64 bits, exact integers
        for i in range(rows):
            for j in range(columns):
                total = 0
                for k in range(inner):
                    total += left[i][k] * right[k][j]
                out[(*at, i, j)] = total if out.dtype.kind in "bf" else _wrapped(total, out.dtype)
    if x.ndim == 1:
        out = out[..., 0, :]
    return out[..., 0] if y.ndim == 1 else out


def _wrapped(total: int, dtype: np.dtype[Any]) -> Any:
    """An integer in so many bits: too large a one wraps around, as in an array."""
    return np.array(total % 2**64, np.uint64).astype(dtype)


def numpy(x: Any, y: Any) -> Any:
    """The same by BLAS, through NumPy."""
    if x.__class__ is np.ndarray and y.__class__ is np.ndarray and y.ndim == 2:
        if x.ndim == 2:
            return x.dot(y)
        if x.ndim > 2 and x.flags.c_contiguous and x.size:
            # One product of all rows instead of one product for each matrix in the batch.
            return x.reshape(-1, x.shape[-1]).dot(y).reshape(*x.shape[:-1], y.shape[-1])
    return np.matmul(x, y)


table.register("matmul", "loops", loops)
table.register("matmul", "numpy", numpy, default=True)


def product(x: Any, y: Any) -> Any:
    """x @ y on the kernel in use; Tensors pass through to NumPy's function, which they answer.

    Raises ShapeError where the shapes do not fit, DTypeError for None.
    """
    try:
        # The 2-D case is written out: for small matrices, looking up the kernel costs as much as BLAS.
        if table.plain and x.__class__ is np.ndarray and y.__class__ is np.ndarray and x.ndim == y.ndim == 2:
            return x.dot(y)
        return table.kernel("matmul")(x, y)
    except ValueError:
        if x is None or y is None:
            raise DTypeError("matmul: None is no array of numbers") from None
        check_shapes(np.shape(x), np.shape(y))
        raise


def check_shapes(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    """Raise ShapeError if arrays of these shapes have no matrix product."""
    if not x or not y:
        raise ShapeError(
            f"matmul: shapes {x} and {y}: a single number has no matrix product; multiply with * instead"
        )
    inner = y[0] if len(y) == 1 else y[-2]
    if x[-1] != inner:
        raise ShapeError(
            f"matmul: shapes {x} and {y} do not fit: the last axis of the first ({x[-1]}) must be as long as the "
            f"{'only' if len(y) == 1 else 'second-to-last'} axis of the second ({inner}); transpose one of them?"
        )
    try:
        np.broadcast_shapes(x[:-2], y[:-2])
    except ValueError:
        raise ShapeError(
            f"matmul: shapes {x} and {y} do not fit: the leading axes {x[:-2]} and {y[:-2]} do not broadcast"
        ) from None
