"""Kernels of the softmax, stable for any logits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_tensor.kernels import table

__all__ = ["LOWEST", "loops", "numpy"]

LOWEST = {np.dtype(dtype).char: float(np.finfo(dtype).min) for dtype in (np.float32, np.float64)}
"""The lowest finite number of the dtypes to compute in."""


def loops(x: Any, axis: int) -> Any:
    """out[…, i, …] = exp(xᵢ - m) / Σ_j exp(x_j - m), m = max_j x_j: one row after the other.

    A row of nothing but -inf gives zeros; one with NaN or +inf in it gives NaN.
    """
    x = np.asarray(x)
    out = np.empty(x.shape, x.dtype)
    rows, results = np.moveaxis(x, axis, -1), np.moveaxis(out, axis, -1)  # views
    for at in np.ndindex(rows.shape[:-1]):
        row = rows[at].tolist()
        if any(math.isnan(value) or value == math.inf for value in row):
            results[at] = math.nan
            continue
        largest = max(row, default=0.0)
        exponentials = [0.0 if value == -math.inf else math.exp(value - largest) for value in row]
        total = sum(exponentials)
        for i, value in enumerate(exponentials):
            results[(*at, i)] = value / total if total else 0.0
    return out


def numpy(x: Any, axis: int) -> Any:
    """The same for all rows at once."""
    if not x.size:
        return x.copy()
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    with np.errstate(over="ignore", invalid="ignore"):
        # A row of -inf: its largest is taken for a finite number, so that -inf - m stays -inf and exp gives 0.
        top = np.maximum(np.maximum.reduce(wide, axis, None, None, True), LOWEST[wide.dtype.char])
        out = wide - top
        np.exp(out, out=out)
        # A sum with exp(0) in it is 1 at least; only that of a row of -inf is 0.
        out /= np.maximum(row_sums(out, axis), 1.0)
    return out if wide is x else out.astype(x.dtype)


def row_sums(x: Any, axis: int) -> Any:
    """Σ along `axis`, which stays with size 1; by BLAS along the last one, where NumPy takes three times as long.

    Not for long rows: BLAS adds them up in a few dozen running sums, NumPy in pairs.
    """
    if axis != x.ndim - 1 or x.shape[axis] > 1 << 14:
        return np.add.reduce(x, axis, None, None, True)
    return np.vecdot(x, np.ones(x.shape[axis], x.dtype))[..., None]


table.register("softmax", "loops", loops)
table.register("softmax", "numpy", numpy, default=True)
