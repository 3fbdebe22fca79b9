"""Flat buffers: many small parameters, one pass.

A step over a thousand small parameters is a thousand times the cost of calling NumPy, unless the parameters
and their optimizer state lie side by side in one buffer each; then it is one call. A parameter is *adopted*
into the flat buffer: its array becomes a view of a piece of it.

Adopting moves memory, so it is done only where nobody can tell: the parameter's array owns its memory and
nothing but the parameter refers to it. Otherwise a NumPy handle taken before would silently go stale. A
parameter that cannot move stays where it is: its values are read into the flat buffer before a step and
written back after it.
"""

from __future__ import annotations

import ctypes
import math
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tt_nn.blocks import LINE, room
from tt_tensor import Tensor
from tt_tensor.tensor import wrap

__all__ = [
    "TILE",
    "Buffers",
    "Scratch",
    "Tile",
    "borders",
    "carve",
    "flat_memory",
    "movable",
    "overlapping",
    "tiles",
]

TILE = 42 << 10
"""How many numbers an update touches at a time: six float32 buffers of this length stay in a 1 MB cache."""


class Scratch(threading.local):
    """Temporary arrays of an optimizer, one set for each dtype and thread, lent to one tile at a time."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.arrays: dict[np.dtype[Any], list[np.ndarray]] = {}

    def lend(self, dtype: np.dtype[Any], size: int) -> tuple[np.ndarray, ...]:
        arrays = self.arrays.get(dtype)
        if arrays is None or arrays[0].size < size:
            arrays = self.arrays[dtype] = [room((size,), dtype) for _ in range(self.count)]
        return tuple([array[:size] for array in arrays])


_making = threading.Lock()


class Buffers(dict[str, np.ndarray]):
    """The flat state of a segment by name ("exp_avg"); made of its initial value when first asked for."""

    def __init__(self, size: int, dtype: np.dtype[Any], initial: dict[str, float]) -> None:
        super().__init__()
        self.size, self.dtype, self.initial = size, dtype, initial

    def __missing__(self, name: str) -> np.ndarray:
        with _making:  # the tiles of a first step may ask side by side
            flat = self.get(name)
            if flat is None:
                flat = flat_memory(self.size, self.dtype)
                flat.fill(self.initial.get(name, 0.0))
                self[name] = flat
        return flat


class Stretch(dict[str, np.ndarray]):
    """The state from `start` to `stop`, by name; slices are made when first asked for."""

    def __init__(self, buffers: Buffers, start: int, stop: int) -> None:
        super().__init__()
        self.buffers, self.start, self.stop = buffers, start, stop

    def __missing__(self, name: str) -> np.ndarray:
        stretch = self[name] = self.buffers[name][self.start : self.stop]
        return stretch


class Tile:
    """A stretch of parameters that an update computes at once. All arrays are 1-D and of one length.

    values: the parameters, to be written.
    grads: their gradients, never to be written: they may be the very arrays that backward left.
    state: name → array, to be written.
    scratch: arrays to compute in.
    shape: of the parameter, where the segment is one parameter.

    Tiles of one step may be updated side by side, by several threads: an update writes to its own tile only.
    """

    __slots__ = ("grads", "scratch", "shape", "state", "values")

    values: np.ndarray
    grads: np.ndarray
    state: Stretch
    scratch: tuple[np.ndarray, ...]
    shape: tuple[int, ...]


def borders(start: int, stop: int, most: int) -> list[int]:
    """Where to cut [start, stop) in tiles of at most `most` numbers: a small rest would cost as many calls as a tile.

    They are about equal in length, and begin with a cache line if `start` does. Of nothing, there is one of nothing.
    """
    count = max(1, -(-(stop - start) // most))
    each = -(-(stop - start) // count)
    step = max(1, min(most, -(-each // LINE) * LINE))
    return [start, *range(start + step, stop, step), stop]


def tiles(
    values: np.ndarray,
    grads: np.ndarray,
    buffers: Buffers,
    start: int,
    stop: int,
    length: int,
) -> Iterator[Tile]:
    """Cut [start, stop) of the flat buffers into tiles of at most `length`; of nothing, one tile of nothing.

    Thus parameters of size 0 come by their (empty) state, too, and a saved state is complete. Scratch is lent
    later, by the thread that updates the tile.
    """
    for low, high in pairwise(borders(start, stop, length)):
        tile = Tile()
        tile.values = values[low:high]
        tile.grads = grads[low:high]
        tile.state = Stretch(buffers, low, high)
        tile.shape = (high - low,)
        yield tile


def flat_memory(size: int, dtype: np.dtype[Any]) -> np.ndarray:
    """A flat buffer of zeros that starts with a cache line, as each of its tiles then does."""
    # Of a bytearray, so that the buffer itself is the last owner of its bytes (tt_tensor.memory.owners).
    memory = bytearray(size * dtype.itemsize + LINE)
    start = -ctypes.addressof(ctypes.c_char.from_buffer(memory)) % LINE
    return np.frombuffer(memory, dtype, size, start)


def carve(flat: np.ndarray, shapes: Sequence[tuple[int, ...]], offsets: Sequence[int]) -> list[np.ndarray]:
    """Views of `flat`, one for each shape, starting at its offset (in elements).

    They stand on a memoryview rather than on the array, so that a write to one is not counted as a write to
    its neighbours, while a write to `flat` counts for all (tt_tensor.memory.owners).
    """
    _flats[id(flat)] = flat
    memory, width = flat.data, flat.itemsize
    # np.ndarray(buffer=memory) would look through the memoryview and take `flat` itself as its base.
    return [
        np.frombuffer(memory, flat.dtype, math.prod(shape), offset * width).reshape(shape)
        for shape, offset in zip(shapes, offsets, strict=False)
    ]


# --- who may be moved -------------------------------------------------------------------------------------

_flats: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()

_probe = wrap(np.zeros(1))
_ALONE = sys.getrefcount(_probe.array) if hasattr(sys, "getrefcount") else 0
"""What getrefcount says of an array that only one object holds (interpreters differ in what they count)."""


def movable(parameter: Tensor) -> bool:
    """Would nobody notice if the parameter's values moved to other memory?

    True if the array is whole, writeable and held by the parameter alone, and its memory is its own, or that
    of an array which nothing else refers to, or a piece of a flat buffer.
    """
    if not _ALONE or sys.getrefcount(parameter.array) != _ALONE:
        return False
    array = parameter.array
    if array.__class__ is not np.ndarray or not array.flags.c_contiguous or not array.flags.writeable:
        return False
    if array.base is None:
        return array.flags.owndata
    if not isinstance(array.base, np.ndarray) or sys.getrefcount(array.base) != _ALONE:
        return False
    if isinstance(array.base.base, memoryview):
        return _flats.get(id(array.base.base.obj)) is array.base.base.obj
    return array.base.flags.owndata


def overlapping(arrays: Sequence[np.ndarray]) -> set[int]:
    """The positions of arrays that may share memory with another: by the first and last byte each shows."""
    spans = sorted(
        (*np.lib.array_utils.byte_bounds(array), at) for at, array in enumerate(arrays) if array.size
    )
    found: set[int] = set()
    reach, last = -1, -1
    for low, high, at in spans:
        if low < reach:
            found |= {at, last}
        if high > reach:
            reach, last = high, at
    return found
