"""decode_layers for one new token of one text, in NumPy: few calls for all layers. See row.py.

    x ← x + out(softmax(factor · q keysᵀ) values),   q, key, value = qkv(layer_norm(x))
    x ← x + down(activation(up(layer_norm(x))))                                              for each layer

A norm is two products with x and a row of ones below it: (Σ x², Σ x), then x r - m r, with mean m, r = 1 / √(v + eps),
and the variance v = mean(x²) - m², which is right to a bit or two where m² ≤ v; elsewhere `layer_norm_of_row` does it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn.normalization import ROW, layer_norm_of_row
from tt_text.kernels.row import MOST, Row, are_floats, run_row, taken_row
from tt_text.kernels.row_activations import ROW_ACTIVATIONS

__all__ = ["LayerNormRow", "decode_row", "normed_product", "suits"]


def suits(layers: Any) -> bool:
    """Are all weights plain arrays of float32 that fit together? What is found is kept."""
    if layers.rows is None:
        layers.rows = [] if layers.parts and all(map(_fits, layers.parts)) else False
    return layers.rows is not False


def _fits(part: Any) -> bool:
    """Does one layer?"""
    (scale_1, shift_1, _, qkv, qkv_bias), _, rest = part
    out, out_bias, scale_2, shift_2, _, up, up_bias, activation, down, down_bias = rest
    of_x = scale_1, shift_1, out_bias, scale_2, shift_2, down_bias
    rows = [(qkv_bias, qkv), (up_bias, up), *[(one, out) for one in of_x]]
    if activation not in ROW_ACTIVATIONS or not are_floats((qkv, out, up, down), rows):
        return False
    n = len(out)
    return n <= ROW and (qkv.shape[1], up.shape[1], down.shape) == (n, n, (n, len(up)))


def decode_row(x: Any, layers: Any, held: Any, first: int, stop: int) -> Any:
    """decode_layers(x, layers, held, first, stop, None) for x of shape (1, 1, C) in float32, and layers that `suits`.

    Returns None where `run_row` does.
    """
    return run_row(_made, x, layers, held, first, stop)


def normed_product(
    x: Any, layers: Any, sizes: tuple[int, int], scale: Any, shift: Any, eps: float, weight: Any, bias: Any
) -> Any:
    """weight · layer_norm(x) + bias, as norm_linear gives it, for what `decode_row` gave: a head, by the same memory.

    Args:
        sizes: how many heads of keys the cache has, and the numbers of each.

    Returns None where dtypes or shapes differ.
    """
    row = taken_row(_made, layers, *sizes)
    if row is None:
        return None
    y, shape = None, row.y.shape
    if (
        weight.dtype is x.dtype
        and weight.shape[1:] == shape
        and (scale is None or (scale.dtype is x.dtype and scale.shape == shape))
        and (shift is None or shift.shape == shape)
    ):
        row.x[...] = x.reshape(row.n)
        row.normalize(scale, shift, eps)
        y = weight.dot(row.y)
        if bias is not None:
            y += bias
        y = y.reshape(1, 1, len(y))
    layers.rows.append(row)
    return y


def _made(parts: Any, groups: int, d: int) -> Row | None:
    """A row for these layers, or None where they have other heads than the cache."""
    inner = parts[0][2][0].shape[1]
    if not groups * d or inner % (groups * d):
        return None
    for front, _, rest in parts:
        if (len(front[3]), *rest[0].shape) != (inner + 2 * groups * d, len(parts[0][2][0]), inner):
            return None
    return LayerNormRow(parts, groups, d)


class LayerNormRow(Row):
    """A row for layers with layer norms, which have queries, keys and values from one product."""

    def __init__(self, parts: Any, groups: int, d: int) -> None:
        n, inner = parts[0][2][0].shape
        super().__init__(len(parts), n, inner // d, groups, d)
        self.sums, self.ways = np.empty((2, 2), np.float32)
        self.parts = []
        for front, factor, (*behind, activation, down, down_bias) in parts:
            hidden = np.empty(down.shape[1], np.float32)
            made = hidden, ROW_ACTIVATIONS[activation](hidden), down, down_bias
            self.parts.append((*front, np.array(factor, np.float32), *behind, *made))

    def through(self, held: Any, seen: slice, last: int, *rest: Any) -> None:
        add, x, y, packed, q, normalize = np.add, self.x, self.y, self.packed, self.q, self.normalize
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
            np.multiply(q, factor, q)
            out.dot(self.attend(keys, values, seen, total), y)
            if out_bias is not None:
                add(y, out_bias, y)
            add(x, y, x)
            normalize(scale_2, shift_2, eps_2)
            up.dot(y, hidden)
            if up_bias is not None:
                add(hidden, up_bias, hidden)
            down.dot(activated(), y)
            if down_bias is not None:
                add(y, down_bias, y)
            add(x, y, x)

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
