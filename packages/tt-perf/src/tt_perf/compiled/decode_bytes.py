# mypy: disable-error-code="untyped-decorator"
"""decode.py's operations for layers whose weights are bytes: one call for a norm and a product, one for a layer.

Activations become codes on the way, as in stored_products.py; what runs between two products runs in the same call, so
a token costs what its weights take to come from memory. A row with NaN or an infinity goes to NumPy's kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_perf.compiled.bytes import STREAMS, WIDTH
from tt_perf.compiled.decode import (
    ACTIVATIONS,
    CACHED,
    EVERYTHING,
    activate,
    all_heads,
    fit,
    normalize,
    or_nothing,
    placed,
    suits,
)  # fmt: skip
from tt_perf.compiled.gang import share, soon, state
from tt_perf.compiled.jit import inline, jit
from tt_perf.compiled.matvec import FEW, FLOAT32, run_of
from tt_perf.compiled.stored_products import ROWS, WEIGHT, byte_grain, byte_places, byte_rows, coded
from tt_perf.compiled.table import fallback
from tt_perf.quantization.products import SHORT
from tt_tensor import memory

__all__ = ["decode_block", "decode_layer", "layer", "norm_linear", "taken"]


NONE = np.empty((0, 0), np.int8)
"""What comes next where that is not known."""


@jit(f"void(int64, int64, {ROWS}, float32[:, ::1])")
def added_rows(
    start: Any, stop: Any, codes: Any, x_scale: Any, x_zero: Any, x_sums: Any, weights: Any, scale: Any, zero: Any,
    sums: Any, offsets: Any, size: Any, bias: Any, y: Any, add: Any,
) -> None:  # fmt: skip
    """y = add + x Ŵᵀ + b, for the rows of W at these places; nothing is added where `add` is empty."""
    byte_rows(start, stop, codes, x_scale, x_zero, x_sums, weights, scale, zero, sums, offsets, size, bias, y)
    if len(add):
        for k in range(STREAMS + 1):
            first, last = run_of(k, start, stop, len(weights), STREAMS)
            for n in range(len(codes)):
                for i in range(first, last):
                    y[n, i] += add[n, i]


@inline
def announce(gang: Any, weights: Any, x: Any) -> None:
    """The next product is of x, or of another matrix of so many rows, and these weights; none where these are empty."""
    soon(gang, weights, STREAMS, byte_places(len(weights)), byte_grain(x, weights))


LAYER = f"int64, float32, int64, {WEIGHT}, float32[::1]"
"""A layer: bytes of an activation, the scale and the zero point of static ones, the weight, the bias."""


@jit(f"boolean(int64[::1], float32[:, ::1], {LAYER}, int64, float32[:, ::1], int8[:, ::1], float32[:, ::1])")
def finished(
    gang: Any, x: Any, planes: Any, given: Any, given_zero: Any, weights: Any, scale: Any, zero: Any, sums: Any,
    offsets: Any, size: Any, bias: Any, activation: Any, add: Any, then: Any, y: Any,
) -> Any:  # fmt: skip
    """y = activation(add + x Ŵᵀ + b) for all rows, on all cores. False where x is not all numbers.

    `then` are the weights of the product that comes after this, if that is known.
    """
    rows, n = x.shape
    codes = np.empty((rows, planes * n), np.uint8)
    x_scale, x_zero = np.empty(rows, np.float32), np.empty(rows, np.int64)
    x_sums = np.zeros((rows, scale.shape[1]), np.int64)
    if coded(x, planes, given, given_zero, len(zero) > 0, size, codes, x_scale, x_zero, x_sums) < rows:
        return False
    share(
        gang, added_rows, byte_places(len(weights)), byte_grain(codes, weights),
        (codes, x_scale, x_zero, x_sums, weights, scale, zero, sums, offsets, size, bias, y, add),
    )  # fmt: skip
    announce(gang, then, x)
    # Here, as the runs of rows at a few places are too short for lanes.
    if activation:
        for r in range(rows):
            activate(y, r, 0, len(weights), activation)
    return True


_NORM = "float32[:, ::1], float32[::1], float32[::1], float64"


@jit(f"boolean(int64[::1], {_NORM}, {LAYER}, int8[:, ::1], float32[:, ::1])")
def norm_bytes(
    gang: Any, x: Any, scale: Any, shift: Any, eps: Any, planes: Any, given: Any, given_zero: Any, weights: Any,
    w_scale: Any, zero: Any, sums: Any, offsets: Any, size: Any, bias: Any, then: Any, y: Any,
) -> Any:  # fmt: skip
    """y = norm(x) Ŵᵀ + b. False where norm(x) is not all numbers."""
    announce(gang, weights, x)
    normal = np.empty(x.shape, np.float32)
    normalize(x, scale, shift, eps, normal)
    return finished(
        gang,
        normal,
        planes,
        given,
        given_zero,
        weights,
        w_scale,
        zero,
        sums,
        offsets,
        size,
        bias,
        0,
        normal[:0],
        then,
        y,
    )


@jit(
    f"boolean(int64[::1], float32[:, ::1], {CACHED}, {LAYER}, float32[::1], float32[::1], float64, {LAYER}, int64, "
    f"{LAYER}, float32[:, ::1])"
)
def block(
    gang: Any, x: Any, q: Any, keys: Any, values: Any, mask: Any, factor: Any, gathered: Any,
    planes: Any, given: Any, given_zero: Any, out: Any, scale: Any, zero: Any, sums: Any, offsets: Any, size: Any,
    bias: Any, norm_scale: Any, shift: Any, eps: Any,
    planes_2: Any, given_2: Any, given_zero_2: Any, up: Any, scale_2: Any, zero_2: Any, sums_2: Any, offsets_2: Any,
    size_2: Any, bias_2: Any, activation: Any,
    planes_3: Any, given_3: Any, given_zero_3: Any, down: Any, scale_3: Any, zero_3: Any, sums_3: Any, offsets_3: Any,
    size_3: Any, bias_3: Any, y: Any,
) -> Any:  # fmt: skip
    """z = x + out(attention), y = z + down(activation(up(norm(z)))). False where something is not all numbers."""
    n = len(x)
    all_heads(gang, q, keys, values, mask, factor, gathered)
    flat = gathered.reshape((n, gathered.size // max(n, 1)))
    z, normal = np.empty(x.shape, np.float32), np.empty(x.shape, np.float32)
    hidden = np.empty((n, len(up)), np.float32)
    if not finished(
        gang, flat, planes, given, given_zero, out, scale, zero, sums, offsets, size, bias, 0, x, up, z
    ):
        return False
    normalize(z, norm_scale, shift, eps, normal)
    return finished(
        gang, normal, planes_2, given_2, given_zero_2, up, scale_2, zero_2, sums_2, offsets_2, size_2, bias_2,
        activation, x[:0], down, hidden,
    ) and finished(
        gang, hidden, planes_3, given_3, given_zero_3, down, scale_3, zero_3, sums_3, offsets_3, size_3, bias_3, 0, z,
        down[:0], y,
    )  # fmt: skip


@jit(
    f"boolean(int64[::1], {_NORM}, {LAYER}, float32[:, :, :, :], float32[:, :, :, :], boolean[:, :], float32, {LAYER}, "
    f"float32[::1], float32[::1], float64, {LAYER}, int64, {LAYER}, float32[:, ::1])"
)
def layer(
    gang: Any, x: Any, scale_1: Any, shift_1: Any, eps_1: Any,
    planes_1: Any, given_1: Any, given_zero_1: Any, qkv: Any, qkv_scale: Any, zero_1: Any, sums_1: Any, offsets_1: Any,
    size_1: Any, bias_1: Any, keys: Any, values: Any, mask: Any, factor: Any,
    planes: Any, given: Any, given_zero: Any, out: Any, scale: Any, zero: Any, sums: Any, offsets: Any, size: Any,
    bias: Any, norm_scale: Any, shift: Any, eps: Any,
    planes_2: Any, given_2: Any, given_zero_2: Any, up: Any, scale_2: Any, zero_2: Any, sums_2: Any, offsets_2: Any,
    size_2: Any, bias_2: Any, activation: Any,
    planes_3: Any, given_3: Any, given_zero_3: Any, down: Any, scale_3: Any, zero_3: Any, sums_3: Any, offsets_3: Any,
    size_3: Any, bias_3: Any, y: Any,
) -> Any:  # fmt: skip
    """`block`, with q, the last keys and the last values from qkv(norm(x)): T of each text, for x (N T, C)."""
    n, d = len(x), keys.shape[3]
    parts = np.empty((n, len(qkv)), np.float32)
    if not norm_bytes(
        gang, x, scale_1, shift_1, eps_1, planes_1, given_1, given_zero_1, qkv, qkv_scale, zero_1, sums_1, offsets_1,
        size_1, bias_1, out, parts,
    ):  # fmt: skip
        return False
    q = np.empty((n, len(qkv) // d - 2 * keys.shape[1], d), np.float32)
    placed(parts, keys, values, q)
    return block(
        gang, x, q, keys, values, mask, factor, np.empty(q.shape, np.float32),
        planes, given, given_zero, out, scale, zero, sums, offsets, size, bias, norm_scale, shift, eps,
        planes_2, given_2, given_zero_2, up, scale_2, zero_2, sums_2, offsets_2, size_2, bias_2, activation,
        planes_3, given_3, given_zero_3, down, scale_3, zero_3, sums_3, offsets_3, size_3, bias_3, y,
    )  # fmt: skip


class _Taken:
    """A layer's arguments, kept with the layer until something is written anywhere. A copy of a layer makes its own."""

    def __init__(self, weight: Any, bias: Any, clock: int, arguments: Any) -> None:
        self.weight, self.bias, self.clock, self.arguments = weight, bias, clock, arguments

    def __deepcopy__(self, memo: Any) -> None:
        return None


def taken(module: Any, bias: Any) -> Any:
    """A layer and its bias as the kernels' arguments; None where they do not suit."""
    weight = module.stored()
    held = module.__dict__.get("_taken")
    if held is not None and held.clock == memory.clock and held.weight is weight and held.bias is bias:
        return held.arguments
    clock = memory.clock
    arguments = None
    if WIDTH and weight.values.dtype == np.int8 and weight.group_size <= SHORT:
        planes = 2 if module.scheme.activations is None else 1
        given, zero = module.activation() or (0.0, 0)
        arguments = planes, given, zero, *weight.parts(), or_nothing(bias)
    module.__dict__["_taken"] = _Taken(weight, bias, clock, arguments)
    return arguments


def norm_linear(x: Any, scale: Any, shift: Any, eps: float, module: Any, bias: Any) -> Any:
    """module(layer_norm(x)): see tt_text.kernels.decode."""
    arguments = taken(module, bias) if x.dtype is FLOAT32 and 0 < x.size <= FEW * x.shape[-1] else None
    if arguments is not None:
        given = x.reshape(-1, x.shape[-1])
        y = np.empty((len(given), module.shape[0]), FLOAT32)
        try:
            if norm_bytes(state(), given, or_nothing(scale), or_nothing(shift), eps, *arguments, NONE, y):
                return y.reshape((*x.shape[:-1], module.shape[0]))
        except TypeError:  # an array of another kind than the kernel's signature says
            pass
    return fallback("norm_linear")(x, scale, shift, eps, module, bias)


def decode_block(
    x: Any, q: Any, keys: Any, values: Any, mask: Any, factor: float, out: Any, out_bias: Any, scale: Any, shift: Any,
    eps: float, up: Any, up_bias: Any, activation: str, down: Any, down_bias: Any,
) -> Any:  # fmt: skip
    """z + mlp(layer_norm(z)) with z = x + out(attention), for layers out, up, down: see tt_text.kernels.decode."""
    n = len(q)
    if (
        0 < n <= FEW
        and x.dtype is FLOAT32
        and suits(keys, values)
        and x.size == n * out.shape[0] == n * down.shape[0] == n * up.shape[1]
        and out.shape[1] == q.shape[1] * values.shape[3]
        and down.shape[1] == up.shape[0]
    ):
        layers = taken(out, out_bias), taken(up, up_bias), taken(down, down_bias)
        if all(one is not None for one in layers):
            y = np.empty((n, down.shape[0]), FLOAT32)
            gathered = np.empty((n, q.shape[1], values.shape[3]), FLOAT32)
            try:
                if block(
                    state(), x.reshape(y.shape), np.ascontiguousarray(q), keys, values,
                    EVERYTHING if mask is None else mask, factor, gathered, *layers[0], or_nothing(scale),
                    or_nothing(shift), eps, *layers[1], ACTIVATIONS[activation], *layers[2], y,
                ):  # fmt: skip
                    return y.reshape(x.shape)
            except TypeError:
                pass
    return fallback("decode_block")(
        x, q, keys, values, mask, factor, out, out_bias, scale, shift, eps, up, up_bias, activation, down, down_bias
    )  # fmt: skip


def decode_layer(
    x: Any, scale_1: Any, shift_1: Any, eps_1: float, qkv: Any, qkv_bias: Any, keys: Any, values: Any, mask: Any,
    factor: float, out: Any, out_bias: Any, scale: Any, shift: Any, eps: float, up: Any, up_bias: Any, activation: str,
    down: Any, down_bias: Any,
) -> Any:  # fmt: skip
    """decode_block, with q, the last key and the last value from qkv(layer_norm(x)): see tt_text.kernels.decode."""
    if fit(x, keys, values, qkv.shape, out.shape, up.shape, down.shape):
        layers = taken(qkv, qkv_bias), taken(out, out_bias), taken(up, up_bias), taken(down, down_bias)
        if all(one is not None for one in layers):
            y = np.empty((len(keys), down.shape[0]), FLOAT32)
            try:
                if layer(
                    state(), x.reshape(y.shape), or_nothing(scale_1), or_nothing(shift_1), eps_1, *layers[0], keys,
                    values, EVERYTHING if mask is None else mask, factor, *layers[1], or_nothing(scale),
                    or_nothing(shift), eps, *layers[2], ACTIVATIONS[activation], *layers[3], y,
                ):  # fmt: skip
                    return y.reshape(x.shape)
            except TypeError:
                pass
    return fallback("decode_layer")(
        x, scale_1, shift_1, eps_1, qkv, qkv_bias, keys, values, mask, factor, out, out_bias, scale, shift, eps,
        up, up_bias, activation, down, down_bias,
    )  # fmt: skip
