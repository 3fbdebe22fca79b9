"""Elementwise work on plain arrays, done fast: few temporaries, a block at a time, no branch in the inner loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from tt_tensor.errors import DTypeError

__all__ = ["BLOCK", "RUN", "across", "in_blocks", "kept", "positive_part", "working"]

BLOCK = 1 << 18
"""Bytes of one array of a block: the four or five that a formula goes over stay in a level-2 cache."""

RUN = 1 << 13
"""So many elements in one inner loop make what a loop costs small."""

# An array of shape () costs a ufunc less than a Python number does.
_ZERO = {dtype: np.zeros((), dtype) for dtype in "fd"}
_BITS = {"f": np.int32, "d": np.int64}


def working(x: Any, what: str) -> Any:
    """`x` in the dtype to compute in: itself, or float32 for float16. Raises DTypeError for integers."""
    if x.dtype.char in "fd":
        return x
    if x.dtype.kind != "f":
        raise DTypeError(f"{what}: the input is {x.dtype}; use x.astype('float32') first")
    return x.astype(np.float32)


def in_blocks(body: Callable[..., None], inputs: tuple[Any, ...], made: int, scratch: int = 0) -> list[Any]:
    """`made` new arrays of the shape of the inputs, which body(*inputs, *made, *scratch) fills.

    All inputs have one shape; the dtype is that of the first. Where they are large, `body` is called with one
    block after the other, so that its passes go over memory that the cache holds; `scratch` are arrays of the
    same kind for what it wants to keep meanwhile.
    """
    x = inputs[0]
    results = [np.empty(x.shape, x.dtype) for _ in range(made)]
    if x.nbytes <= BLOCK:
        body(*inputs, *results, *[np.empty(x.shape, x.dtype) for _ in range(scratch)])
        return results
    flat = [array.reshape(-1) for array in (*inputs, *results)]
    step = BLOCK // x.itemsize
    spare = np.empty((scratch, step), x.dtype)
    for start in range(0, x.size, step):
        parts = [array[start : start + step] for array in flat]
        body(*parts, *spare[:, : parts[0].size])
    return results


def across(ufunc: Callable[..., Any], x: Any, row: Any, out: Any) -> Any:
    """ufunc(x, row) into `out`, x of shape (rows, n), `row` of shape (n,).

    A ufunc broadcasts by a loop for each row, which a short row makes slow; so a few copies of it go over as
    many rows at once.
    """
    rows, n = x.shape
    copies = RUN // n if n else 0
    if copies < 2 or rows < 2 * copies or not (x.flags.c_contiguous and out.flags.c_contiguous):
        return ufunc(x, row, out=out)
    whole = rows - rows % copies
    shape = (whole // copies, copies * n)
    ufunc(x[:whole].reshape(shape), np.tile(row, copies), out=out[:whole].reshape(shape))
    ufunc(x[whole:], row, out=out[whole:])
    return out


def positive_part(x: Any) -> Any:
    """max(x, 0), NaN where x is NaN.

    NumPy takes the maximum of two arrays up to three times as fast as that of an array and a number, so large ones
    are held against zeros, a stretch at a time.
    """
    kind = x.dtype.char
    if x.size < RUN or kind not in _ZERO or not x.flags.c_contiguous:
        return np.maximum(x, _ZERO.get(kind, 0))
    nothing = zeros(kind)
    if x.size <= len(nothing):
        return np.maximum(x, nothing[: x.size].reshape(x.shape))
    y = np.empty(x.shape, x.dtype)
    flat, out = x.reshape(-1), y.reshape(-1)
    for start in range(0, x.size, len(nothing)):
        part = flat[start : start + len(nothing)]
        np.maximum(part, nothing[: len(part)], out=out[start : start + len(nothing)])
    return y


@lru_cache
def zeros(kind: str) -> Any:
    """A stretch of zeros, the same each time, read-only."""
    made = np.zeros(8 * RUN, kind)
    made.flags.writeable = False
    return made


def kept(mask: Any, x: Any) -> Any:
    """x where `mask`, else 0: also where x is infinite or NaN, which x * mask would not forget.

    A large one goes by its bits: np.where branches at every element, and no processor can guess a mask.
    """
    kind = x.dtype.char
    if mask.size < 2048 or kind not in _BITS:
        return np.where(mask, x, _ZERO.get(kind, 0))
    bits = _BITS[kind]
    out = mask.astype(bits)
    np.negative(out, out)
    np.bitwise_and(out, x.view(bits), out)
    return out.view(x.dtype)
