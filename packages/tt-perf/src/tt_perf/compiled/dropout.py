"""Dropout's product with its mask in one pass, forward and backward; the same bits as NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.blocks import room
from tt_perf.compiled.arrays import pass_over, suit
from tt_perf.compiled.jit import jit
from tt_perf.compiled.mathematics import piece
from tt_perf.compiled.table import fallback

__all__ = ["dropout"]

_0, _1 = np.float32(0), np.float32(1)


@piece
def _scaled(value: Any, kept: Any, scale: Any) -> Any:
    # In this order, as NumPy does it; 0 · inf is NaN there, too.
    return (value * (_1 if kept else _0)) * scale


@jit("void(float32[::1], boolean[::1], float32[::1], float64, int64, int64)")
def _dropout(x: Any, mask: Any, y: Any, scale: float, start: int, stop: int) -> None:
    x, mask, y = x[start:stop], mask[start:stop], y[start:stop]
    factor = np.float32(scale)
    for i in range(x.size):
        y[i] = _scaled(x[i], mask[i], factor)


def dropout(x: Any, mask: Any, scale: float) -> Any:
    """x · mask · scale, of x's shape: the operation of tt_nn.dropout."""
    if not suit(x) or not mask.flags.carray or mask.dtype != np.bool_:
        return fallback("dropout")(x, mask, scale)
    y = room(x.shape, np.float32)

    def kernel(x: Any, mask: Any, y: Any, start: int, stop: int) -> None:
        _dropout(x, mask, y, scale, start, stop)

    pass_over(kernel, x, mask, y)
    return y
