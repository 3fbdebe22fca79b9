"""Many arrays as if they lay side by side: equal shares of them, for threads, whatever their sizes are."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

import numpy as np

from tt_nn import shards

__all__ = ["WORTH", "each_stretch", "flat_view", "flat_views", "many", "stretches"]

WORTH = 1 << 19
"""So many numbers of one or two simple passes are worth a thread."""

CHUNK = 1 << 16
"""So many numbers at a time: what several passes go over stays in a cache."""


def many(numbers: int) -> bool:
    """Are these enough numbers for two threads? If not, the plain way is the shorter one."""
    return numbers >= 2 * WORTH


def stretches(offsets: Sequence[int], start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """(k, low, high): numbers low to high of array k, which together are the numbers start to stop of all.

    offsets: where each array starts if they lie side by side, and at the end where the last one ends.
    """
    for k in range(bisect_right(offsets, start) - 1, len(offsets) - 1):
        first, last = offsets[k], offsets[k + 1]
        low, high = max(start, first), min(stop, last)
        if low >= stop:
            return
        if high > low:
            yield k, low - first, high - first


def each_stretch(work: Callable[[int, int, int], None], sizes: Sequence[int]) -> None:
    """work(k, low, high) over all numbers of all arrays, in chunks; side by side where they are many.

    How they are cut depends on the number of threads, so `work` is to compute number by number.
    """
    offsets = [0, *accumulate(sizes)]

    def body(start: int, stop: int, part: int) -> None:
        for k, low, high in stretches(offsets, start, stop):
            for at in range(low, high, CHUNK):
                work(k, at, min(at + CHUNK, high))

    shards.run(body, offsets[-1], WORTH)


def flat_views(arrays: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    """The arrays to cut in stretches, each with shape (size,) in the order of its memory, which must be theirs all.

    None where they lie apart or in different orders.
    """
    first = arrays[0]
    for other in arrays[1:]:
        if other.strides != first.strides or other.dtype != first.dtype:
            return None
    views = [flat_view(array) for array in arrays]
    found = [view for view in views if view is not None]
    return found if len(found) == len(arrays) else None


def flat_view(array: np.ndarray) -> np.ndarray | None:
    """The array's numbers in the order of its memory, as a view of shape (size,); None where they lie apart."""
    if array.flags.c_contiguous:
        return array.reshape(-1)
    return array.T.reshape(-1) if array.flags.f_contiguous else None
