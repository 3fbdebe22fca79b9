"""Kernels of the softmax, stable for any logits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_tensor.kernels import table

__all__ = ["loops", "numpy"]


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
        top = np.maximum.reduce(wide, axis, None, None, True)
        masked = top == -math.inf
        any_masked = masked.any()
        if any_masked:
            top = np.where(masked, 0.0, top)
        out = wide - top
        np.exp(out, out=out)
        total = np.add.reduce(out, axis, None, None, True)
        if any_masked:
            total = np.where(masked, 1.0, total)
        out /= total
    return out if wide is x else out.astype(x.dtype)


table.register("softmax", "loops", loops)
table.register("softmax", "numpy", numpy, default=True)
