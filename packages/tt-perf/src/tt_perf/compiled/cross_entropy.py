"""Cross entropy of rows of logits: two passes over a row that is in the cache, and one backward.

As NumPy's kernel to 1e-6 of a loss that is not small, and of the largest gradient. Rows (N, C) only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.blocks import room
from tt_perf.compiled.arrays import suit
from tt_perf.compiled.jit import jit
from tt_perf.compiled.mathematics import exp32, log32
from tt_perf.compiled.rows import less32, over_rows, shift32
from tt_perf.compiled.table import fallback

__all__ = ["cross_entropy", "cross_entropy_backward"]

_0, _1 = np.float32(0), np.float32(1)


@jit("void(float32[:, ::1], int64[::1], float32[::1], float32[:, ::1], float32[::1], int64, int64)")
def _forward(x: Any, at: Any, losses: Any, e: Any, inverse: Any, start: int, stop: int) -> None:
    classes = x.shape[1]
    for n in range(start, stop):
        row, out = x[n], e[n]
        top = shift32(row)
        total = _0
        for c in range(classes):
            value = exp32(row[c] - top)
            out[c] = value
            total += value
        shifted = less32(row[at[n] - n * classes], top)
        if total == _0:  # a row of -inf
            losses[n], inverse[n] = -shifted, _0
        else:
            losses[n], inverse[n] = less32(log32(total), shifted), _1 / total


@jit("void(float32[:, ::1], float32[::1], int64[::1], float32[::1], float32[:, ::1], int64, int64)")
def _backward(e: Any, inverse: Any, at: Any, scale: Any, dx: Any, start: int, stop: int) -> None:
    classes = e.shape[1]
    for n in range(start, stop):
        row, out = e[n], dx[n]
        factor = inverse[n] * scale[n]
        for c in range(classes):
            out[c] = row[c] * factor
        out[at[n] - n * classes] -= scale[n]


def cross_entropy(x: Any, at: Any) -> Any:
    """(losses (N,), e (N, C), inverse (N,)) of logits (N, C): the operation of tt_nn.losses.picked."""
    if x.ndim != 2 or not x.size or not suit(x) or not at.flags.carray:
        return fallback("cross_entropy")(x, at)
    n = len(x)
    losses, e, inverse = np.empty(n, np.float32), room(x.shape, np.float32), np.empty(n, np.float32)
    over_rows(_forward, x, at, losses, e, inverse)
    return losses, e, inverse


def cross_entropy_backward(e: Any, inverse: Any, at: Any, scale: Any) -> Any:
    """scale (p - onehot), (N, C)."""
    if e.ndim != 2 or not e.size or not suit(e) or not suit(inverse) or not at.flags.carray:
        return fallback("cross_entropy_backward")(e, inverse, at, scale)
    n = len(e)
    dx = room(e.shape, np.float32)
    if scale.dtype != np.float32:
        return fallback("cross_entropy_backward")(e, inverse, at, scale)
    if scale.shape != (n,) or not suit(scale):
        scale = np.array(np.broadcast_to(scale, n))
    over_rows(_backward, e, inverse, at, scale, dx)
    return dx
