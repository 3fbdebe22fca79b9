# mypy: disable-error-code="untyped-decorator, no-untyped-call, no-any-return"
"""decode_layers.py's operation for layers whose weights are bytes; one layer's computation is in decode_bytes.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types

from tt_perf.compiled.decode import ACTIVATIONS
from tt_perf.compiled.decode_bytes import layer, taken
from tt_perf.compiled.decode_layers import Table, address, caches
from tt_perf.compiled.jit import inline, jit
from tt_perf.compiled.pointers import carray, floats, pointer_to, vector
from tt_tensor import memory

__all__ = ["table"]

int8s: Any = pointer_to(types.int8, ir.IntType(8))
int32s: Any = pointer_to(types.int32, ir.IntType(32))
doubles: Any = pointer_to(types.float64, ir.DoubleType())

# Columns for each of the four weights, then those of the layer.
VALUES, SCALE, ZERO, SUMS, OFFSETS, BIAS, ROWS, COLUMNS, GROUPS, SIZE, PLANES, GIVEN_ZERO, EACH = range(13)
FIRST = 4 * EACH
SCALE_1, SHIFT_1, SCALE_2, SHIFT_2, ACTIVATION, KEYS, CACHED, ALL = range(FIRST, FIRST + 8)


@inline
def weight(t: Any, k: Any) -> Any:
    """The k-th weight of a layer: values, scale, zero, sums, offsets, bias."""
    s = k * EACH
    rows, groups = t[s + ROWS], t[s + GROUPS]
    return (
        carray(int8s(t[s + VALUES]), (rows, t[s + COLUMNS])),
        carray(floats(t[s + SCALE]), (rows, groups)),
        carray(int8s(t[s + ZERO]), (rows if t[s + ZERO] else 0, groups)),
        carray(int32s(t[s + SUMS]), (rows, groups)),
        carray(doubles(t[s + OFFSETS]), rows),
        vector(t[s + BIAS], rows),
    )


@jit(
    "boolean(int64[::1], float32[:, ::1], int64[:, ::1], float64[:, ::1], int64[::1], boolean[:, :], float32[:, ::1])"
)
def layers_of_bytes(gang: Any, x: Any, table: Any, numbers: Any, sizes: Any, mask: Any, y: Any) -> Any:
    """y = all layers of x. numbers: eps, eps and factor of each layer, then the four scales of static activations."""
    c = x.shape[1]
    one, other = x.copy(), np.empty(x.shape, np.float32)
    for k in range(len(table)):
        t, of = table[k], numbers[k]
        qkv, out, up, down = weight(t, 0), weight(t, 1), weight(t, 2), weight(t, 3)
        if not layer(
            gang, one, vector(t[SCALE_1], c), vector(t[SHIFT_1], c), of[0],
            t[PLANES], np.float32(of[3]), t[GIVEN_ZERO], qkv[0], qkv[1], qkv[2], qkv[3], qkv[4], t[SIZE], qkv[5],
            caches(t[KEYS], sizes), caches(t[CACHED], sizes), mask, np.float32(of[2]),
            t[EACH + PLANES], np.float32(of[4]), t[EACH + GIVEN_ZERO], out[0], out[1], out[2], out[3], out[4],
            t[EACH + SIZE], out[5], vector(t[SCALE_2], c), vector(t[SHIFT_2], c), of[1],
            t[2 * EACH + PLANES], np.float32(of[5]), t[2 * EACH + GIVEN_ZERO], up[0], up[1], up[2], up[3], up[4],
            t[2 * EACH + SIZE], up[5], t[ACTIVATION],
            t[3 * EACH + PLANES], np.float32(of[6]), t[3 * EACH + GIVEN_ZERO], down[0], down[1], down[2], down[3],
            down[4], t[3 * EACH + SIZE], down[5], other,
        ):  # fmt: skip
            return False
        one, other = other, one
    y[:] = one
    return True


class _Bytes(Table):
    kernel = staticmethod(layers_of_bytes)
    clock: int
    arguments: list[Any]

    def fresh(self) -> bool:
        """Was nothing written anywhere, so that sums of weights and scales of activations are right?"""
        return self.clock == memory.clock


_KINDS = np.int8, np.float32, np.int8, np.int32, np.float64


def table(layers: Any) -> Any:
    """A table for these layers; False where they do not suit."""
    clock, parts = memory.clock, layers.parts
    places, given = np.zeros((len(parts), ALL), np.int64), np.zeros((len(parts), 4))
    (width, inner), rows = parts[0][2][0].shape, parts[0][0][3].shape[0]
    arguments = []
    for place, scales, (front, _, rest) in zip(places, given, parts, strict=True):
        scale_1, shift_1, _, qkv, qkv_bias = front
        out, out_bias, scale_2, shift_2, _, up, up_bias, activation, down, down_bias = rest
        if (qkv.shape, out.shape, up.shape) != ((rows, width), (width, inner), (down.shape[1], width)):
            return False
        if down.shape[0] != width:
            return False
        norms = scale_1, shift_1, scale_2, shift_2
        biases = qkv_bias, out_bias, up_bias, down_bias
        if any(one is not None and not _is(one, np.float32) for one in (*norms, *biases)):
            return False
        for k, (module, bias) in enumerate(zip((qkv, out, up, down), biases, strict=True)):
            found = taken(module, bias)
            if found is None or not all(map(_is, found[3:8], _KINDS)):
                return False
            arguments.append(found)
            planes, scales[k], zero_point, values, scale, zero, sums, offsets, size, _ = found
            place[k * EACH : (k + 1) * EACH] = (
                address(values), address(scale), address(zero) if len(zero) else 0, address(sums), address(offsets),
                address(bias), *values.shape, scale.shape[1], size, planes, zero_point,
            )  # fmt: skip
        place[FIRST:KEYS] = [*map(address, norms), ACTIVATIONS[activation]]
    made = _Bytes(layers, places, (width, rows, inner), (KEYS, CACHED))
    made.numbers = np.ascontiguousarray(np.hstack((made.numbers, given)))
    made.clock, made.arguments = clock, arguments  # their sums and offsets belong to nobody else
    return made


def _is(array: Any, dtype: Any) -> bool:
    return array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned
