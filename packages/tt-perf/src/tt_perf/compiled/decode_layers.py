# mypy: disable-error-code="untyped-decorator, no-untyped-call, no-any-return"
"""All layers of a transformer for one new token, or a few, in one call; what one layer computes stands in decode.py.

The kernel is given addresses, in a table that is made once for a model: the model's `Layers` hold the arrays.
"""

from __future__ import annotations

import weakref
from itertools import chain
from operator import is_
from typing import Any

import numpy as np

from tt_perf.compiled.decode import ACTIVATIONS, EVERYTHING, decode_layer, layer
from tt_perf.compiled.gang import state
from tt_perf.compiled.jit import inline, jit
from tt_perf.compiled.matvec import FEW, FLOAT32
from tt_perf.compiled.pointers import carray, floats, vector

__all__ = ["Table", "address", "caches", "decode_layers"]

# Columns of the table. What is not there has the address 0.
SCALE_1, SHIFT_1, QKV, QKV_ROWS, QKV_BIAS, OUT, OUT_BIAS, SCALE_2, SHIFT_2, UP, UP_ROWS, UP_BIAS = range(12)
ACTIVATION, DOWN, DOWN_BIAS, KEYS, VALUES, COLUMNS = range(12, 18)


@inline
def matrix(place: Any, rows: Any, columns: Any) -> Any:
    """So many float32 at that address."""
    return carray(floats(place), (rows, columns))


@inline
def caches(place: Any, sizes: Any) -> Any:
    """What n texts see of keys or values at that address.

    sizes: texts that there is room for, groups, room for tokens, head_dim, first, stop, n.
    """
    whole = carray(floats(place), (sizes[0], sizes[1], sizes[2], sizes[3]))
    return whole[: sizes[6], :, sizes[4] : sizes[5]]


@jit(
    "void(int64[::1], float32[:, ::1], int64[:, ::1], float64[:, ::1], int64[::1], boolean[:, :], float32[:, ::1])"
)
def layers_of_floats(gang: Any, x: Any, table: Any, numbers: Any, sizes: Any, mask: Any, y: Any) -> None:
    """y = all layers of x. numbers: eps, eps and factor of each layer."""
    c = x.shape[1]
    one, other = x.copy(), np.empty(x.shape, np.float32)
    for k in range(len(table)):
        t = table[k]
        gathered = t[QKV_ROWS] - 2 * sizes[1] * sizes[3]
        layer(
            gang, one, vector(t[SCALE_1], c), vector(t[SHIFT_1], c), numbers[k, 0], matrix(t[QKV], t[QKV_ROWS], c),
            vector(t[QKV_BIAS], t[QKV_ROWS]), caches(t[KEYS], sizes), caches(t[VALUES], sizes), mask,
            np.float32(numbers[k, 2]), matrix(t[OUT], c, gathered), vector(t[OUT_BIAS], c), vector(t[SCALE_2], c),
            vector(t[SHIFT_2], c), numbers[k, 1], matrix(t[UP], t[UP_ROWS], c), vector(t[UP_BIAS], t[UP_ROWS]),
            t[ACTIVATION], matrix(t[DOWN], c, t[UP_ROWS]), vector(t[DOWN_BIAS], c), other,
        )  # fmt: skip
        one, other = other, one
    y[:] = one


def address(array: Any) -> int:
    """Where its numbers stand; 0 for None."""
    return 0 if array is None else array.__array_interface__["data"][0]


def _suits(*arrays: Any) -> bool:
    return all(
        one is None or (one.dtype is FLOAT32 and one.flags.c_contiguous and one.flags.aligned)
        for one in arrays
    )


class Table:
    """A model's layers for a kernel: addresses and numbers.

    Args:
        layers: the model's.
        places: the addresses, but for the cache's.
        sizes: C, H D + 2 G D and H D, the same for all layers.
        columns: where the addresses of keys and values go.
    """

    kernel: Any = None

    def __init__(
        self, layers: Any, places: Any, sizes: tuple[int, int, int], columns: tuple[int, int]
    ) -> None:
        self.places, self.columns = places, columns
        self.width, self.rows, self.inner = sizes
        self.numbers = np.array(
            [(front[2], rest[4], factor) for front, factor, rest in layers.parts], np.float64
        )
        # Weak references to a cache's arrays, their shape, places with their addresses. One object that is replaced as
        # a whole: two threads may write with two caches.
        self.known: tuple[list[Any], Any, Any] = [], None, None

    def fresh(self) -> bool:
        """Is all that was made from the numbers of arrays still right?"""
        return True

    def run(self, x: Any, held: Any, first: int, stop: int, mask: Any) -> Any:
        """All layers of x; None where something does not suit, or the kernel gave up."""
        n, rows = len(x), len(x) * x.shape[1]
        if not (x.dtype is FLOAT32 and x.flags.c_contiguous and x.shape[2] == self.width and 0 < rows <= FEW):
            return None
        if mask is not None and (mask.dtype != np.bool_ or mask.shape != (n, stop - first)):
            return None
        arrays = list(chain.from_iterable(held))
        known, shape, places = self.known
        if not (len(arrays) == len(known) and all(map(is_, arrays, [ref() for ref in known]))):
            shape, places = self._placed(held, arrays)
            self.known = [weakref.ref(one) for one in arrays], shape, places
        if shape is None or n > shape[0]:
            return None
        y = np.empty((rows, self.width), FLOAT32)
        done = self.kernel(
            state(), x.reshape(y.shape), places, self.numbers, np.array((*shape, first, stop, n), np.int64),
            EVERYTHING if mask is None else np.ascontiguousarray(mask), y,
        )  # fmt: skip
        return None if done is False else y.reshape(x.shape)

    def _placed(self, held: Any, arrays: Any) -> tuple[Any, Any]:
        """The shape of a cache's arrays and places with their addresses, or None twice where they do not suit."""
        shape = arrays[0].shape
        if len(held) != len(self.places) or not _suits(*arrays) or any(one.shape != shape for one in arrays):
            return None, None
        _, groups, _, d = shape
        if not groups * d or self.rows != self.inner + 2 * groups * d or self.inner % (groups * d):
            return None, None
        places = self.places.copy()
        for column, of in zip(self.columns, (0, 1), strict=True):
            places[:, column] = [address(pair[of]) for pair in held]
        return shape, places


class _Floats(Table):
    kernel = staticmethod(layers_of_floats)


def _table(layers: Any) -> Any:
    """A table for these layers; False where they do not suit."""
    parts = layers.parts
    if not parts:
        return False
    if parts[0][2][0].__class__ is not np.ndarray:
        # A module of its own: who has no quantized layers need not wait until it is compiled.
        from tt_perf.compiled import decode_layers_bytes

        return decode_layers_bytes.table(layers)
    places = np.zeros((len(parts), COLUMNS), np.int64)
    (width, inner), rows = parts[0][2][0].shape, parts[0][0][3].shape[0]
    for place, (front, _, rest) in zip(places, parts, strict=True):
        scale_1, shift_1, _, qkv, qkv_bias = front
        out, out_bias, scale_2, shift_2, _, up, up_bias, activation, down, down_bias = rest
        arrays = (
            scale_1,
            shift_1,
            qkv,
            qkv_bias,
            out,
            out_bias,
            scale_2,
            shift_2,
            up,
            up_bias,
            down,
            down_bias,
        )
        if any(one is not None and one.__class__ is not np.ndarray for one in arrays) or not _suits(*arrays):
            return False
        if (qkv.shape, out.shape, up.shape) != ((rows, width), (width, inner), (down.shape[1], width)):
            return False
        if down.shape[0] != width:
            return False
        place[
            [SCALE_1, SHIFT_1, QKV, QKV_BIAS, OUT, OUT_BIAS, SCALE_2, SHIFT_2, UP, UP_BIAS, DOWN, DOWN_BIAS]
        ] = [address(one) for one in arrays]
        place[QKV_ROWS], place[UP_ROWS], place[ACTIVATION] = rows, len(up), ACTIVATIONS[activation]
    return _Floats(layers, places, (width, rows, inner), (KEYS, VALUES))


def decode_layers(x: Any, layers: Any, held: Any, first: int, stop: int, mask: Any) -> Any:
    """decode_layer of each layer, one after the other: see tt_text.kernels.decode_layers."""
    table = layers.prepared
    if table is None or (table and not table.fresh()):
        table = layers.prepared = _table(layers)
    y = table.run(x, held, first, stop, mask) if table else None
    if y is not None or x.shape[1] > 1:
        return y
    n = len(x)
    for (front, factor, rest), (keys, values) in zip(layers.parts, held, strict=True):
        seen = keys[:n, :, first:stop], values[:n, :, first:stop]
        x = decode_layer(*(x, *front, *seen, mask, factor, *rest))
    return x
