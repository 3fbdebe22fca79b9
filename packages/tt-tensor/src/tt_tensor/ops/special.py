"""Functions on plain arrays that NumPy lacks, or has slowly: sigmoid, erf, choose.

Given a Tensor they give the Tensor of the operation, so that a rule may call them like a function of NumPy's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor.ops.plain import ONE

__all__ = ["choose", "erf", "sigmoid"]


def sigmoid(x: Any) -> Any:
    """1 / (1 + e⁻ˣ), with the relative accuracy of eˣ for very negative x, and without warnings.

    Where e⁻ˣ overflows the result is 0, which is right to the smallest normal number. One temporary and no
    branch: half the time of the usual choice between 1 / (1 + e⁻ˣ) and eˣ / (1 + eˣ), and more for large arrays.
    """
    if x.__class__ is not np.ndarray and hasattr(x, "requires_grad"):
        from tt_tensor.ops.pointwise import Sigmoid

        return Sigmoid()(x)
    kind = x.dtype.char
    if kind not in "fd":
        wide = _computed_in(x)
        return sigmoid(wide).astype(_result_dtype(x), copy=False)
    with np.errstate(over="ignore", under="ignore"):
        if x.ndim == 0:
            return 1 / (1 + np.exp(-x))
        y = np.negative(x)
        np.exp(y, y)
    y += 1
    return np.divide(ONE[kind], y, y)  # half the time of np.reciprocal


class _Rational:
    """w(u) ≈ artanh(erf(x)) / x - 1 with u = x², as N(u) / D(u): coefficients from the highest power down.

    D starts with the power above its first coefficient, whose coefficient is 1. All are positive, so nothing
    cancels. A minimax fit in the least error of tanh(x + x·w) relative to erf(x) over 0 ≤ x ≤ limit, by Lawson's
    iterated weights in 80 digits; from `limit` on erf(x) rounds to 1.
    """

    def __init__(self, dtype: Any, limit: float, top: list[float], bottom: list[float]) -> None:
        self.dtype = np.dtype(dtype)
        # Arrays of shape (): a ufunc takes them in half the time of a Python float.
        self.top = [np.array(c, dtype) for c in top]
        self.bottom = [np.array(c, dtype) for c in bottom]
        self.low, self.high = np.array(-limit, dtype), np.array(limit, dtype)


# The largest error of the fit itself, relative: 3.3e-9 and 1.6e-16.
_SINGLE = _Rational(
    np.float32,
    4.5,
    [5.7039781, 58.3418638, 378.287417, 395.106625],
    [72.9092551, 482.860412, 3077.65366],
)
_DOUBLE = _Rational(
    np.float64,
    6.5,
    [
        17.790478583617237, 2406.9503274160256, 63669.671010065016, 1011850.7597058587, 10029106.768215358,
        72435518.114741892, 323450077.5814141, 1019744553.6633301, 893375379.98855245,
    ],
    [
        614.75352778058289, 37705.123514784464, 773404.33931698708, 10973064.350810917, 94417625.066783234,
        631658070.42172182, 2372364749.3896112, 6958881259.3237419,
    ],
)  # fmt: skip

_BLOCK = 1 << 18
"""Bytes of one temporary: four of them stay in a level-2 cache while some thirty passes go over them."""


def erf(x: Any) -> Any:
    """2/√π ∫₀ˣ e^(-t²) dt, as tanh(x + x·w(x²)) with w the quotient of two polynomials.

    tanh carries the shape (its own error shrinks with erf's distance to 1) and is vectorised in NumPy, and
    x + x·w rounds but once where w is small. With a tanh that is off by 1.4 units in the last place, as NumPy's own
    on x86, erf is off by at most 2.3 in float32 (0.3 on average) and 3 in float64. It is odd exactly.

    Source: the identity erf(x) = tanh(artanh(erf(x))); the manner of fit is W. J. Cody, "Rational Chebyshev
    approximations for the error function", Math. Comp. 23 (1969), with C. L. Lawson's weights (1961).
    """
    if x.__class__ is not np.ndarray and hasattr(x, "requires_grad"):
        from tt_tensor.ops.pointwise import Erf

        return Erf()(x)
    fit = _SINGLE if x.dtype.char == "f" else _DOUBLE
    if x.dtype != fit.dtype:
        wide = _computed_in(x)
        return erf(wide).astype(_result_dtype(x), copy=False)
    y = np.empty(x.shape, x.dtype)
    flat_x, flat_y = x.reshape(-1), y.reshape(-1)
    step = _BLOCK // x.itemsize
    scratch = np.empty((3, min(x.size, step)), x.dtype)
    for start in range(0, x.size, step):
        part = flat_x[start : start + step]
        _erf_block(fit, part, flat_y[start : start + step], *scratch[:, : part.size])
    return y


def _erf_block(fit: _Rational, x: Any, y: Any, u: Any, top: Any, bottom: Any) -> None:
    """erf(x) into y; the others are scratch. All of one size, which the caches hold."""
    np.clip(x, fit.low, fit.high, out=y)
    np.multiply(y, y, u)
    np.multiply(u, fit.top[0], top)
    for coefficient in fit.top[1:-1]:
        np.add(top, coefficient, top)
        np.multiply(top, u, top)
    np.add(top, fit.top[-1], top)
    np.add(u, fit.bottom[0], bottom)
    for coefficient in fit.bottom[1:]:
        np.multiply(bottom, u, bottom)
        np.add(bottom, coefficient, bottom)
    np.divide(top, bottom, top)
    np.multiply(top, y, top)
    np.add(y, top, y)
    np.tanh(y, y)


def _result_dtype(x: Any) -> Any:
    """The dtype that exp of `x` has: what NumPy makes of integers in a function of floats."""
    return np.exp(np.empty(0, x.dtype)).dtype


def _computed_in(x: Any) -> Any:
    """`x` in the dtype to compute in: float16 (and what becomes it) in float32, integers in float64."""
    return x.astype(np.float32 if _result_dtype(x).char in "ef" else np.float64)


_BITS = {"f": np.int32, "d": np.int64}


def choose(mask: Any, x: Any, y: Any) -> Any:
    """x where `mask` (a bool array), else y: np.where, ten times as fast on a large mask without a pattern.

    np.where branches at every element, and a processor cannot guess a mask; y ^ ((x ^ y) & mask) on the bits
    has nothing to guess.
    """
    if hasattr(x, "requires_grad") or hasattr(y, "requires_grad"):
        from tt_tensor.ops.compare import where

        return where(mask, x, y)
    if mask.size >= 2048:
        dtype = np.result_type(x, y)
        bits = _BITS.get(dtype.char)
        if bits is not None:
            a, b = np.asarray(x, dtype).view(bits), np.asarray(y, dtype).view(bits)
            return (((a ^ b) & -mask.astype(bits)) ^ b).view(dtype)
    return np.where(mask, x, y)
