"""What a transformer does for each new token, in few calls: a norm and the product after it, attention of one query
to a cache, and all of a block behind its cache.

For one token a network of a million weights computes for 100 µs, so that calls are what it costs: here one a layer
remains, or two with a cache that does not hand out its memory. For a large one, all is as quick as its weights come
from memory, on all cores (`gang`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_perf.compiled.gang import share, soon, state
from tt_perf.compiled.jit import inline, jit
from tt_perf.compiled.mathematics import exp32, normal32, sigmoid32
from tt_perf.compiled.matvec import EIGHT, FEW, FLOAT32, GRAIN, NOTHING, grain, peek, places, rows, run_of
from tt_perf.compiled.table import fallback

__all__ = [
    "ACTIVATIONS", "CACHED", "EVERYTHING", "activate", "all_heads", "decode_attention", "decode_block", "decode_layer",
    "fit", "layer", "norm_linear", "normalize", "or_nothing", "placed", "suits",
]  # fmt: skip

ACTIVATIONS = {"gelu": 1, "gelu_tanh": 2, "relu": 3, "silu": 4}
# 2 √(2/π), and times 0.044715: see gelu_tanh.
_LINE, _CUBE = np.float32(2 * np.sqrt(2 / np.pi)), np.float32(2 * np.sqrt(2 / np.pi) * 0.044715)
# Beyond, a gelu or silu of a negative number is 0, and this one times 0 is, too.
_FAR = np.float32(-1e4)
_0 = np.float32(0)


@inline
def normalize(x: Any, weight: Any, bias: Any, eps: Any, y: Any) -> None:
    """y = (x - mean) / √(variance + eps) · weight + bias for each row; both may be empty. Sums are in float64."""
    size = x.shape[1]
    part = 1.0 / max(size, 1)
    for n in range(len(x)):
        at = n * size
        total = 0.0
        for j in range(size):
            total += np.float64(peek(x, at + j))
        mean = total * part
        total = 0.0
        for j in range(size):
            off = np.float64(peek(x, at + j)) - mean
            total += off * off
        factor = 1.0 / math.sqrt(total * part + eps)
        for j in range(size):
            y[n, j] = np.float32((np.float64(peek(x, at + j)) - mean) * factor)
        if len(weight):
            for j in range(size):
                y[n, j] *= weight[j]
        if len(bias):
            for j in range(size):
                y[n, j] += bias[j]


@inline
def activate(y: Any, n: Any, start: Any, stop: Any, activation: Any) -> None:
    """The activation of that number, in place, on y[n, start:stop]."""
    if activation == 1:
        for i in range(start, stop):
            v = y[n, i]
            cdf, _ = normal32(v)
            y[n, i] = (_FAR if v < _FAR else v) * cdf
    elif activation == 2:
        for i in range(start, stop):
            v = y[n, i]
            v = _FAR if v < _FAR else v
            y[n, i] = v * sigmoid32(v * (_CUBE * v * v + _LINE))
    elif activation == 3:
        for i in range(start, stop):
            v = y[n, i]
            y[n, i] = _0 if v < _0 else v
    elif activation == 4:
        for i in range(start, stop):
            v = y[n, i]
            y[n, i] = (_FAR if v < _FAR else v) * sigmoid32(v)


@inline
def announce(gang: Any, weight: Any, x: Any) -> None:
    """The next product is of x, or of another matrix of that shape, and this weight; none where it is empty."""
    soon(gang, weight, EIGHT, places(len(weight)), grain(x, len(weight)))


_NORM = "float32[:, ::1], float32[::1], float32[::1], float64"


@jit(f"void(int64[::1], {_NORM}, float32[:, ::1], float32[::1], float32[:, ::1])")
def norm_rows(gang: Any, x: Any, scale: Any, shift: Any, eps: Any, weight: Any, bias: Any, y: Any) -> None:
    """y = norm(x) Wᵀ + b."""
    announce(gang, weight, x)
    normal = np.empty(x.shape, np.float32)
    normalize(x, scale, shift, eps, normal)
    share(gang, rows, places(len(weight)), grain(x, len(weight)), (normal, weight, bias, y))
    announce(gang, weight[:0], x)


@jit("void(int64, int64, float32[:, ::1], float32[:, ::1], float32[::1], float32[:, ::1], float32[:, ::1])")
def added_rows(start: Any, stop: Any, x: Any, weight: Any, bias: Any, add: Any, y: Any) -> None:
    """y = add + x Wᵀ + b, for the rows of W at these places."""
    rows(start, stop, x, weight, bias, y)
    for k in range(EIGHT + 1):
        first, last = run_of(k, start, stop, len(weight), EIGHT)
        for n in range(len(x)):
            for i in range(first, last):
                y[n, i] += add[n, i]


CACHED = (
    "float32[:, :, ::1], float32[:, :, :, :], float32[:, :, :, :], boolean[:, :], float32, float32[:, :, ::1]"
)


@jit(f"void(int64, int64, {CACHED})")
def heads(start: Any, stop: Any, q: Any, keys: Any, values: Any, mask: Any, scale: Any, out: Any) -> None:
    """Attention of queries to keys, for the heads start ≤ r · H + h < stop. The last axes are whole in memory.

    There are as many queries, one after the other, for each text: the last sees all keys, each before it one less.
    """
    h, d = q.shape[1], q.shape[2]
    groups, width = keys.shape[1], values.shape[3]
    each, new = h // groups, len(q) // max(len(keys), 1)
    weights = np.empty(keys.shape[2], np.float32)
    key_n, key_g, key_s = keys.strides[0] // 4, keys.strides[1] // 4, keys.strides[2] // 4
    value_n, value_g, value_s = values.strides[0] // 4, values.strides[1] // 4, values.strides[2] // 4
    for head in range(start, stop):
        r, place = head // h, head % h
        n, g = r // new, place // each
        s = keys.shape[2] - (new - 1 - r % new)
        even = s // 4 * 4
        row = head * d
        at = n * key_n + g * key_g
        # Four keys at once, for the same reason as the rows of a product.
        for i in range(0, even, 4):
            a = b = c = e = _0
            first, second = at + i * key_s, at + (i + 1) * key_s
            third, fourth = at + (i + 2) * key_s, at + (i + 3) * key_s
            for j in range(d):
                value = peek(q, row + j)
                a += value * peek(keys, first + j)
                b += value * peek(keys, second + j)
                c += value * peek(keys, third + j)
                e += value * peek(keys, fourth + j)
            weights[i], weights[i + 1], weights[i + 2], weights[i + 3] = a, b, c, e
        for i in range(even, s):
            a = _0
            for j in range(d):
                a += peek(q, row + j) * peek(keys, at + i * key_s + j)
            weights[i] = a
        for i in range(s):
            weights[i] *= scale
        if mask.size:
            for i in range(s):
                if not mask[n, i]:
                    weights[i] = -np.inf
        top = np.float32(-np.inf)
        for i in range(s):
            # NaN is the largest of all, as in NumPy.
            top = weights[i] if not weights[i] <= top else top
        if top == -np.inf:  # nothing is in sight
            for j in range(width):
                out[r, place, j] = _0
            continue
        total = _0
        for i in range(s):
            weights[i] = exp32(weights[i] - top)
            total += weights[i]
        for j in range(width):
            out[r, place, j] = _0
        at = n * value_n + g * value_g
        for i in range(0, even, 4):
            a, b, c, e = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
            first, second = at + i * value_s, at + (i + 1) * value_s
            third, fourth = at + (i + 2) * value_s, at + (i + 3) * value_s
            for j in range(width):
                out[r, place, j] += (a * peek(values, first + j) + b * peek(values, second + j)) + (
                    c * peek(values, third + j) + e * peek(values, fourth + j)
                )
        for i in range(even, s):
            a = weights[i]
            for j in range(width):
                out[r, place, j] += a * peek(values, at + i * value_s + j)
        for j in range(width):
            out[r, place, j] /= total


@jit(f"void(int64[::1], {CACHED})")
def all_heads(gang: Any, q: Any, keys: Any, values: Any, mask: Any, scale: Any, out: Any) -> None:
    """The same for all heads, on all cores."""
    each = max(GRAIN // max(keys.shape[2] * q.shape[2], 1) // 2, 1)
    share(gang, heads, q.shape[0] * q.shape[1], each, (q, keys, values, mask, scale, out))


_LINEAR = "float32[:, ::1], float32[::1]"


@jit(
    f"void(int64[::1], float32[:, ::1], {CACHED}, {_LINEAR}, float32[::1], float32[::1], float64, {_LINEAR}, int64, "
    f"{_LINEAR}, float32[:, ::1])"
)
def block(
    gang: Any, x: Any, q: Any, keys: Any, values: Any, mask: Any, factor: Any, gathered: Any, out: Any, out_bias: Any,
    scale: Any, shift: Any, eps: Any, up: Any, up_bias: Any, activation: Any, down: Any, down_bias: Any, y: Any,
) -> None:  # fmt: skip
    """z = x + out(attention), y = z + down(activation(up(norm(z))))."""
    n = len(x)
    announce(gang, out, gathered.reshape((n, gathered.size // max(n, 1))))
    each = max(GRAIN // max(keys.shape[2] * q.shape[2], 1) // 2, 1)
    share(gang, heads, q.shape[0] * q.shape[1], each, (q, keys, values, mask, factor, gathered))
    flat = gathered.reshape((n, gathered.size // max(n, 1)))
    z, normal = np.empty(x.shape, np.float32), np.empty(x.shape, np.float32)
    hidden = np.empty((n, len(up)), np.float32)
    share(gang, added_rows, places(len(out)), grain(flat, len(out)), (flat, out, out_bias, x, z))
    announce(gang, up, x)
    normalize(z, scale, shift, eps, normal)
    share(gang, rows, places(len(up)), grain(normal, len(up)), (normal, up, up_bias, hidden))
    announce(gang, down, hidden)
    # Here, as the runs of rows at a few places are too short for lanes.
    for i in range(n):
        activate(hidden, i, 0, len(up), activation)
    share(gang, added_rows, places(len(down)), grain(hidden, len(down)), (hidden, down, down_bias, z, y))
    announce(gang, down[:0], x)


@inline
def placed(parts: Any, keys: Any, values: Any, q: Any) -> None:
    """parts (N T, (H + 2 G) D) cut in q, the last T keys and the last T values; the last axes are whole in memory."""
    groups, d = keys.shape[1], keys.shape[3]
    h, new = q.shape[1], len(parts) // max(len(keys), 1)
    for r in range(len(parts)):
        n, s = r // new, keys.shape[2] - new + r % new
        for head in range(h):
            for j in range(d):
                q[r, head, j] = parts[r, head * d + j]
        for g in range(groups):
            for j in range(d):
                keys[n, g, s, j] = parts[r, (h + g) * d + j]
            for j in range(d):
                values[n, g, s, j] = parts[r, (h + groups + g) * d + j]


@jit(
    f"void(int64[::1], {_NORM}, {_LINEAR}, float32[:, :, :, :], float32[:, :, :, :], boolean[:, :], float32, "
    f"{_LINEAR}, float32[::1], float32[::1], float64, {_LINEAR}, int64, {_LINEAR}, float32[:, ::1])"
)
def layer(
    gang: Any, x: Any, scale_1: Any, shift_1: Any, eps_1: Any, qkv: Any, qkv_bias: Any, keys: Any, values: Any,
    mask: Any, factor: Any, out: Any, out_bias: Any, scale: Any, shift: Any, eps: Any, up: Any, up_bias: Any,
    activation: Any, down: Any, down_bias: Any, y: Any,
) -> None:  # fmt: skip
    """`block`, with q, the last keys and the last values from qkv(norm(x)): T of each text, for x (N T, C)."""
    n, d = len(x), keys.shape[3]
    parts = np.empty((n, len(qkv)), np.float32)
    norm_rows(gang, x, scale_1, shift_1, eps_1, qkv, qkv_bias, parts)
    q = np.empty((n, len(qkv) // d - 2 * keys.shape[1], d), np.float32)
    placed(parts, keys, values, q)
    block(
        gang, x, q, keys, values, mask, factor, np.empty(q.shape, np.float32), out, out_bias, scale, shift, eps, up,
        up_bias, activation, down, down_bias, y,
    )  # fmt: skip


EVERYTHING = np.empty((0, 0), np.bool_)
"""The mask where there is none."""


def norm_linear(x: Any, scale: Any, shift: Any, eps: float, weight: Any, bias: Any) -> Any:
    """linear(layer_norm(x)): see tt_text.kernels.decode."""
    if weight.__class__ is not np.ndarray:
        return _of_bytes().norm_linear(x, scale, shift, eps, weight, bias)
    if x.dtype is FLOAT32 and 0 < x.size <= FEW * x.shape[-1]:
        given = x.reshape(-1, x.shape[-1])
        y = np.empty((len(given), len(weight)), FLOAT32)
        try:
            norm_rows(state(), given, or_nothing(scale), or_nothing(shift), eps, weight, or_nothing(bias), y)
        except TypeError:  # an array of another kind than the kernel's signature says
            return fallback("norm_linear")(x, scale, shift, eps, weight, bias)
        return y.reshape((*x.shape[:-1], len(weight)))
    return fallback("norm_linear")(x, scale, shift, eps, weight, bias)


def decode_attention(q: Any, keys: Any, values: Any, mask: Any, scale: float) -> Any:
    """softmax(scale · q keysᵀ) values for one query a sequence: see tt_text.kernels.decode."""
    if suits(keys, values):
        out = np.empty((q.shape[0], q.shape[1], values.shape[3]), FLOAT32)
        try:
            all_heads(
                state(),
                np.ascontiguousarray(q),
                keys,
                values,
                EVERYTHING if mask is None else mask,
                scale,
                out,
            )
        except TypeError:
            pass
        else:
            return out
    return fallback("decode_attention")(q, keys, values, mask, scale)


def decode_block(
    x: Any, q: Any, keys: Any, values: Any, mask: Any, factor: float, out: Any, out_bias: Any, scale: Any, shift: Any,
    eps: float, up: Any, up_bias: Any, activation: str, down: Any, down_bias: Any,
) -> Any:  # fmt: skip
    """z + mlp(layer_norm(z)) with z = x + out(attention): see tt_text.kernels.decode."""
    if out.__class__ is not np.ndarray:
        return _of_bytes().decode_block(
            x, q, keys, values, mask, factor, out, out_bias, scale, shift, eps, up, up_bias, activation, down, down_bias
        )  # fmt: skip
    n = len(q)
    if (
        0 < n <= FEW
        and x.dtype is FLOAT32
        and suits(keys, values)
        and x.size == n * len(out) == n * len(down) == n * up.shape[1]
        and out.shape[1] == q.shape[1] * values.shape[3]
        and down.shape[1] == len(up)
    ):
        y = np.empty((n, len(down)), FLOAT32)
        gathered = np.empty((n, q.shape[1], values.shape[3]), FLOAT32)
        try:
            block(
                state(), x.reshape(y.shape), np.ascontiguousarray(q), keys, values,
                EVERYTHING if mask is None else mask, factor, gathered, out, or_nothing(out_bias), or_nothing(scale),
                or_nothing(shift), eps, up,
                or_nothing(up_bias), ACTIVATIONS[activation], down, or_nothing(down_bias), y,
            )  # fmt: skip
        except TypeError:  # an array of another kind than the kernel's signature says
            pass
        else:
            return y.reshape(x.shape)
    return fallback("decode_block")(
        x,
        q,
        keys,
        values,
        mask,
        factor,
        out,
        out_bias,
        scale,
        shift,
        eps,
        up,
        up_bias,
        activation,
        down,
        down_bias,
    )


def fit(x: Any, keys: Any, values: Any, qkv: Any, out: Any, up: Any, down: Any) -> bool:
    """Are these shapes of weights, (out, in), and arrays those of a layer, for a kernel that looks at none of them?"""
    n, groups, tokens, d = keys.shape
    heads = out[1] // max(d, 1)
    return (
        0 < n <= FEW
        and x.dtype is FLOAT32
        and suits(keys, values)
        and values.shape == keys.shape
        and tokens > 0
        and x.size == n * qkv[1] == n * out[0] == n * down[0] == n * up[1]
        and out[1] == heads * d
        and qkv[0] == (heads + 2 * groups) * d
        and heads % max(groups, 1) == 0
        and down[1] == up[0]
    )


def decode_layer(
    x: Any, scale_1: Any, shift_1: Any, eps_1: float, qkv: Any, qkv_bias: Any, keys: Any, values: Any, mask: Any,
    factor: float, out: Any, out_bias: Any, scale: Any, shift: Any, eps: float, up: Any, up_bias: Any, activation: str,
    down: Any, down_bias: Any,
) -> Any:  # fmt: skip
    """decode_block, with q, the last key and the last value from qkv(layer_norm(x)): see tt_text.kernels.decode."""
    if out.__class__ is not np.ndarray:
        return _of_bytes().decode_layer(
            x, scale_1, shift_1, eps_1, qkv, qkv_bias, keys, values, mask, factor, out, out_bias, scale, shift, eps,
            up, up_bias, activation, down, down_bias,
        )  # fmt: skip
    if fit(x, keys, values, qkv.shape, out.shape, up.shape, down.shape):
        y = np.empty((len(keys), len(down)), FLOAT32)
        try:
            layer(
                state(), x.reshape(y.shape), or_nothing(scale_1), or_nothing(shift_1), eps_1, qkv,
                or_nothing(qkv_bias), keys, values, EVERYTHING if mask is None else mask, factor, out,
                or_nothing(out_bias), or_nothing(scale), or_nothing(shift), eps, up, or_nothing(up_bias),
                ACTIVATIONS[activation], down, or_nothing(down_bias), y,
            )  # fmt: skip
        except TypeError:  # an array of another kind than the kernel's signature says
            pass
        else:
            return y.reshape(x.shape)
    return fallback("decode_layer")(
        x, scale_1, shift_1, eps_1, qkv, qkv_bias, keys, values, mask, factor, out, out_bias, scale, shift, eps,
        up, up_bias, activation, down, down_bias,
    )  # fmt: skip


def suits(keys: Any, values: Any) -> bool:
    """Are the rows of these whole in memory, as the kernel counts on?"""
    return keys.dtype is FLOAT32 and values.dtype is FLOAT32 and keys.strides[3] == 4 == values.strides[3]


def or_nothing(vector: Any) -> Any:
    return NOTHING if vector is None else vector


_bytes: Any = None


def _of_bytes() -> Any:
    """A module of its own: who has no quantized layers need not wait until it is compiled."""
    global _bytes
    if _bytes is None:
        from tt_perf.compiled import decode_bytes

        _bytes = decode_bytes
    return _bytes
