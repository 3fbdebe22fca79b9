"""All layers of a Llama for one new token of one text, in NumPy: few calls. See row.py.

    x ← x + o(softmax(q keysᵀ / √d) values),   q, key = rotated(q(h), k(h)), value = v(h), h = rms_norm(x)
    x ← x + down(activation(gate(h)) · up(h)),   h = rms_norm(x)                             for each layer

There is no operation for it in the table: compiled kernels have none, and Llama's layers call theirs one by one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import Linear, RMSNorm
from tt_nn.linear import linear_infer_numpy
from tt_nn.normalization import ROW
from tt_tensor import kernels
from tt_text.kernels.decode import decode_attention_numpy, of_linear
from tt_text.kernels.row import MOST, Row, are_floats, run_row
from tt_text.kernels.row_activations import ROW_ACTIVATIONS

__all__ = ["RMSNormRow", "decode_rotary_row", "of_rotary_layer", "runs_plain", "suits_rotary"]


def runs_plain() -> bool:
    """Do the operations that Llama's layers call run on NumPy? A compiled one is quicker, or someone wants another."""
    return (
        kernels.kernel("decode_attention") is decode_attention_numpy
        and kernels.kernel("linear_infer") is linear_infer_numpy
    )


def of_rotary_layer(
    norm_1: RMSNorm, projections: tuple[Linear, ...], norm_2: RMSNorm, mlp: tuple[Linear, ...], activation: str
) -> tuple[Any, ...]:  # fmt: skip
    """What a row takes of a layer: its arrays, eps and the activation's name.

    Args:
        projections: those to queries, keys and values, and the one that is last.
        mlp: gate, up, down.
    """
    linears = [of_linear(one) for one in (*projections, *mlp)]
    return _of_norm(norm_1), _of_norm(norm_2), linears, activation


def _of_norm(norm: RMSNorm) -> tuple[Any, float]:
    eps = float(np.finfo(np.float32).eps) if norm.eps is None else norm.eps
    return None if norm.weight is None else norm.weight.array, eps


def suits_rotary(layers: Any) -> bool:
    """Are all weights plain arrays of float32 that fit together? What is found is kept."""
    if layers.rows is None:
        layers.rows = [] if layers.parts and all(map(_fits, layers.parts)) else False
    return layers.rows is not False


def _fits(part: Any) -> bool:
    """Does one layer?"""
    (scale_1, _), (scale_2, _), linears, activation = part
    q, k, v, o, gate, up, down = [weight for weight, _ in linears]
    rows = [(bias, weight) for weight, bias in linears] + [(scale_1, o), (scale_2, o)]
    if activation not in ROW_ACTIVATIONS or not are_floats((q, k, v, o, gate, up, down), rows):
        return False
    n = len(o)
    return (
        n <= ROW
        and {one.shape[1] for one in (q, k, v, gate, up)} == {n}
        and (k.shape, o.shape[1], up.shape, down.shape) == (v.shape, len(q), gate.shape, (n, len(gate)))
    )


def decode_rotary_row(
    x: Any, layers: Any, held: Any, first: int, stop: int, rotation: Any, factor: float
) -> Any:
    """x (1, 1, C) in float32 behind all layers, which suit; `rotation` turns queries and keys (1, 1, heads, d).

    The tokens first ≤ s < stop of the cache are seen, the last of which is the new one. Returns None where `run_row`
    does.
    """
    return run_row(_made, x, layers, held, first, stop, rotation, factor)


def _made(parts: Any, groups: int, d: int) -> Row | None:
    """A row for these layers, or None where they have other heads than the cache."""
    n, inner = parts[0][2][3][0].shape
    if not groups * d or inner % (groups * d):
        return None
    for _, _, linears, _ in parts:
        if (len(linears[1][0]), linears[3][0].shape) != (groups * d, (n, inner)):
            return None
    return RMSNormRow(parts, groups, d)


class RMSNormRow(Row):
    """A row for layers with RMS norms, rotary positions and gated MLPs."""

    def __init__(self, parts: Any, groups: int, d: int) -> None:
        n, inner = parts[0][2][3][0].shape
        super().__init__(len(parts), n, inner // d, groups, d)
        self.root = np.empty((), np.float32)
        turning = inner + groups * d
        self.turning = self.packed[:turning].reshape(1, 1, -1, d)
        into = self.packed[:inner], self.packed[inner:turning], self.packed[turning:]
        self.parts = []
        for norm_1, norm_2, linears, activation in parts:
            gate, up = np.empty((2, len(linears[4][0])), np.float32)
            qkv = [(*linear, out) for linear, out in zip(linears[:3], into, strict=True)]
            gated = (*linears[4], gate), ROW_ACTIVATIONS[activation](gate), (*linears[5], up)
            self.parts.append((norm_1, qkv, (*linears[3], self.y), norm_2, *gated, (*linears[6], self.y)))

    def through(self, held: Any, seen: slice, last: int, *rest: Any) -> None:
        rotation, factor = rest
        add, multiply, x, y, q, normalize = np.add, np.multiply, self.x, self.y, self.q, self.normalize
        factor = np.array(factor, np.float32)
        for part, (keys, values), total in zip(self.parts, held, self.totals, strict=True):
            norm_1, qkv, o, norm_2, gate, activated, up, down = part
            normalize(*norm_1)
            for linear in qkv:
                _apply(linear, y)
            turned = rotation(self.turning)[0, 0]  # (H + G, D)
            keys[0, :, last], values[0, :, last] = turned[self.heads :], self.value
            multiply(turned[: self.heads].reshape(q.shape), factor, q)
            _apply(o, self.attend(keys, values, seen, total))
            add(x, y, x)
            normalize(*norm_2)
            _apply(gate, y)
            hidden = _apply(up, y)
            multiply(activated(), hidden, hidden)
            _apply(down, hidden)
            add(x, y, x)

    def normalize(self, scale: Any, eps: float) -> None:
        """y = x r · scale, r = 1 / √(mean(x²) + eps)."""
        x, y = self.x, self.y
        square = float(x.dot(x)) / self.n + eps
        self.root[()] = 1 / math.sqrt(square) if 0 < square < MOST else math.nan
        np.multiply(x, self.root, y)
        if scale is not None:
            np.multiply(y, scale, y)


def _apply(linear: tuple[Any, Any, Any], x: Any) -> Any:
    """W x + b into the memory that is there for it."""
    weight, bias, out = linear
    weight.dot(x, out)
    if bias is not None:
        np.add(out, bias, out)
    return out
