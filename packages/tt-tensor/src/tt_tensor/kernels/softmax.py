"""Kernels of the softmax and its logarithm, stable for any logits, and of their rules.

    softmax(x, axis) → y              softmax_backward(grad, y, axis) → y (grad - Σ grad y)
    log_softmax(x, axis) → y          log_softmax_backward(grad, y, axis) → grad - exp(y) Σ grad

All arrays of one operation have one shape; axis counts from the front. A row of nothing but -inf has no distribution:
its softmax is 0, its logarithms are -inf, and no gradient goes through it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_tensor.kernels import table

__all__ = [
    "LOWEST",
    "log_loops",
    "log_loops_backward",
    "log_numpy",
    "log_numpy_backward",
    "loops",
    "loops_backward",
    "numpy",
    "numpy_backward",
]

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


def loops_backward(grad: Any, y: Any, axis: int) -> Any:
    """dxᵢ = yᵢ (gradᵢ - Σ_j grad_j y_j): one row after the other."""
    out = np.empty(y.shape, np.result_type(grad, y))
    g, p, results = (np.moveaxis(array, axis, -1) for array in (grad, y, out))
    for at in np.ndindex(p.shape[:-1]):
        row, weights = g[at].tolist(), p[at].tolist()
        mean = sum(value * weight for value, weight in zip(row, weights, strict=True))
        for i, (value, weight) in enumerate(zip(row, weights, strict=True)):
            results[(*at, i)] = weight * (value - mean)
    return out


def numpy_backward(grad: Any, y: Any, axis: int) -> Any:
    """The same for all rows at once."""
    if axis == y.ndim - 1:
        # In fewer passes: the sum of products without a temporary, and the rest in place.
        dx = grad - np.vecdot(grad, y)[..., None]
        dx *= y
        return dx
    weighted = grad * y
    weighted -= y * np.add.reduce(weighted, axis, None, None, True)
    return weighted


def log_loops(x: Any, axis: int) -> Any:
    """out[…, i, …] = (xᵢ - m) - log Σ_j exp(x_j - m), m = max_j x_j: one row after the other."""
    x = np.asarray(x)
    out = np.empty(x.shape, x.dtype)
    rows, results = np.moveaxis(x, axis, -1), np.moveaxis(out, axis, -1)
    for at in np.ndindex(rows.shape[:-1]):
        row = rows[at].tolist()
        if any(math.isnan(value) or value == math.inf for value in row):
            results[at] = math.nan
            continue
        largest = max(row, default=0.0)
        if largest == -math.inf:
            results[at] = -math.inf
            continue
        log_total = math.log(sum(math.exp(value - largest) for value in row)) if row else 0.0
        for i, value in enumerate(row):
            results[(*at, i)] = (value - largest) - log_total
    return out


def log_loops_backward(grad: Any, y: Any, axis: int) -> Any:
    """dxᵢ = gradᵢ - exp(yᵢ) Σ_j grad_j, and 0 in a row of nothing but -inf: one row after the other."""
    out = np.empty(y.shape, np.result_type(grad, y))
    g, log_p, results = (np.moveaxis(array, axis, -1) for array in (grad, y, out))
    for at in np.ndindex(log_p.shape[:-1]):
        row, logs = g[at].tolist(), log_p[at].tolist()
        if all(value == -math.inf for value in logs):
            results[at] = 0
            continue
        total = sum(row)
        for i, (value, log) in enumerate(zip(row, logs, strict=True)):
            results[(*at, i)] = value - math.exp(log) * total
    return out


def log_numpy(x: Any, axis: int) -> Any:
    """The same for all rows at once."""
    if not x.size:
        return x.copy()
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    with np.errstate(over="ignore", invalid="ignore"):
        # As for softmax: a row of -inf stays -inf, and its sum counts as 1.
        y = wide - np.maximum(np.maximum.reduce(wide, axis, None, None, True), LOWEST[wide.dtype.char])
        y -= np.log(np.maximum(np.add.reduce(np.exp(y), axis, None, None, True), 1.0))
    return y if wide is x else y.astype(x.dtype)


def log_numpy_backward(grad: Any, y: Any, axis: int) -> Any:
    """The same for all rows at once."""
    dx = np.exp(y)
    dx *= np.add.reduce(grad, axis, None, None, True)
    dx = grad - dx
    if y.size and np.isneginf(y.take(0, axis)).any():  # else no row is masked as a whole
        masked = np.isneginf(np.maximum.reduce(y, axis, None, None, True))
        return np.where(masked, np.zeros((), dx.dtype), dx)
    return dx


for _name, _loops, _numpy in (
    ("softmax", loops, numpy),
    ("softmax_backward", loops_backward, numpy_backward),
    ("log_softmax", log_loops, log_numpy),
    ("log_softmax_backward", log_loops_backward, log_numpy_backward),
):
    table.register(_name, "loops", _loops)
    table.register(_name, "numpy", _numpy, default=True)
