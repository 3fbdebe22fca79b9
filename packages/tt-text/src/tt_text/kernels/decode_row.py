"""decode_layers for one new token of one text, in NumPy: a row of numbers on its way through all layers.

    x ← x + out(softmax(factor · q keysᵀ) values),   q, key, value = qkv(layer_norm(x))
    x ← x + down(activation(up(layer_norm(x))))                                              for each layer

With a model of a few million parameters, calls are what a token costs; so there are as few of them as may be, and all
write into memory that is there already. What makes them few:

- A norm is two products with x and a row of ones below it: (Σ x², Σ x), and x r - m r, with mean m and r = 1 / √(v +
  eps). The variance v = mean(x²) - m² is right to a bit or two where m² ≤ v; elsewhere `layer_norm_of_row` does it.
- softmax goes without the largest score, as long as no sum of exp(scores) leaves [LEAST, MOST]. If one does, the token
  is computed again, with the largest taken off, and from then on it always is.
- Nothing is looked at on the way: what is not finite stays so to the end of x, which is only added to. Where that is
  not finite, there is no result, and whoever called goes a way that gives what each layer by itself would give.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tt_nn.normalization import ROW, layer_norm_of_row
from tt_nn.smooth import gelu_of_row, gelu_scratch, silu_of_row

__all__ = ["decode_row", "suits"]

LEAST, MOST = 1e-20, 1e20
"""Sums of exp in these bounds, and what is divided by them, are far from where float32 ends."""

FLOAT = np.dtype(np.float32)


def suits(layers: Any) -> bool:
    """Are all weights plain arrays of float32 that fit together? What is found is kept."""
    if layers.rows is None:
        layers.rows = [] if layers.parts and all(map(_fits, layers.parts)) else False
    return layers.rows is not False


def _fits(part: Any) -> bool:
    """Does one layer?"""
    (scale_1, shift_1, _, qkv, qkv_bias), _, rest = part
    out, out_bias, scale_2, shift_2, _, up, up_bias, activation, down, down_bias = rest
    weights = qkv, out, up, down
    rows = (
        (scale_1, out), (shift_1, out), (qkv_bias, qkv), (out_bias, out), (scale_2, out), (shift_2, out), (up_bias, up),
        (down_bias, down),
    )  # fmt: skip
    if activation not in _ACTIVATIONS or not all(
        _is_float(one) and one.ndim == 2 and one.size for one in weights
    ):
        return False
    n, hidden = out.shape[0], up.shape[0]
    return (
        (qkv.shape[1], up.shape[1], down.shape) == (n, n, (n, hidden))
        and n <= ROW
        and all(row is None or (_is_float(row) and row.shape == of.shape[:1]) for row, of in rows)
    )


def _is_float(array: Any) -> bool:
    return array.__class__ is np.ndarray and array.dtype == FLOAT


def decode_row(x: Any, layers: Any, held: Any, first: int, stop: int) -> Any:
    """decode_layers(x, layers, held, first, stop, None) for x of shape (1, 1, C) in float32, and layers that `suits`.

    Returns None where a number on the way is not finite, or shapes do not fit; the new places of the cache may have
    been written to then, and want to be once more.
    """
    _, groups, _, d = held[0][0].shape
    try:
        # Taken out of the list: another thread, or another call inside of this one, makes a row of its own.
        row = layers.rows.pop()
    except IndexError:
        row = None
    if row is None or row.sizes != (groups, d):
        row = _Row(layers.parts, groups, d)
    y = row.decoded(x, held, first, stop) if row.fits else None
    layers.rows.append(row)
    return y


class _Row:
    """The memory that a token needs on its way, and views of it.

    Args:
        parts: the layers', which suit.
        groups: how many heads of keys and values there are.
        d: the numbers of each.
    """

    def __init__(self, parts: Any, groups: int, d: int) -> None:
        self.sizes, self.shifted = (groups, d), False
        n, inner = parts[0][2][0].shape
        rows = inner + 2 * groups * d
        self.fits = bool(groups * d) and not inner % (groups * d)
        self.fits = self.fits and all(rest[0].shape == (n, inner) for _, _, rest in parts)
        self.fits = self.fits and all(len(front[3]) == rows for front, _, _ in parts)
        if not self.fits:
            return
        self.n, self.d, self.heads = n, d, inner // d
        self.stack = np.ones((2, n), np.float32)  # x, and a row of ones
        self.x = self.stack[0]
        self.sums, self.ways = np.empty((2, 2), np.float32)
        self.y = np.empty(n, np.float32)
        self.packed = np.empty(rows, np.float32)
        self.q = self.packed[:inner].reshape(groups, -1, d)
        self.key, self.value = self.packed[inner:].reshape(2, groups, d)
        self.totals = np.empty((len(parts), self.heads), np.float32)
        self.ones = np.ones(64, np.float32)
        self.gathered = np.empty(inner, np.float32)
        self.by_heads = self.gathered.reshape(self.q.shape)
        self.parts = []
        for front, factor, (*behind, activation, down, down_bias) in parts:
            hidden = np.empty(len(down.T), np.float32)
            made = hidden, _ACTIVATIONS[activation](hidden), down, down_bias
            self.parts.append((*front, np.array(factor, np.float32), *behind, *made))

    def decoded(self, x: Any, held: Any, first: int, stop: int) -> Any:
        """x behind all layers, in memory of its own; None where a number is not finite."""
        with np.errstate(all="ignore"):
            y = self.through(x, held, first, stop)
            if y is None and not self.shifted:
                self.shifted = True
                y = self.through(x, held, first, stop)
                self.shifted = y is not None  # else it was something else
        return y

    def through(self, x: Any, held: Any, first: int, stop: int) -> Any:
        """The same for one way to compute softmax."""
        add, multiply, matmul, exp = np.add, np.multiply, np.matmul, np.exp
        row, y, packed, q, gathered, normalize = (
            self.x,
            self.y,
            self.packed,
            self.q,
            self.gathered,
            self.normalize,
        )
        seen, last, shape = slice(first, stop), stop - 1, (self.heads, stop - first)
        if len(self.ones) < stop - first:
            self.ones = np.ones(2 * (stop - first), np.float32)
        ones = self.ones[: stop - first]
        row[...] = x.reshape(self.n)
        for part, (keys, values), total in zip(self.parts, held, self.totals, strict=True):
            (
                scale_1, shift_1, eps_1, qkv, qkv_bias, factor, out, out_bias, scale_2, shift_2, eps_2, up, up_bias,
                hidden, activated, down, down_bias,
            ) = part  # fmt: skip
            normalize(scale_1, shift_1, eps_1)
            qkv.dot(y, packed)
            if qkv_bias is not None:
                add(packed, qkv_bias, packed)
            keys[0, :, last], values[0, :, last] = self.key, self.value
            multiply(q, factor, q)
            e = matmul(q, keys[0, :, seen].swapaxes(1, 2))  # (G, H/G, S)
            if self.shifted:
                e -= np.maximum.reduce(e, axis=2, keepdims=True)
            exp(e, e)
            e.reshape(shape).dot(ones, total)
            matmul(e, values[0, :, seen], self.by_heads)
            np.divide(gathered, total.repeat(self.d), gathered)
            out.dot(gathered, y)
            if out_bias is not None:
                add(y, out_bias, y)
            add(row, y, row)
            normalize(scale_2, shift_2, eps_2)
            up.dot(y, hidden)
            if up_bias is not None:
                add(hidden, up_bias, hidden)
            down.dot(activated(), y)
            if down_bias is not None:
                add(y, down_bias, y)
            add(row, y, row)
        totals = self.totals.ravel().tolist()
        if min(totals) < LEAST or max(totals) > MOST or not math.isfinite(row.dot(row)):
            return None  # a sum that is no number made no numbers of x
        return row.copy().reshape(x.shape)

    def normalize(self, scale: Any, shift: Any, eps: float) -> None:
        """y = (x - m) r · scale + shift."""
        y, ways = self.y, self.ways
        square, mean = self.stack.dot(self.x, self.sums).tolist()
        square, mean = square / self.n, mean / self.n
        variance = square - mean * mean
        if mean * mean <= variance < MOST and variance + eps > 0:
            ways[0] = r = 1 / math.sqrt(variance + eps)
            ways[1] = -mean * r
            ways.dot(self.stack, y)
            if scale is not None:
                np.multiply(y, scale, y)
            if shift is not None:
                np.add(y, shift, y)
        else:
            y[...] = layer_norm_of_row(self.x, scale, shift, eps)


# --- activations: each makes, of the memory of its input, a call that gives what becomes of it, and may write there ---


def _gelu(x: Any) -> Callable[[], Any]:
    scratch = gelu_scratch(len(x))
    return lambda: gelu_of_row(x, scratch)


def _gelu_tanh(x: Any) -> Callable[[], Any]:
    """½ x (1 + tanh(z)) = x / (1 + exp(-2 z)), with z = √(2/π) (x + 0.044715 x³); at ±inf, too, but for NaN at -inf."""
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
    y = np.empty_like(x)
    return lambda: silu_of_row(x, y)


def _relu(x: Any) -> Callable[[], Any]:
    zero = np.array(0, np.float32)
    return lambda: np.maximum(x, zero, out=x)


_ACTIVATIONS = {"gelu": _gelu, "gelu_tanh": _gelu_tanh, "relu": _relu, "silu": _silu}
