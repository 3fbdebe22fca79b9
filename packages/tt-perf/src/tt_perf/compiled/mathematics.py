"""exp, log, tanh, erf, sigmoid and the normal distribution in float32, as pieces of compiled kernels.

    for i in range(x.size):
        y[i] = exp32(x[i])

Each takes one float32 and gives one, by straight-line code: arithmetic, bits, and choices between two numbers that are
both computed. So a counted loop over a contiguous row becomes vector instructions, which a call of the C library's
exp would prevent. NaN gives NaN; ±inf, 0, and results too small for a normal number come out as IEEE 754 has them.

| function | largest error |
|---|---|
| exp32, erf32, log32 | 2 units in the last place |
| tanh32, sigmoid32, both_sigmoids32 | 3 units in the last place |
| normal32 | 1.5e-7 of Φ, 2e-7 of exp(-x²/2) |

Inside of these, sums keep their order whatever the kernel around them allows: taking the whole part of a number by
adding and subtracting a large one depends on it.

Sources: range reduction after Cody and Waite, "Software Manual for the Elementary Functions", 1980; the polynomials are
fits in the largest relative error by Lawson's iterated weights (tests/compiled/make_polynomials.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic

__all__ = [
    "bits32",
    "both_sigmoids32",
    "erf32",
    "exp32",
    "from_bits32",
    "log32",
    "normal32",
    "sigmoid32",
    "tanh32",
]


def piece(function: Callable[..., Any]) -> Any:
    """Compiled as part of the kernels that call it. Products and sums may be fused, nothing is reordered."""
    return numba.njit(nogil=True, fastmath={"contract"}, error_model="numpy", forceinline=True)(function)


def _reinterpreted(source: Any, target: Any) -> Any:
    def typing(context: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(
                arguments[0], ir.FloatType() if target is types.float32 else ir.IntType(32)
            )

        return target(source), generate

    return typing


bits32 = intrinsic(_reinterpreted(types.float32, types.int32))
"""The 32 bits of a float32 as an int32; for use in kernels."""

from_bits32 = intrinsic(_reinterpreted(types.int32, types.float32))
"""The float32 that has these bits; for use in kernels."""

# Numbers in kernels must be float32 by type: with a Python number, the sum is a float64.
_0, _1, _2, _HALF = np.float32(0), np.float32(1), np.float32(2), np.float32(0.5)
_INF, _NAN = np.float32(np.inf), np.float32(np.nan)

# Added and taken off again, it rounds to a whole number, which its last bits show in between.
_ROUND = np.float32(1.5 * 2**23)
_ROUND_BITS = np.int32(_ROUND.view(np.int32))
_LOG2_E = np.float32(1.44269502)
# log 2 in two parts, of which the first has zeros at its end: a small whole number times it is exact.
_LOG_2_HIGH, _LOG_2_LOW = np.float32(0.693145752), np.float32(1.42860677e-06)
# Beyond these, exp is inf, and 0.
_MOST, _LEAST = np.float32(89), np.float32(-104)
# (eʳ - 1 - r) / r² for |r| ≤ ½ log 2.
_E2, _E3, _E4, _E5, _E6 = (
    np.float32(c)
    for c in (
        0.49999994,
        0.166665196,
        0.0416684002,
        0.00836885069,
        0.00138143206,
    )
)


@piece
def exp32(x: Any) -> Any:
    """eˣ = 2ⁿ eʳ with n the whole number next to x / log 2."""
    x = _MOST if x > _MOST else x
    x = _LEAST if x < _LEAST else x
    shifted = x * _LOG2_E + _ROUND
    n = shifted - _ROUND
    r = (x - n * _LOG_2_HIGH) - n * _LOG_2_LOW
    p = (((_E6 * r + _E5) * r + _E4) * r + _E3) * r + _E2
    p = (p * r * r + r) + _1
    # 2ⁿ in two factors: where it overflows or is denormal, the halves are not.
    whole = np.int32(bits32(shifted) - _ROUND_BITS)
    half = np.int32(whole >> 1)
    rest = np.int32(whole - half)
    p = p * from_bits32(np.int32((half + 127) << 23))
    return p * from_bits32(np.int32((rest + 127) << 23))


# (log(1 + f) - f + f²/2) / f³ for √½ ≤ 1 + f ≤ √2.
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = (
    np.float32(c)
    for c in (
        0.333333135, -0.250000089, 0.200021192, -0.166679963, 0.142195523,
        -0.124055892, 0.11888162, -0.116756521, 0.067466408,
    )
)  # fmt: skip
_SMALLEST = np.float32(2.0**-126)
_LARGER = np.float32(2.0**23)
_ROOT_HALF_BITS = np.int32(np.float32(0.5**0.5).view(np.int32))
_MANTISSA = np.int32(0x7FFFFF)


@piece
def log32(x: Any) -> Any:
    """log x = n log 2 + log m with √½ ≤ m < √2; -inf at 0, NaN below."""
    small = x < _SMALLEST
    scaled = x * _LARGER if small else x
    moved = np.int32(bits32(scaled) - _ROOT_HALF_BITS)
    whole = np.int32(moved >> 23)
    n = np.float32(whole) - (np.float32(23) if small else _0)
    f = from_bits32(np.int32((moved & _MANTISSA) + _ROOT_HALF_BITS)) - _1
    p = ((((((((_L8 * f + _L7) * f + _L6) * f + _L5) * f + _L4) * f + _L3) * f + _L2) * f + _L1) * f) + _L0
    square = f * f
    tail = p * square * f + n * _LOG_2_LOW - _HALF * square
    y = n * _LOG_2_HIGH + (f + tail)
    y = -_INF if x == _0 else y
    y = _NAN if x < _0 else y
    # +inf and NaN as they are.
    return y if x < _INF else x + _0


# tanh(x) / x - 1 in powers of x², from x² up, for |x| ≤ 0.55.
_T1, _T2, _T3, _T4, _T5 = (
    np.float32(c)
    for c in (
        -0.333333164,
        0.13332586,
        -0.0538523085,
        0.0210716799,
        -0.00627424009,
    )
)
_BEND = np.float32(0.55)
_TANH_IS_1 = np.float32(10)


@piece
def tanh32(x: Any) -> Any:
    """1 - 2 / (e²ˣ + 1) for x > 0.55, a polynomial around 0."""
    size = abs(x)
    square = x * x
    near = ((((_T5 * square + _T4) * square + _T3) * square + _T2) * square + _T1) * square
    near = near * x + x
    bounded = _TANH_IS_1 if size > _TANH_IS_1 else size
    far = _1 - _2 / (exp32(bounded + bounded) + _1)
    far = -far if x < _0 else far
    return near if size < _BEND else far


# erf(x) / x - 1 in powers of x², for |x| ≤ 1.
_N0, _N1, _N2, _N3, _N4, _N5, _N6 = (
    np.float32(c)
    for c in (
        0.128379166, -0.37612626, 0.112835854, -0.0268538129, 0.00518832775,
        -0.000801019429, 7.85386364441365e-05,
    )
)  # fmt: skip
# log(1 - erf(x)) / x + 1 in powers of x, for 0.9 ≤ x ≤ 4.
_F0, _F1, _F2, _F3, _F4, _F5 = (
    np.float32(c)
    for c in (
        -0.128519952, -0.635699391, -0.105286852, 0.0229060296, -0.00321997493,
        0.00021459494,
    )
)  # fmt: skip
_ERF_IS_1 = np.float32(4)


@piece
def erf32(x: Any) -> Any:
    """1 - exp(-x (1 - q(x))) for x > 1, a polynomial around 0."""
    size = abs(x)
    square = x * x
    near = (
        ((((_N6 * square + _N5) * square + _N4) * square + _N3) * square + _N2) * square + _N1
    ) * square + _N0
    near = near * x + x
    t = _ERF_IS_1 if size > _ERF_IS_1 else size
    q = ((((_F5 * t + _F4) * t + _F3) * t + _F2) * t + _F1) * t + _F0
    far = _1 - exp32(q * t - t)
    far = -far if x < _0 else far
    return near if size < _1 else far


@piece
def sigmoid32(x: Any) -> Any:
    """1 / (1 + e⁻ˣ), as eˣ / (1 + eˣ) below 0, so that small results keep their digits."""
    e = exp32(-abs(x))
    return (_1 if x >= _0 else e) / (_1 + e)


@piece
def both_sigmoids32(x: Any) -> Any:
    """(σ(x), σ(-x)): they add up to 1, of which neither loses a digit."""
    e = exp32(-abs(x))
    large = _1 / (_1 + e)
    small = e * large
    return (large if x >= _0 else small), (small if x >= _0 else large)


# exp(a²/2) Φ(-a) - ½ in powers of u = 0.32 a / (1 + 0.32 a), from u up, for a ≥ 0; fitted in the error of a Φ(-a).
_SLOPE = np.float32(0.32)
_P1, _P2, _P3, _P4, _P5 = (
    np.float32(c)
    for c in (
        -1.24668992,
        1.19452012,
        -0.419565827,
        -0.15206638,
        0.128518298,
    )
)
# From here on Φ is 1, and below -_NORMAL_ENDS it is 0, as is the density.
_NORMAL_ENDS = np.float32(20)


@piece
def normal32(x: Any) -> Any:
    """(Φ(x), exp(-x²/2)): the normal distribution, and its density times √(2π), which costs nothing beside it."""
    size = abs(x)
    size = _NORMAL_ENDS if size > _NORMAL_ENDS else size
    e = exp32(-_HALF * (size * size))
    u = size * _SLOPE
    u = u / (u + _1)
    tail = (((((_P5 * u + _P4) * u + _P3) * u + _P2) * u + _P1) * u + _HALF) * e
    return (_1 - tail if x > _0 else tail), e
