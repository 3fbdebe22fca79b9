# mypy: disable-error-code="untyped-decorator, no-untyped-call, no-any-return"
"""Many arrays in one pass, as if they lay side by side: the gradients of a model, summed, measured, scaled.

    s ← (s + a + b + …) · times / by        for each number of each array s, with the others that belong to it
    Σ x²                                    over the numbers of all arrays, in float64

A small model has as many arrays as a large one, and a call for each costs as much as its numbers. So a kernel is
given the addresses of all, and each core (`gang`) takes stretches of the whole, wherever one array ends. Adam's step
on parameters that lie side by side, with gradients that do not, goes the same way (adam.py).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np

from tt_perf.compiled.arrays import FLOAT32
from tt_perf.compiled.gang import share, state
from tt_perf.compiled.jit import FAST, jit
from tt_perf.compiled.pointers import carray, floats

__all__ = ["STRETCH", "add_all", "addresses", "first_of", "square_all"]

STRETCH = 1 << 14
"""So many numbers are taken at a time: what one pass leaves of them in the cache, the next finds there."""

EXACT = {"contract"}
"""A quotient is a quotient, not a product with the inverse: the same bits as NumPy's."""


@numba.njit(nogil=True, inline="always")
def first_of(offsets: Any, start: Any) -> Any:
    """The array that number `start` of all belongs to."""
    k = 0
    while offsets[k + 1] <= start:
        k += 1
    return k


@jit("void(int64, int64, int64[:, ::1], int64[::1], float32, float32)", fastmath=EXACT)
def add_stretch(start: Any, stop: Any, places: Any, offsets: Any, times: Any, by: Any) -> None:
    """places[k]: the addresses of a sum and of what is added to it, 0 where there is no more."""
    k = first_of(offsets, start)
    while start < stop:
        low, high = start - offsets[k], min(stop, offsets[k + 1]) - offsets[k]
        if high > low:
            total = carray(floats(places[k, 0]), high)[low:high]
            last = 0
            while last + 1 < places.shape[1] and places[k, last + 1] != 0:
                last += 1
            for j in range(1, last):
                one = carray(floats(places[k, j]), high)[low:high]
                for i in range(total.size):
                    total[i] += one[i]
            if last > 0:
                one = carray(floats(places[k, last]), high)[low:high]
                for i in range(total.size):
                    total[i] = (total[i] + one[i]) * times / by
            else:
                for i in range(total.size):
                    total[i] = total[i] * times / by
        start = offsets[k] + high
        k += 1


@jit("void(int64[::1], int64[:, ::1], int64[::1], float32, float32)")
def add_numbers(gang: Any, places: Any, offsets: Any, times: Any, by: Any) -> None:
    share(gang, add_stretch, offsets[-1], STRETCH, (places, offsets, times, by))


@jit("void(int64, int64, int64[:, ::1], int64[::1], float64[::1])", fastmath=FAST)
def square_stretch(start: Any, stop: Any, places: Any, offsets: Any, sums: Any) -> None:
    """Σ x² of the stretches start to stop, each by itself, so that the bits do not depend on who takes it."""
    for at in range(start, stop):
        here, end = at * STRETCH, min((at + 1) * STRETCH, offsets[-1])
        k = first_of(offsets, here)
        total = 0.0
        while here < end:
            low, high = here - offsets[k], min(end, offsets[k + 1]) - offsets[k]
            if high > low:
                x = carray(floats(places[k, 0]), high)[low:high]
                for i in range(x.size):
                    value = np.float64(x[i])
                    total += value * value
            here = offsets[k] + high
            k += 1
        sums[at] = total


@jit("void(int64[::1], int64[:, ::1], int64[::1], float64[::1])")
def square_numbers(gang: Any, places: Any, offsets: Any, sums: Any) -> None:
    share(gang, square_stretch, sums.size, 1, (places, offsets, sums))


# --- in NumPy's terms ---------------------------------------------------------------------------------------


def addresses(groups: Sequence[Sequence[Any]]) -> tuple[Any, Any] | None:
    """(places, offsets) of arrays, those of a group alike in shape and order; None where a kernel cannot take one."""
    width = max(map(len, groups), default=0)
    found, offsets = [], [0]
    for group in groups:
        first = group[0]
        size = first.size
        offsets.append(offsets[-1] + size)
        for array in group:
            flags = array.flags
            if array.dtype is not FLOAT32 or not flags.behaved:
                return None
            if array is not first and (array.shape != first.shape or array.strides != first.strides):
                return None
            if not flags.c_contiguous:
                if not flags.f_contiguous:
                    return None
                array = array.T
            # Of an empty array there is no address, and nothing is read.
            found.append(address(of_buffer(array)) if size else 0)
        if len(group) < width:
            found += [0] * (width - len(group))
    return np.array(found, np.int64).reshape(len(groups), width), np.array(offsets, np.int64)


address, of_buffer = ctypes.addressof, ctypes.c_char.from_buffer


def add_all(groups: Sequence[Sequence[Any]], times: float, by: float) -> bool:
    """For each group s, a, b …: s ← (s + a + b + …) · times / by, in place. False where nothing was done."""
    found = addresses(groups)
    if found is None:
        return False
    add_numbers(state(), *found, times, by)
    return True


def square_all(arrays: Sequence[Any]) -> float | None:
    """Σ x² over all numbers of the arrays; None where a kernel cannot take them."""
    found = addresses([(array,) for array in arrays])
    if found is None:
        return None
    sums = np.zeros(-(-int(found[1][-1]) // STRETCH))
    square_numbers(state(), *found, sums)
    return float(np.add.reduce(sums))
