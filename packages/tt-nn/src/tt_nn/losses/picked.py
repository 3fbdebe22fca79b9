"""-log pₜ of rows of logits, p = softmax(x), t the target: the operations "cross_entropy" and its backward.

    cross_entropy(x, at) → (losses, e, inverse)
    cross_entropy_backward(e, inverse, at, scale) → dx = scale (p - onehot(t)), p = e · inverse

x, e and dx have shape (N, C), or (N, C, B), contiguous; at, losses and inverse have shape (N,), or (N, B), as has
scale, or (). `at` says where each row's target is in x.reshape(-1). p is kept as exp(x - m) and the inverse of its
sums, for m of the kernel's choice. A row of nothing but -inf has loss inf, e = 0 and inverse = 0; one with NaN or +inf
in it NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tt_nn.losses.rows import column, exponentials
from tt_tensor.kernels import table

__all__ = ["BLOCK", "in_blocks", "loops", "loops_backward", "numpy", "numpy_backward"]

BLOCK = 1 << 17
"""Logits of one block: some passes go over them while they are in the cache."""


def loops(x: Any, at: Any) -> tuple[Any, Any, Any]:
    """One row after the other."""
    e = np.empty(x.shape, x.dtype)
    losses, inverse = np.empty(at.shape, x.dtype), np.empty(at.shape, x.dtype)
    rows, results = np.moveaxis(x, 1, -1), np.moveaxis(e, 1, -1)  # (N, C) or (N, B, C), views
    picked = x.reshape(-1)[at]
    for row in np.ndindex(at.shape):
        logits = rows[row].tolist()
        top = max(logits)
        if any(math.isnan(value) or value == math.inf for value in logits):
            results[row] = inverse[row] = losses[row] = math.nan
        elif top == -math.inf:
            results[row] = inverse[row] = 0
            losses[row] = math.inf
        else:
            exponentials = [math.exp(value - top) for value in logits]
            total = sum(exponentials)
            results[row], inverse[row] = exponentials, 1 / total
            losses[row] = math.log(total) - (float(picked[row]) - top)
    return losses, e, inverse


def loops_backward(e: Any, inverse: Any, at: Any, scale: Any) -> Any:
    """One row after the other."""
    dx = np.empty(e.shape, e.dtype)
    scale = np.broadcast_to(scale, at.shape)
    rows, results = np.moveaxis(e, 1, -1), np.moveaxis(dx, 1, -1)
    for row in np.ndindex(at.shape):
        for c, value in enumerate(rows[row].tolist()):
            results[(*row, c)] = value * float(inverse[row]) * float(scale[row])
        dx.reshape(-1)[at[row]] -= scale[row]
    return dx


def numpy(x: Any, at: Any) -> tuple[Any, Any, Any]:
    """All rows at once, or as many as the cache holds."""
    return in_blocks(x, at)


def in_blocks(x: Any, at: Any, see: Callable[[slice, Any, Any], None] | None = None) -> tuple[Any, Any, Any]:
    """`numpy`; of each block of rows, see(rows, inverse, m) is told what its x was shifted by (None: by nothing)."""
    n = len(x)
    step = max(1, BLOCK * n // (x.size or 1))
    if n <= step:
        losses, e, inverse, top = _block(x, at, None)
        if see is not None:
            see(slice(None), inverse, top)
        return losses, e, inverse
    losses, inverse = np.empty(at.shape, x.dtype), np.empty(at.shape, x.dtype)
    e = np.empty(x.shape, x.dtype)
    size = x.size // n
    for start in range(0, n, step):
        here = slice(start, start + step)
        losses[here], _, inverse[here], top = _block(x[here], at[here] - start * size, e[here])
        if see is not None:
            see(here, inverse[here], top)
    return losses, e, inverse


def numpy_backward(e: Any, inverse: Any, at: Any, scale: Any) -> Any:
    """All rows at once."""
    dx = e * column(inverse * scale)
    dx.reshape(-1)[at] -= scale
    return dx


def _block(x: Any, at: Any, out: Any) -> tuple[Any, Any, Any, Any]:
    """The losses, exp(x - m) into `out`, the inverse of its sums (0 for a row of -inf), and m (None stands for 0)."""
    e, total, top = exponentials(x, out)
    if top is None:
        # 1 / pₜ, which is 1 at least, as a sum is not below what it sums: no loss is below 0.
        losses = e.reshape(-1)[at]
        np.divide(total, losses, losses)
        np.log(losses, losses)
        return losses, e, np.reciprocal(total), top
    masked = total == 0
    lost = masked.any()
    if lost:
        total[masked] = 1
    with np.errstate(invalid="ignore"):  # inf - inf: a logit of +inf gives NaN
        losses = np.log(total) - (x.reshape(-1)[at] - top.reshape(at.shape))
    inverse = 1 / total
    if lost:
        inverse[masked] = 0
    return losses, e, inverse, top


table.register("cross_entropy", "loops", loops)
table.register("cross_entropy", "numpy", numpy, default=True)
table.register("cross_entropy_backward", "loops", loops_backward)
table.register("cross_entropy_backward", "numpy", numpy_backward, default=True)
