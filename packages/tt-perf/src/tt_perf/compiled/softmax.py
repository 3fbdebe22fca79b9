"""Softmax along the last axis, and its rule: each row is read from memory once.

As NumPy's kernels to 1e-6 of the largest result of a row. Along another axis, NumPy's go on.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_perf.compiled.jit import jit
from tt_perf.compiled.mathematics import exp32
from tt_perf.compiled.rows import BACKWARD, FORWARD, by_rows, shift32

__all__ = ["softmax", "softmax_backward"]

_0, _1 = np.float32(0), np.float32(1)


@jit(FORWARD)
def _softmax(x: Any, y: Any, start: int, stop: int) -> None:
    for n in range(start, stop):
        row, out = x[n], y[n]
        top = shift32(row)
        total = _0
        for c in range(row.size):
            value = exp32(row[c] - top)
            out[c] = value
            total += value
        inverse = _0 if total == _0 else _1 / total
        for c in range(row.size):
            out[c] *= inverse


@jit(BACKWARD)
def _softmax_backward(grad: Any, y: Any, dx: Any, start: int, stop: int) -> None:
    """dx = y (grad - Σ grad y)"""
    for n in range(start, stop):
        g, p, out = grad[n], y[n], dx[n]
        total = _0
        for c in range(g.size):
            total += g[c] * p[c]
        for c in range(g.size):
            out[c] = p[c] * (g[c] - total)


def softmax(x: Any, axis: int) -> Any:
    """exp(x) / Σ exp(x) along `axis`, of x's shape; the operation of tt_tensor.kernels.softmax."""
    return by_rows("softmax", _softmax, axis, x)


def softmax_backward(grad: Any, y: Any, axis: int) -> Any:
    """y (grad - Σ grad y)."""
    return by_rows("softmax_backward", _softmax_backward, axis, grad, y)
