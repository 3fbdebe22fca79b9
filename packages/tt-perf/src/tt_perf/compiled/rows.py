"""What softmax and its kin share: the largest number of a row, which they take off, and how rows are handed out."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_nn.blocks import room
from tt_perf.compiled.arrays import WORTH, suit
from tt_perf.compiled.mathematics import bits32, from_bits32, piece
from tt_perf.compiled.table import fallback

__all__ = ["BACKWARD", "FORWARD", "by_rows", "largest32", "less32", "over_rows", "shift32"]

FORWARD = "void(float32[:, ::1], float32[:, ::1], int64, int64)"
"""kernel(x, y, start, stop)"""

BACKWARD = "void(float32[:, ::1], float32[:, ::1], float32[:, ::1], int64, int64)"
"""kernel(grad, y, dx, start, stop)"""

_REST = np.int32(0x7FFFFFFF)
_LOWEST = np.int32(-0x80000000)
_SIGN_PLACE = np.int32(31)
_INF, _0 = np.float32(np.inf), np.float32(0)


@piece
def largest32(row: Any) -> Any:
    """max of a contiguous float32 row, -inf of an empty one; a NaN counts as the largest, or as the least, by its sign.

    By the numbers' bits as integers, which are in the same order: a maximum of floats would not become vectors, as it
    has to look for NaN.
    """
    bits: Any = _LOWEST
    top = bits
    for i in range(row.size):
        bits = bits32(row[i])
        bits = np.int32(bits ^ (np.int32(bits >> _SIGN_PLACE) & _REST))
        top = bits if bits > top else top
    if row.size == 0:
        return -_INF
    return from_bits32(np.int32(top ^ (np.int32(top >> _SIGN_PLACE) & _REST)))


@piece
def shift32(row: Any) -> Any:
    """What to take off a row before exp: its largest number, or 0 where that is -inf, so that exp gives zeros."""
    top = largest32(row)
    return _0 if top == -_INF else top


@piece
def less32(x: Any, y: Any) -> Any:
    """x - y, just so: in a kernel around it, (x - m) - log Σ might be taken for x - (m + log Σ), which loses digits."""
    return x - y


def by_rows(operation: str, kernel: Any, axis: int, *inputs: Any) -> Any:
    """The kernel over the rows of the inputs, or the kernel "numpy" where they do not suit."""
    x = inputs[0]
    if axis != x.ndim - 1 or not x.size or not suit(*inputs):
        return fallback(operation)(*inputs, axis)
    out = room(x.shape, np.float32)
    width = x.shape[-1]
    arrays = [one.reshape(-1, width) for one in (*inputs, out)]
    over_rows(kernel, *arrays)
    return out


def over_rows(kernel: Any, *arrays: Any) -> None:
    """kernel(*arrays, start, stop) over the rows of the arrays, of which the first is (N, C); by threads where many."""
    n, width = arrays[0].shape
    least = -(-WORTH // width)
    if n < 2 * least:
        kernel(*arrays, 0, n)
    else:
        shards.run(lambda start, stop, part: kernel(*arrays, start, stop), n, least)
