"""The largest number of a row, for kernels that subtract it: softmax and its kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_perf.compiled.mathematics import bits32, from_bits32, piece

__all__ = ["largest32", "less32", "shift32"]

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
