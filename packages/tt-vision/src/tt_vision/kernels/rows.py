"""Rows of channels: how a normalisation goes over its input, in few passes.

N images of P pixels and C channels are N P rows of C numbers. What is summed is summed for each channel, and what is
multiplied or added is one number for each channel. Several rows side by side are one long row: NumPy goes over long
rows fastest, and a vector for each channel, repeated as often, fits to them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["BLOCK", "FAR", "LONG", "WORTH", "empty", "far", "folded", "merge", "side_by_side", "sums"]

BLOCK = 1 << 20
"""Bytes of a block of rows. Smaller ones are nearer to the processor, but two threads that call NumPy more often wait
for each other more: with a quarter of it, two threads were no faster than one."""

LONG = 1 << 13
"""Elements of a long row: over shorter ones NumPy takes nearly twice as long."""

WORTH = 1 << 19
"""Elements that are worth a thread."""

LARGE = 1 << 18
"""Bytes from which it shows where an array begins."""

FAR = 16.0
"""(mean / deviation)² up to which sums in the input's own dtype lose no digits that matter."""


def side_by_side(vectors: Any, copies: int) -> Any:
    """(k, C) as (k, copies · C)."""
    k, c = vectors.shape
    made = np.empty((k, copies, c), vectors.dtype)
    made[...] = vectors[:, None]
    return made.reshape(k, copies * c)


def sums(x: Any) -> Any:
    """Σ over the rows of (…, m, w): a product with ones adds them up in BLAS, in one pass."""
    ones = np.ones(x.shape[-2], x.dtype)
    return ones.dot(x) if x.ndim == 2 else np.matmul(ones, x)


def folded(long: Any, channels: int) -> Any:
    """Σ over the rows that are side by side: (…, copies · C) to (…, C), in float64.

    In two steps, so that no sum in the dtype of `long` has many terms.
    """
    before, rows = long.shape[:-1], long.shape[-1] // channels
    some = 1 << ((rows & -rows).bit_length() // 2)  # about the root of the powers of 2 in it
    if some > 1:
        long, rows = sums(long.reshape(*before, rows // some, some * channels)), some
    return sums(long.reshape(*before, rows, channels).astype(np.float64))


def far(mean: Any, variance: Any) -> bool:
    """Is a mean so far from 0, in deviations, that it must be taken off first? Also where that cannot be said."""
    most = FAR * variance
    return not bool(((mean * mean <= most) & (most < math.inf)).all())


def merge(one: tuple[Any, Any, Any], other: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """(count, mean, Σ (x - mean)²) of two samples taken together; the second is not empty.

    Source: Chan, Golub & LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979.
    """
    (n, mean, squares), (m, other_mean, other_squares) = one, other
    total = n + m
    apart = other_mean - mean
    return total, mean + apart * (m / total), squares + other_squares + apart * apart * (n * m / total)


def empty(shape: tuple[int, ...], dtype: Any) -> Any:
    """np.empty, where it is large on a border of 64 bytes: no vector of the processor then lies across two lines."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE:
        return np.empty(shape, dtype)
    memory = np.empty(size + 64, np.uint8)
    start = -memory.__array_interface__["data"][0] % 64
    return memory[start : start + size].view(dtype).reshape(shape)
