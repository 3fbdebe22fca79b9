"""x times a gate: how the compiled GELU and SiLU are called. Nothing but x is kept for the rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.blocks import room
from tt_perf.compiled.arrays import pass_over, suit
from tt_perf.compiled.table import fallback

__all__ = ["BACKWARD", "FAR", "FORWARD", "backward", "forward"]

FORWARD = "void(float32[::1], float32[::1], int64, int64)"
"""kernel(x, y, start, stop)"""

BACKWARD = "void(float32[::1], float32[::1], float32[::1], int64, int64)"
"""kernel(x, grad, dx, start, stop)"""

FAR = np.float32(20)
"""Beyond, gates are open or shut, but for numbers too small to matter; a finite number there keeps 0 · inf from NaN."""


def forward(operation: str, kernel: Any, x: Any) -> Any:
    """(y, None), by `kernel` or by the kernel "numpy" of `operation`."""
    if not suit(x):
        return fallback(operation)(x)
    y = room(x.shape, np.float32)
    pass_over(kernel, x, y)
    return y, None


def backward(operation: str, kernel: Any, x: Any, kept: Any, grad: Any) -> Any:
    """dx, likewise."""
    if not suit(x, grad):
        return fallback(operation)(x, kept, grad)
    dx = room(x.shape, np.float32)
    pass_over(kernel, x, grad, dx)
    return dx
