"""x times a gate: how the compiled GELU and SiLU are called. Nothing but x is kept for the rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.blocks import room
from tt_perf.compiled.arrays import FLOAT32, in_order, memory_order, pass_over, put_back
from tt_perf.compiled.table import fallback

__all__ = ["BACKWARD", "FAR", "FORWARD", "backward", "forward"]

FORWARD = "void(float32[::1], float32[::1], int64, int64)"
"""kernel(x, y, start, stop)"""

BACKWARD = "void(float32[::1], float32[::1], float32[::1], int64, int64)"
"""kernel(x, grad, dx, start, stop)"""

FAR = np.float32(20)
"""Beyond, gates are open or shut, but for numbers too small to matter; a finite number there keeps 0 · inf from NaN."""


def forward(operation: str, kernel: Any, x: Any) -> Any:
    """(y, None), by `kernel` or, for another dtype, by the kernel "numpy" of `operation`; y lies as x does."""
    if x.dtype is not FLOAT32:
        return fallback(operation)(x)
    order = memory_order(x)
    x = in_order(x, order)
    y = room(x.shape, np.float32)
    pass_over(kernel, x, y)
    return put_back(y, order), None


def backward(operation: str, kernel: Any, x: Any, kept: Any, grad: Any) -> Any:
    """dx, likewise."""
    if x.dtype is not FLOAT32 or grad.dtype is not FLOAT32 or x.shape != grad.shape:
        return fallback(operation)(x, kept, grad)
    order = memory_order(x)
    x, grad = in_order(x, order), in_order(grad, order)
    dx = room(x.shape, np.float32)
    pass_over(kernel, x, grad, dx)
    return put_back(dx, order)
