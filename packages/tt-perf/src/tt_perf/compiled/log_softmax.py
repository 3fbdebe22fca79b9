"""The logarithm of the softmax along the last axis, and its rule: each row is read from memory once.

As NumPy's kernels to 2e-6 of what is not small. Along another axis, NumPy's go on.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_perf.compiled.jit import jit
from tt_perf.compiled.mathematics import exp32, log32
from tt_perf.compiled.rows import BACKWARD, FORWARD, by_rows, largest32, less32, shift32

__all__ = ["log_softmax", "log_softmax_backward"]

_0, _INF = np.float32(0), np.float32(np.inf)


@jit(FORWARD)
def _log_softmax(x: Any, y: Any, start: int, stop: int) -> None:
    for n in range(start, stop):
        row, out = x[n], y[n]
        top = shift32(row)
        total = _0
        for c in range(row.size):
            total += exp32(row[c] - top)
        log_total = _0 if total == _0 else log32(total)
        for c in range(row.size):
            out[c] = less32(less32(row[c], top), log_total)


@jit(BACKWARD)
def _log_softmax_backward(grad: Any, y: Any, dx: Any, start: int, stop: int) -> None:
    """dx = grad - exp(y) Σ grad, and 0 in a row of nothing but -inf"""
    for n in range(start, stop):
        g, log_p, out = grad[n], y[n], dx[n]
        total = _0
        for c in range(g.size):
            total += g[c]
        if largest32(log_p) == -_INF:
            out[:] = _0
        else:
            for c in range(g.size):
                out[c] = g[c] - exp32(log_p[c]) * total


def log_softmax(x: Any, axis: int) -> Any:
    """x - log Σ exp(x)."""
    return by_rows("log_softmax", _log_softmax, axis, x)


def log_softmax_backward(grad: Any, y: Any, axis: int) -> Any:
    """grad - exp(y) Σ grad."""
    return by_rows("log_softmax_backward", _log_softmax_backward, axis, grad, y)
