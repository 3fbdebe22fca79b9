"""Elementwise work on plain arrays, done fast: few temporaries, a block at a time, no branch in the inner loop.

Large arrays are worked on in the order in which they lie in memory, by all threads (see shards.py), and what is made
lies as they do: images with their channels last stay so.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from tt_nn import shards
from tt_nn.shards import LINE
from tt_tensor.errors import DTypeError

__all__ = [
    "BLOCK",
    "LINE",
    "RUN",
    "across",
    "in_blocks",
    "in_memory_order",
    "kept",
    "kept_where_positive",
    "positive_part",
    "room",
    "working",
]

BLOCK = 1 << 18
"""Bytes of one array of a block: the four or five that a formula goes over stay in a level-2 cache."""

RUN = 1 << 13
"""So many elements in one inner loop make what a loop costs small."""

STRETCH = 1 << 17
"""Elements that a thread works on at a time: each call of NumPy hands over the interpreter's lock, so they are many."""

WORTH = 1 << 18
"""So many elements of a simple formula are worth a thread."""

FEW = 1 << 11
"""Up to so many elements a choice is quicker than what avoids it."""

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


def room(shape: tuple[int, ...], dtype: Any) -> Any:
    """Uninitialised memory; where it is large, it starts with a cache line.

    A ufunc takes up to twice as long where each of its stores touches two lines.
    """
    size, width = math.prod(shape), np.dtype(dtype).itemsize
    if size <= RUN:
        return np.empty(shape, dtype)
    memory = np.empty(size + LINE // width, dtype)
    start = -ctypes.addressof(ctypes.c_char.from_buffer(memory.data)) % LINE // width
    return memory[start : start + size].reshape(shape)


def room_like(x: Any) -> Any:
    """`room` of the shape and dtype of x, which lies as x does."""
    return room(x.shape, x.dtype) if x.flags.c_contiguous else np.empty_like(x)


def in_blocks(body: Callable[..., None], inputs: tuple[Any, ...], made: int, scratch: int = 0) -> list[Any]:
    """`made` new arrays of the shape of the inputs, which body(*inputs, *made, *scratch) fills.

    All inputs have one shape; the dtype is that of the first. Where they are large, `body` is called with one
    block after the other, so that its passes go over memory that the cache holds; `scratch` are arrays of the
    same kind for what it wants to keep meanwhile.
    """
    x = inputs[0]
    results = [room_like(x) for _ in range(made)]
    if x.nbytes <= BLOCK:
        body(*inputs, *results, *[room_like(x) for _ in range(scratch)])
        return results
    flat = in_memory_order(*inputs, *results)
    step = BLOCK // x.itemsize

    def work(start: int, stop: int, part: int) -> None:
        spare = [room((min(step, stop - start),), x.dtype) for _ in range(scratch)]
        for first in range(start, stop, step):
            parts = [array[first : min(first + step, stop)] for array in flat]
            body(*parts, *[one[: parts[0].size] for one in spare])

    shards.run(work, x.size, WORTH)
    return results


def in_memory_order(x: Any, *others: Any) -> list[Any]:
    """`x` and others of its shape, flat, all in the order in which x lies in memory; copies where they lie otherwise.

    An array that was made like x (np.empty_like) lies as x does, so it may be written to.
    """
    if x.flags.c_contiguous and all(other.flags.c_contiguous for other in others):
        return [array.reshape(-1) for array in (x, *others)]
    # The axes by falling steps: along them, memory is walked from one end to the other.
    order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
    return [array.transpose(order).reshape(-1) for array in (x, *others)]


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
    several = np.empty((copies, n), row.dtype)
    several[...] = row
    ufunc(x[:whole].reshape(shape), several.reshape(-1), out=out[:whole].reshape(shape))
    if whole < rows:
        ufunc(x[whole:], row, out=out[whole:])
    return out


def positive_part(x: Any) -> Any:
    """max(x, 0), NaN where x is NaN.

    NumPy takes the maximum of two arrays up to three times as fast as that of an array and a number, so what a cache
    holds is held against zeros, a stretch at a time; beyond that, memory sets the pace.
    """
    kind = x.dtype.char
    if x.size < RUN or kind not in _ZERO:
        return np.maximum(x, _ZERO.get(kind, 0))
    if x.size < WORTH and x.flags.c_contiguous:
        nothing = zeros(kind)
        if x.size <= len(nothing):
            return np.maximum(x, nothing[: x.size].reshape(x.shape))
        y = np.empty(x.shape, x.dtype)
        flat, out = x.reshape(-1), y.reshape(-1)
        for start in range(0, x.size, len(nothing)):
            some = flat[start : start + len(nothing)]
            np.maximum(some, nothing[: len(some)], out=out[start : start + len(some)])
        return y
    y = np.empty_like(x)
    flat, out = in_memory_order(x, y)

    def work(start: int, stop: int, part: int) -> None:
        np.maximum(flat[start:stop], _ZERO[kind], out=out[start:stop])

    shards.run(work, x.size, WORTH)
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
    if mask.size < FEW or kind not in _BITS:
        return np.where(mask, x, _ZERO.get(kind, 0))
    bits = _BITS[kind]
    out = mask.astype(bits)
    np.negative(out, out)
    np.bitwise_and(out, x.view(bits), out)
    return out.view(x.dtype)


def kept_where_positive(y: Any, x: Any) -> Any:
    """x where y > 0 or y is NaN, else 0: `kept`, without a mask for all of y."""
    kind = x.dtype.char
    if y.size < FEW or kind not in _BITS or y.dtype != x.dtype:
        return kept(~(y <= 0), x)
    bits = _BITS[kind]
    nothing = _ZERO[kind]
    if y.size < WORTH:
        into = np.less_equal(y, nothing).astype(bits)
        into -= 1  # all bits where the value stays, none where it goes
        return np.bitwise_and(into, x.view(bits), into).view(x.dtype)
    out = np.empty_like(y)
    signs, values, results = in_memory_order(y, x, out)

    def work(start: int, stop: int, part: int) -> None:
        step = STRETCH
        mask = np.empty(min(step, stop - start), bool)
        for first in range(start, stop, step):
            place = slice(first, min(first + step, stop))
            off, into = mask[: place.stop - first], results[place].view(bits)
            np.less_equal(signs[place], nothing, off)
            into[...] = off
            into -= 1
            np.bitwise_and(into, values[place].view(bits), into)

    shards.run(work, y.size, WORTH)
    return out
