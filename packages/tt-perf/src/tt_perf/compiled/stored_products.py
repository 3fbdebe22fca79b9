"""Products with stored weights, compiled; see tt_perf/quantization/products.py for what they compute.

int8 weights meet bytes: activations become 8 bits where the scheme wants that, else 16 bits over the range of their
row, two bytes each: 256 times as fine as the weights are, with an error of at most (range / 65535) / 2 for each
activation, and in a fraction of the time that float32 takes. Elsewhere (int16, 16-bit floats, processors without the
instruction for bytes) weights become float32 in a register, as they are read: see stored_floats.py. All work on all
cores (gang.py).

A row with NaN or an infinity goes to NumPy's kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_perf.compiled.arrays import whole
from tt_perf.compiled.bytes import WIDTH, dot, dot_four
from tt_perf.compiled.gang import share, state
from tt_perf.compiled.jit import jit
from tt_perf.compiled.table import fallback
from tt_perf.quantization.halves import HalfArray
from tt_perf.quantization.products import SHORT

__all__ = ["quantized_linear", "quantized_linear_int8"]

MANY = 16
"""From so many rows on, weights of 16 bits are made float32 once and BLAS multiplies."""

MORE = 256
"""The same for weights of 8 bits."""

GRAIN = 1 << 18
"""Bytes of weights that a core takes at a time, about 10 µs of work."""

_NONE8 = np.zeros((0, 0), np.int8)
_NO_BIAS = np.zeros(0, np.float32)


# --- activations as bytes ---------------------------------------------------------------------------------------

# Without "arcp": x / scale must round as it does in NumPy, or a code would differ.
_EXACT = {"contract", "reassoc", "nsz"}


@jit("boolean(float32[::1], int64, float32, int64, uint8[::1], float32[::1], int64[::1])", fastmath=_EXACT)
def _codes(x: Any, planes: Any, given: Any, given_zero: Any, codes: Any, scale: Any, zero: Any) -> Any:
    """x ≈ scale[0] · (u - zero[0]), with u in 8 bits, or in 16: high bytes, then low ones. False for NaN, infinity.

    `given` is the scale to take, 0 for that of the range of x and 0.
    """
    n = len(x)
    levels = np.float32(255) if planes == 1 else np.float32(65535)
    lows, highs = np.zeros(16, np.float32), np.zeros(16, np.float32)
    odd = np.float32(0)
    whole = n - n % 16
    for j in range(0, whole, 16):
        for lane in range(16):
            v = x[j + lane]
            lows[lane] = v if v < lows[lane] else lows[lane]
            highs[lane] = v if v > highs[lane] else highs[lane]
    for j in range(whole, n):
        lows[0], highs[0] = min(lows[0], x[j]), max(highs[0], x[j])
    for j in range(n):
        odd += x[j] * np.float32(0)
    if odd != odd:
        return False
    low, high = lows.min(), highs.max()
    if given > 0:
        s, z = given, np.float32(given_zero)
    else:
        s = high / levels - low / levels
        s = max(s, np.float32(1.17549435e-38)) if s > 0 else np.float32(1)
        z = np.rint(-low / s)
    if planes == 1:
        for j in range(n):
            q = np.rint(min(max(x[j] / s, np.float32(-1024)), np.float32(1024))) + z
            codes[j] = np.uint8(np.int32(min(max(q, np.float32(0)), np.float32(255))))
    else:
        for j in range(n):
            q = np.rint(x[j] / s) + z
            u = np.int32(min(max(q, np.float32(0)), np.float32(65535)))
            codes[j] = np.uint8(u >> 8)
            codes[n + j] = np.uint8(u & 255)
    scale[0], zero[0] = s, np.int64(z)
    return True


# --- bytes ------------------------------------------------------------------------------------------------------

_BYTES = (
    "uint8[:, ::1], float32[::1], int64[::1], int64[:, ::1], int8[:, ::1], float32[:, ::1], int8[:, ::1], "
    "int32[:, ::1], int64, float32[::1], float32[:, ::1]"
)


@jit(f"void(int64, int64, {_BYTES})")
def _byte_rows(
    start: Any,
    stop: Any,
    codes: Any,
    x_scale: Any,
    x_zero: Any,
    x_sums: Any,
    weights: Any,
    scale: Any,
    zero: Any,
    sums: Any,
    size: Any,
    bias: Any,
    y: Any,
) -> None:
    """y[:, start:stop], four rows of weights at a time."""
    n = weights.shape[1]
    planes = codes.shape[1] // max(n, 1)
    flat, bytes_of_x = weights.reshape(-1), codes.reshape(-1)
    groups = scale.shape[1]
    affine, biased = len(zero) > 0, len(bias) > 0
    found = np.empty(4, np.int64)
    for o in range(start, stop, 4):
        count = min(4, stop - o)
        for r in range(codes.shape[0]):
            for group in range(groups):
                first = group * size
                length = min(size, n - first)
                at, of = r * planes * n + first, o * n + first
                found[:] = 0
                for plane in range(planes):
                    place = at + plane * n
                    if count == 4:
                        a, b, c, d = dot_four(bytes_of_x, place, flat, of, n, length)
                        found[0] = 256 * found[0] + a
                        found[1] = 256 * found[1] + b
                        found[2] = 256 * found[2] + c
                        found[3] = 256 * found[3] + d
                    else:
                        for row in range(count):
                            found[row] = 256 * found[row] + dot(bytes_of_x, place, flat, of + row * n, length)
                for row in range(count):
                    whole = found[row] - x_zero[r] * np.int64(sums[o + row, group])
                    if affine:
                        whole -= np.int64(zero[o + row, group]) * (x_sums[r, group] - length * x_zero[r])
                    part = np.float32(whole) * scale[o + row, group]
                    y[r, o + row] = part if group == 0 else y[r, o + row] + part
            for row in range(count):
                total = y[r, o + row] * x_scale[r]
                y[r, o + row] = total + bias[o + row] if biased else total


@jit(
    "int64(int64[::1], float32[:, ::1], int64, float32, int64, int8[:, ::1], float32[:, ::1], int8[:, ::1], "
    "int32[:, ::1], int64, float32[::1], float32[:, ::1])"
)
def _byte_product(
    gang: Any,
    x: Any,
    planes: Any,
    given: Any,
    given_zero: Any,
    weights: Any,
    scale: Any,
    zero: Any,
    sums: Any,
    size: Any,
    bias: Any,
    y: Any,
) -> Any:
    """y = x Ŵᵀ + b; how many rows of x are numbers, from the first on."""
    rows, n = x.shape
    groups = scale.shape[1]
    codes = np.empty((rows, planes * n), np.uint8)
    x_scale, x_zero = np.empty(rows, np.float32), np.empty(rows, np.int64)
    x_sums = np.zeros((rows, groups), np.int64)
    for r in range(rows):
        if not _codes(x[r], planes, given, given_zero, codes[r], x_scale[r:], x_zero[r:]):
            return r
        if len(zero) > 0:
            for group in range(groups):
                total = np.int64(0)
                for j in range(group * size, min((group + 1) * size, n)):
                    if planes == 2:
                        total += 256 * np.int64(codes[r, j]) + np.int64(codes[r, n + j])
                    else:
                        total += np.int64(codes[r, j])
                x_sums[r, group] = total
    grain = max(4, GRAIN // max(n * rows, 1) // 4 * 4)
    share(
        gang,
        _byte_rows,
        weights.shape[0],
        grain,
        (codes, x_scale, x_zero, x_sums, weights, scale, zero, sums, size, bias, y),
    )
    return rows


# --- operations -----------------------------------------------------------------------------------------------------


def _suits(x: Any, weight: Any, bias: Any) -> bool:
    return (
        x.dtype == np.float32
        and weight.values.flags.carray
        and x.shape[0] > 0
        and weight.values.size > 0
        and (bias is None or (bias.dtype == np.float32 and bias.flags.carray))
    )


def quantized_linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """y[r, o] = Σ_k x[r, k] ŵ[o, k] + b[o], for float32 x."""
    values = weight.values
    if not _suits(x, weight, bias):
        return fallback("quantized_linear")(x, weight, bias)
    x = whole(x)
    if isinstance(weight, HalfArray):
        plain = True
    else:
        plain = _plain(weight)
        if values.dtype == np.int8 and WIDTH and plain and weight.group_size <= SHORT:
            if len(x) >= MORE:
                return fallback("quantized_linear")(x, weight, bias)
            return _by_bytes("quantized_linear", x, weight, bias, 2, 0.0, 0)
    if len(x) >= MANY or not plain:
        return fallback("quantized_linear")(x, weight, bias)
    # A module of its own: who has int8 weights need not wait until it is compiled.
    from tt_perf.compiled import stored_floats

    return (stored_floats.by_halves if isinstance(weight, HalfArray) else stored_floats.by_floats)(
        x, weight, bias
    )


def quantized_linear_int8(x: Any, weight: Any, bias: Any = None, activation: Any = None) -> Any:
    """The same with activations in 8 bits."""
    if not (_suits(x, weight, bias) and weight.group_size <= SHORT and _plain(weight)):
        return fallback("quantized_linear_int8")(x, weight, bias, activation)
    x = whole(x)
    scale, zero = activation or (0.0, 0)
    return _by_bytes("quantized_linear_int8", x, weight, bias, 1, scale, zero, activation)


def _plain(weight: Any) -> bool:
    """Are scales and zero points as the kernels want them?"""
    zero = weight.zero_point
    return (
        weight.scale.dtype == np.float32 and weight.scale.flags.carray and (zero is None or zero.flags.carray)
    )


def _by_bytes(
    operation: str, x: Any, weight: Any, bias: Any, planes: int, scale: float, zero: int, *rest: Any
) -> Any:
    y = np.empty((len(x), len(weight.values)), np.float32)
    done = _byte_product(
        state(),
        x,
        planes,
        scale,
        zero,
        weight.values,
        weight.scale,
        _NONE8 if weight.zero_point is None else weight.zero_point,
        weight.sums(),
        weight.group_size,
        _NO_BIAS if bias is None else bias,
        y,
    )
    # Some row is not all numbers.
    return y if done == len(x) else fallback(operation)(x, weight, bias, *rest)
