"""Softmax and log-softmax along the last axis, and their rules: each row is read from memory once.

As NumPy's kernels to 1e-6 of the largest result of a row; of logarithms, to 2e-6 of what is not small. Along another
axis, NumPy's go on.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_nn.blocks import room
from tt_perf.compiled.arrays import WORTH, suit
from tt_perf.compiled.jit import jit
from tt_perf.compiled.mathematics import exp32, log32
from tt_perf.compiled.rows import largest32, less32, shift32
from tt_perf.compiled.table import fallback

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]

FORWARD = "void(float32[:, ::1], float32[:, ::1], int64, int64)"
BACKWARD = "void(float32[:, ::1], float32[:, ::1], float32[:, ::1], int64, int64)"

_0, _1 = np.float32(0), np.float32(1)
_INF = np.float32(np.inf)


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


def softmax(x: Any, axis: int) -> Any:
    """exp(x) / Σ exp(x) along `axis`, of x's shape; the operation of tt_tensor.kernels.softmax."""
    return _rows("softmax", _softmax, axis, x)


def softmax_backward(grad: Any, y: Any, axis: int) -> Any:
    """y (grad - Σ grad y)."""
    return _rows("softmax_backward", _softmax_backward, axis, grad, y)


def log_softmax(x: Any, axis: int) -> Any:
    """x - log Σ exp(x)."""
    return _rows("log_softmax", _log_softmax, axis, x)


def log_softmax_backward(grad: Any, y: Any, axis: int) -> Any:
    """grad - exp(y) Σ grad."""
    return _rows("log_softmax_backward", _log_softmax_backward, axis, grad, y)


def _rows(operation: str, kernel: Any, axis: int, *inputs: Any) -> Any:
    """The kernel over the rows of the inputs, or the kernel "numpy" where they do not suit."""
    x = inputs[0]
    if axis != x.ndim - 1 or not x.size or not suit(*inputs):
        return fallback(operation)(*inputs, axis)
    out = room(x.shape, np.float32)
    width = x.shape[-1]
    arrays = [one.reshape(-1, width) for one in (*inputs, out)]
    n, least = x.size // width, -(-WORTH // width)
    if n < 2 * least:
        kernel(*arrays, 0, n)
    else:
        shards.run(lambda start, stop, part: kernel(*arrays, start, stop), n, least)
    return out
