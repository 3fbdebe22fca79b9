"""Products with stored weights: the loops that define them, then NumPy's.

    quantized_linear        y[r, o] = Σ_k x[r, k] ŵ[o, k] + b[o],   ŵ = scale · (q - zero)
    quantized_linear_int8   the same with x̂ for x: integers 0 … 255 as well, x̂ = s · (p - z), so

        y[r, o] = s · Σ_groups scale[o, g] · (Σ p q - z Σ q - zero Σ p + n z zero) + b[o]

in which all sums are sums of integers. Without an activation's scale each row has its own, over its range and 0.
Compiled versions stand in tt_perf/compiled/stored_products.py.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from tt_perf.compiled.table import KERNELS, NAME
from tt_perf.late import Late
from tt_perf.quantization.integers import QuantizedArray
from tt_tensor import kernels

__all__ = ["Activation", "activation_codes", "loops", "loops_int8", "numpy", "numpy_int8"]

Activation = tuple[float, int] | None
"""Scale and zero point of the activations of a layer; None: each row by its own range."""

BLOCK = 1 << 18
"""Weights that are made float32 at a time: with the rows they meet, they stay in a level-2 cache."""

SHORT = 1 << 15
"""Columns whose products of bytes, less their zero points, add up in int32: 2¹⁵ · 255 · 255 < 2³¹."""

EXACT = 512
"""Columns whose products of bytes add up exactly in float32: 512 · 255 · 127 < 2²⁴."""

LEVELS = 255


def loops(x: Any, weight: Any, bias: Any = None) -> Any:
    """y[r, o] = Σ_k x[r, k] ŵ[o, k] + b[o]: x (R, K), weight (O, K) as a StoredArray, b (O,); y (R, O)."""
    y = np.zeros((x.shape[0], weight.values.shape[0]), x.dtype)
    for o in range(y.shape[1]):
        row = weight.rows(o, o + 1)[0]
        for r in range(y.shape[0]):
            total = 0.0
            for k in range(x.shape[1]):
                total += float(x[r, k]) * float(row[k])
            y[r, o] = total + (0.0 if bias is None else float(bias[o]))
    return y


def numpy(x: Any, weight: Any, bias: Any = None) -> Any:
    """The same by BLAS, on as many rows of the weight at a time as a cache holds in float32."""
    rows, columns = weight.values.shape
    y = np.empty((x.shape[0], rows), x.dtype)
    step = max(1, BLOCK // max(columns, 1))
    for start in range(0, rows, step):
        some = weight.rows(start, start + step)
        if some.dtype != x.dtype:
            some = some.astype(x.dtype)
        y[:, start : start + step] = x.dot(some.T)
    if bias is not None:
        y += bias
    return y


def activation_codes(x: Any, activation: Activation) -> tuple[Any, Any, Any]:
    """x (R, K) as (p uint8 (R, K), s float32 (R,), z int32 (R,)): x ≈ s (p - z).

    A row with NaN has s = NaN, and so has one with infinities if it is to find its own scale.
    """
    if activation is not None:
        scale: Any = np.full(len(x), activation[0], np.float32)
        zero = np.full(len(x), activation[1], np.int32)
        bad = np.isnan(x).any(axis=1)
    else:
        low: Any = np.minimum(x.min(axis=1, initial=0), 0).astype(np.float32)
        high: Any = np.maximum(x.max(axis=1, initial=0), 0).astype(np.float32)
        bad = ~(np.isfinite(low) & np.isfinite(high))
        low, high = np.where(bad, 0, low), np.where(bad, 0, high)
        scale = high / np.float32(LEVELS) - low / np.float32(LEVELS)
        scale = np.where(scale > 0, np.maximum(scale, np.finfo(np.float32).tiny), 1).astype(np.float32)
        zero = np.rint(-low / scale).astype(np.int32)
    q: Any = np.where(bad[:, None], 0, x) / scale[:, None]
    np.clip(q, -1024, 1024, out=q)  # what is outside ends at 0 or 255 all the same, and adding stays exact
    np.rint(q, out=q)
    q += zero[:, None]
    codes = np.clip(q, 0, LEVELS, out=q).astype(np.uint8)
    return codes, np.where(bad, np.float32(np.nan), scale).astype(np.float32), zero


def loops_int8(x: Any, weight: QuantizedArray, bias: Any = None, activation: Activation = None) -> Any:
    """y = s · Σ_g scale · Σ_{k in g} (p - z)(q - zero) + b, one integer after the other."""
    codes, scales, zeros = activation_codes(x, activation)
    y = np.zeros((x.shape[0], weight.values.shape[0]), x.dtype)
    for r in range(y.shape[0]):
        for o in range(y.shape[1]):
            total = 0.0
            for group in range(weight.scale.shape[1]):
                zero = 0 if weight.zero_point is None else int(weight.zero_point[o, group])
                part = 0
                for k in range(group * weight.group_size, min((group + 1) * weight.group_size, x.shape[1])):
                    part += (int(codes[r, k]) - int(zeros[r])) * (int(weight.values[o, k]) - zero)
                total += float(weight.scale[o, group]) * part
            y[r, o] = float(scales[r]) * total + (0.0 if bias is None else float(bias[o]))
    return y


def numpy_int8(x: Any, weight: QuantizedArray, bias: Any = None, activation: Activation = None) -> Any:
    """The same, with sums of integers by BLAS in float32, as long as they are exact."""
    codes, scales, zeros = activation_codes(x, activation)
    (rows, columns), size = weight.values.shape, weight.group_size
    y = np.zeros((len(x), rows), np.float32)
    whole = np.int32 if size <= SHORT else np.int64
    for group in range(weight.scale.shape[1]):
        first, last = group * size, min((group + 1) * size, columns)
        total = np.zeros((len(x), rows), whole)
        for start in range(first, last, EXACT):
            some = slice(start, min(start + EXACT, last))
            bytes_of_x, bytes_of_w = (
                part.astype(np.float32) for part in (codes[:, some], weight.values[:, some])
            )
            total += bytes_of_x.dot(bytes_of_w.T).astype(whole)
        total -= zeros[:, None] * weight.sums()[:, group].astype(whole)
        if weight.zero_point is not None:
            zero = weight.zero_point[:, group].astype(whole)
            total -= (codes[:, first:last].sum(axis=1, dtype=whole) - (last - first) * zeros)[:, None] * zero
        y += total.astype(np.float32) * weight.scale[:, group]
    y *= scales[:, None]
    if bias is not None:
        y += bias
    return y.astype(x.dtype, copy=False)


# Where numba is installed its kernels are the default, not only after `accelerate`: a quantized model is there to be
# fast, and NumPy has to make floats of all weights for each token.
_HAVE_NUMBA = importlib.util.find_spec("numba") is not None
for _operation, _loops, _numpy in (
    ("quantized_linear", loops, numpy),
    ("quantized_linear_int8", loops_int8, numpy_int8),
):
    kernels.register(_operation, "loops", _loops)
    kernels.register(_operation, "numpy", _numpy, default=True)
    if _HAVE_NUMBA:
        kernels.register(_operation, NAME, Late(KERNELS[_operation]), default=True)
