# mypy: disable-error-code="no-any-return"
"""ReLU in one pass forward and one backward, to the bit as NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_nn.blocks import in_memory_order
from tt_perf.compiled.arrays import WORTH, whole
from tt_perf.compiled.jit import jit
from tt_perf.compiled.table import fallback

__all__ = ["relu", "relu_backward"]

FLOAT32 = np.dtype(np.float32)


@jit("void(float32[::1], float32[::1], int64, int64)")
def _relu(x: Any, y: Any, start: int, stop: int) -> None:
    """y = max(x, 0), NaN where x is NaN."""
    x, y = x[start:stop], y[start:stop]
    for i in range(x.size):
        v = x[i]
        y[i] = np.float32(0) if v <= 0 else v


@jit("void(float32[::1], float32[::1], float32[::1], int64, int64)")
def _relu_backward(y: Any, grad: Any, dx: Any, start: int, stop: int) -> None:
    """dx = grad where y > 0 or y is NaN, else 0."""
    y, grad, dx = y[start:stop], grad[start:stop], dx[start:stop]
    for i in range(y.size):
        g = grad[i]
        dx[i] = np.float32(0) if y[i] <= 0 else g


def relu(x: Any) -> Any:
    """max(x, 0), of x's shape, which lies in memory as x does."""
    if x.dtype is not FLOAT32 or not x.size:
        return fallback("relu")(x)
    y = np.empty_like(x)
    flat, out = in_memory_order(x, y)
    flat = whole(flat)
    shards.run(lambda start, stop, part: _relu(flat, out, start, stop), x.size, WORTH)
    return y


def relu_backward(y: Any, grad: Any) -> Any:
    """grad where y > 0 or y is NaN, else 0; y and grad have one shape."""
    if y.dtype is not FLOAT32 or grad.dtype is not FLOAT32 or not y.size:
        return fallback("relu_backward")(y, grad)
    dx = np.empty_like(y)
    signs, values, results = in_memory_order(y, grad, dx)
    signs, values = whole(signs), whole(values)
    shards.run(lambda start, stop, part: _relu_backward(signs, values, results, start, stop), y.size, WORTH)
    return dx
