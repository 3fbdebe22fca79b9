# mypy: disable-error-code="untyped-decorator"
"""Products with stored weights that become float32 in a register, as they are read: int16, float16, bfloat16.

int8 weights do so, too, where the processor has no instruction for bytes (bytes.py). All work on all cores (gang.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from tt_perf.compiled.bytes import WIDTH
from tt_perf.compiled.gang import share, state
from tt_perf.compiled.jit import jit

__all__ = ["by_floats", "by_halves"]

GRAIN = 1 << 17
"""Weights that a core takes at a time, about 10 µs of work."""

_intrinsic: Any = intrinsic
_NO_BIAS = np.zeros(0, np.float32)

_KINDS = ("int16",) if WIDTH else ("int8", "int16")


_FLOATS = (
    "float32[:, ::1], {w}[:, ::1], float32[:, ::1], {w}[:, ::1], float32[:, ::1], int64, float32[::1], "
    "float32[:, ::1]"
)


@jit(*(f"void(int64, int64, {_FLOATS.format(w=w)})" for w in _KINDS))
def _float_rows(
    start: Any,
    stop: Any,
    x: Any,
    weights: Any,
    scale: Any,
    zero: Any,
    x_sums: Any,
    size: Any,
    bias: Any,
    y: Any,
) -> None:
    """y[:, start:stop], for weights that are integers."""
    groups = scale.shape[1]
    for o in range(start, stop):
        row = weights[o]
        for r in range(x.shape[0]):
            of = x[r]
            total = bias[o] if len(bias) > 0 else np.float32(0)
            for group in range(groups):
                # Slices, as an index that starts at no constant could be negative for all that LLVM knows.
                some, against = row[group * size : (group + 1) * size], of[group * size : (group + 1) * size]
                part = np.float32(0)
                for j in range(len(some)):
                    part += against[j] * np.float32(some[j])
                if len(zero) > 0:
                    part -= np.float32(zero[o, group]) * x_sums[r, group]
                total += part * scale[o, group]
            y[r, o] = total


@jit(*(f"void(int64[::1], {_FLOATS.format(w=w)})" for w in _KINDS))
def _float_product(
    gang: Any, x: Any, weights: Any, scale: Any, zero: Any, x_sums: Any, size: Any, bias: Any, y: Any
) -> None:
    grain = max(1, GRAIN // max(weights.shape[1] * x.shape[0], 1))
    share(gang, _float_rows, weights.shape[0], grain, (x, weights, scale, zero, x_sums, size, bias, y))


@_intrinsic
def _from_float16(_: Any, bits: Any) -> Any:
    """float32 of float16's bits."""

    def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.fpext(builder.bitcast(given[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), make


@_intrinsic
def _from_bfloat16(_: Any, bits: Any) -> Any:
    """float32 of bfloat16's bits: its upper half."""

    def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        wide = builder.shl(builder.zext(given[0], ir.IntType(32)), ir.Constant(ir.IntType(32), 16))
        return builder.bitcast(wide, ir.FloatType())

    return types.float32(types.uint16), make


_HALVES = "float32[:, ::1], uint16[:, ::1], boolean, float32[::1], float32[:, ::1]"


@jit(f"void(int64, int64, {_HALVES})")
def _half_rows(start: Any, stop: Any, x: Any, weights: Any, brain: Any, bias: Any, y: Any) -> None:
    """y[:, start:stop], for float16 weights, or bfloat16 (`brain`)."""
    for o in range(start, stop):
        row = weights[o]
        for r in range(x.shape[0]):
            of = x[r]
            total = np.float32(0)
            if brain:
                for j in range(weights.shape[1]):
                    total += of[j] * _from_bfloat16(row[j])
            else:
                for j in range(weights.shape[1]):
                    total += of[j] * _from_float16(row[j])
            y[r, o] = total + bias[o] if len(bias) > 0 else total


@jit(f"void(int64[::1], {_HALVES})")
def _half_product(gang: Any, x: Any, weights: Any, brain: Any, bias: Any, y: Any) -> None:
    grain = max(1, GRAIN // max(weights.shape[1] * x.shape[0], 1))
    share(gang, _half_rows, weights.shape[0], grain, (x, weights, brain, bias, y))


def by_floats(x: Any, weight: Any, bias: Any) -> Any:
    """y for a QuantizedArray."""
    values, zero = weight.values, weight.zero_point
    sums = np.zeros((len(x), weight.scale.shape[1]), np.float32)
    if zero is None:
        zero = np.zeros((0, 0), values.dtype)
    else:
        np.add.reduceat(x, np.arange(0, x.shape[1], weight.group_size), axis=1, out=sums)
    y = np.empty((len(x), len(values)), np.float32)
    _float_product(
        state(), x, values, weight.scale, zero, sums, weight.group_size, _NO_BIAS if bias is None else bias, y
    )
    return y


def by_halves(x: Any, weight: Any, bias: Any) -> Any:
    """y for a HalfArray."""
    values = weight.values
    y = np.empty((len(x), len(values)), np.float32)
    brain = values.dtype == np.uint16
    _half_product(
        state(), x, values if brain else values.view(np.uint16), brain, _NO_BIAS if bias is None else bias, y
    )
    return y
