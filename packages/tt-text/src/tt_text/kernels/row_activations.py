"""Activations of a row: each makes, of the memory of its input, a call that gives what becomes of it.

The call may write to its input, and what it gives is the same memory each time. Whoever calls ignores that exp
overflows, and takes NaN, which some give at -inf, for a sign that the row is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tt_nn.smooth import gelu_of_row, gelu_scratch, silu_of_row

__all__ = ["ROW_ACTIVATIONS"]


def _gelu(x: Any) -> Callable[[], Any]:
    """x Φ(x), Φ the distribution of the standard normal."""
    scratch = gelu_scratch(len(x))
    return lambda: gelu_of_row(x, scratch)


def _gelu_tanh(x: Any) -> Callable[[], Any]:
    """½ x (1 + tanh(z)) = x / (1 + exp(-2 z)), with z = √(2/π) (x + 0.044715 x³)."""
    u, one = np.empty_like(x), np.array(1, np.float32)
    line, cube = (np.array(-2 * math.sqrt(2 / math.pi) * c, np.float32) for c in (1, 0.044715))

    def activated() -> Any:
        np.multiply(x, x, u)
        np.multiply(u, cube, u)
        np.add(u, line, u)
        np.multiply(u, x, u)
        np.exp(u, u)
        np.add(u, one, u)
        return np.divide(x, u, u)

    return activated


def _silu(x: Any) -> Callable[[], Any]:
    """x / (1 + exp(-x))."""
    y = np.empty_like(x)
    return lambda: silu_of_row(x, y)


def _relu(x: Any) -> Callable[[], Any]:
    """max(x, 0)."""
    zero = np.array(0, np.float32)
    return lambda: np.maximum(x, zero, out=x)


ROW_ACTIVATIONS: dict[str, Callable[[Any], Callable[[], Any]]] = {
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "relu": _relu,
    "silu": _silu,
}
"""By the names of decode.ACTIVATIONS."""
