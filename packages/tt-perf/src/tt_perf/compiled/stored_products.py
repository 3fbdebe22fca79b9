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
from tt_perf.compiled.bytes import STREAMS, WIDTH, dot, far_dots, far_sums
from tt_perf.compiled.gang import share, state
from tt_perf.compiled.jit import inline, jit
from tt_perf.compiled.table import fallback
from tt_perf.quantization.halves import HalfArray
from tt_perf.quantization.products import SHORT

__all__ = [
    "ROWS", "WEIGHT", "byte_grain", "byte_places", "byte_rows", "coded", "quantized_linear", "quantized_linear_int8"
]  # fmt: skip

MANY = 16
"""From so many rows on, weights of 16 bits are made float32 once and BLAS multiplies."""

MORE = 256
"""The same for weights of 8 bits."""

GRAIN = 1 << 15
"""Bytes of weights that a core takes at a time, about 2 µs of work."""

PIECES = 64
"""A large weight is taken in so many pieces, of which each core gets about half."""

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
    odd = np.float32(0)
    for j in range(n):
        odd += x[j] * np.float32(0)
    if odd != odd:
        return False
    if given > 0:
        s, z = given, np.float32(given_zero)
    else:
        # As integers, bits of floats that are not negative stand in order, and the others do with theirs turned round;
        # and of integers LLVM looks for the least in lanes.
        bits, ends = x.view(np.int32), np.empty(2, np.int32)
        least = most = np.int32(0)
        for j in range(n):
            order = bits[j] ^ ((bits[j] >> 31) & np.int32(0x7FFFFFFF))
            least, most = min(least, order), max(most, order)
        ends[0], ends[1] = least ^ ((least >> 31) & np.int32(0x7FFFFFFF)), most
        low, high = ends.view(np.float32)
        s = high / levels - low / levels
        s = max(s, np.float32(1.17549435e-38)) if s > 0 else np.float32(1)
        z = np.rint(-low / s)
    if planes == 1:
        for j in range(n):
            q = np.rint(min(max(x[j] / s, np.float32(-1024)), np.float32(1024))) + z
            codes[j] = np.uint8(np.int32(min(max(q, np.float32(0)), np.float32(255))))
    else:
        # One store a loop, or LLVM does not see that they are apart.
        whole = np.empty(n, np.int32)
        for j in range(n):
            q = np.rint(x[j] / s) + z
            whole[j] = np.int32(min(max(q, np.float32(0)), np.float32(65535)))
        for j in range(n):
            codes[j] = np.uint8(whole[j] >> 8)
        for j in range(n):
            codes[n + j] = np.uint8(whole[j] & 255)
    scale[0], zero[0] = s, np.int64(z)
    return True


# --- bytes ------------------------------------------------------------------------------------------------------


@inline
def coded(
    x: Any, planes: Any, given: Any, given_zero: Any, wanted: Any, size: Any, codes: Any, x_scale: Any, x_zero: Any,
    x_sums: Any,
) -> Any:  # fmt: skip
    """All rows of x as codes; with `wanted`, x_sums[r, g] = Σ codes of a group. How many are numbers, from r = 0."""
    rows, n = x.shape
    for r in range(rows):
        if not _codes(x[r], planes, given, given_zero, codes[r], x_scale[r:], x_zero[r:]):
            return r
        if wanted:
            for group in range(x_sums.shape[1]):
                total = np.int64(0)
                for j in range(group * size, min((group + 1) * size, n)):
                    total += np.int64(codes[r, j])
                    if planes == 2:
                        total += 255 * np.int64(codes[r, j]) + np.int64(codes[r, n + j])
                x_sums[r, group] = total
    return rows


WEIGHT = "int8[:, ::1], float32[:, ::1], int8[:, ::1], int32[:, ::1], float64[::1], int64"
"""A weight as kernels take it: values, scale, zero, sums, offsets, size. See QuantizedArray.parts."""

ROWS = f"uint8[:, ::1], float32[::1], int64[::1], int64[:, ::1], {WEIGHT}, float32[::1], float32[:, ::1]"


@inline
def _one_row(
    o: Any, r: Any, codes: Any, x_scale: Any, x_zero: Any, x_sums: Any, weights: Any, scale: Any, zero: Any, sums: Any,
    size: Any, bias: Any, y: Any,
) -> None:  # fmt: skip
    """y[r, o], group by group."""
    n = weights.shape[1]
    planes = codes.shape[1] // max(n, 1)
    flat, bytes_of_x = weights.reshape(-1), codes.reshape(-1)
    total = np.float32(0)
    for group in range(scale.shape[1]):
        first = group * size
        length = min(size, n - first)
        whole = np.int64(0)
        for plane in range(planes):
            whole = 256 * whole + dot(
                bytes_of_x, (r * planes + plane) * n + first, flat, o * n + first, length
            )
        whole -= x_zero[r] * np.int64(sums[o, group])
        if len(zero) > 0:
            whole -= np.int64(zero[o, group]) * (x_sums[r, group] - length * x_zero[r])
        total += np.float32(whole) * scale[o, group]
    total *= x_scale[r]
    y[r, o] = total + bias[o] if len(bias) > 0 else total


@jit(f"void(int64, int64, {ROWS})")
def byte_rows(
    start: Any, stop: Any, codes: Any, x_scale: Any, x_zero: Any, x_sums: Any, weights: Any, scale: Any, zero: Any,
    sums: Any, offsets: Any, size: Any, bias: Any, y: Any,
) -> None:  # fmt: skip
    """y = x Ŵᵀ + b for the rows at start ≤ place < stop: rows that are far from each other, as in matvec.py."""
    count, n = weights.shape
    planes = codes.shape[1] // max(n, 1)
    flat, bytes_of_x, scales = weights.reshape(-1), codes.reshape(-1), scale.reshape(-1)
    groups = scale.shape[1]
    affine, biased = len(zero) > 0, len(bias) > 0
    apart = count // STREAMS
    whole, parts = np.empty(STREAMS, np.int64), np.empty(STREAMS, np.float32)
    # In lanes, all groups of a row are one sum; it takes groups that fill registers.
    lanes = WIDTH > 0 and size % max(WIDTH, 1) == 0 and n % max(WIDTH, 1) == 0
    for o in range(start, min(stop, apart)):
        for r in range(codes.shape[0]):
            if groups == 1:
                far_dots(bytes_of_x, r * planes * n, planes, flat, o * n, apart * n, n, whole)
                for s in range(STREAMS):
                    i = o + s * apart
                    total = whole[s] - x_zero[r] * np.int64(sums[i, 0])
                    if affine:
                        total -= np.int64(zero[i, 0]) * (x_sums[r, 0] - n * x_zero[r])
                    part = np.float32(total) * scale[i, 0] * x_scale[r]
                    y[r, i] = part + bias[i] if biased else part
            elif lanes:
                far_sums(
                    bytes_of_x, r * planes * n, planes, flat, o * n, apart * n, n, size, scales, o * groups,
                    apart * groups, parts,
                )  # fmt: skip
                for s in range(STREAMS):
                    i = o + s * apart
                    off = np.float64(x_zero[r]) * offsets[i]
                    if affine:
                        for group in range(groups):
                            length = min(size, n - group * size)
                            moved = np.float64(x_sums[r, group] - length * x_zero[r])
                            off += np.float64(scale[i, group]) * np.float64(zero[i, group]) * moved
                    part = np.float32((np.float64(parts[s]) - off) * np.float64(x_scale[r]))
                    y[r, i] = part + bias[i] if biased else part
            else:
                for i in range(o, STREAMS * apart, apart):
                    _one_row(i, r, codes, x_scale, x_zero, x_sums, weights, scale, zero, sums, size, bias, y)
    if stop > apart:
        for o in range(STREAMS * apart, count):
            for r in range(codes.shape[0]):
                _one_row(o, r, codes, x_scale, x_zero, x_sums, weights, scale, zero, sums, size, bias, y)


@inline
def byte_places(count: Any) -> Any:
    """How long the range is that `byte_rows` makes of so many rows of a weight."""
    return (count + STREAMS - 1) // STREAMS


@inline
def byte_grain(codes: Any, weights: Any) -> Any:
    """How many of those places are taken at a time."""
    return max(
        GRAIN // max(STREAMS * weights.shape[1] * len(codes), 1), byte_places(len(weights)) // PIECES, 1
    )


@jit(f"int64(int64[::1], float32[:, ::1], int64, float32, int64, {WEIGHT}, float32[::1], float32[:, ::1])")
def _byte_product(
    gang: Any, x: Any, planes: Any, given: Any, given_zero: Any, weights: Any, scale: Any, zero: Any, sums: Any,
    offsets: Any, size: Any, bias: Any, y: Any,
) -> Any:  # fmt: skip
    """y = x Ŵᵀ + b; how many rows of x are numbers, from the first on."""
    rows, n = x.shape
    codes = np.empty((rows, planes * n), np.uint8)
    x_scale, x_zero = np.empty(rows, np.float32), np.empty(rows, np.int64)
    x_sums = np.zeros((rows, scale.shape[1]), np.int64)
    done = coded(x, planes, given, given_zero, len(zero) > 0, size, codes, x_scale, x_zero, x_sums)
    if done == rows:
        share(
            gang, byte_rows, byte_places(len(weights)), byte_grain(codes, weights),
            (codes, x_scale, x_zero, x_sums, weights, scale, zero, sums, offsets, size, bias, y),
        )  # fmt: skip
    return done


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
        state(), x, planes, scale, zero, *weight.parts(), _NO_BIAS if bias is None else bias, y
    )
    # Some row is not all numbers.
    return y if done == len(x) else fallback(operation)(x, weight, bias, *rest)
