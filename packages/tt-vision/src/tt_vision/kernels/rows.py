"""Rows of channels: how a normalisation goes over its input, in few passes and on all cores.

N images of P pixels and C channels are N P rows of C numbers. What is summed is summed for each channel, and what is
multiplied or added is one number for each channel. Everything here goes block by block, a block being as many rows as
a level-2 cache holds beside what is made of them; a product with ones adds its rows up, and a vector that is repeated
to a long row spares NumPy a loop for each pixel.

All rows are one segment in a batch norm; in a group norm each image is a segment of its own. Sums, factors and offsets
are float64 arrays (segments, C); with one segment, (C,) will do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from tt_nn import shards

__all__ = ["FAR", "Rows", "empty", "far", "merge"]

BLOCK = 1 << 18
"""Bytes of a block: three or four of them stay in a level-2 cache."""

LONG = 1 << 13
"""Elements of a vector that was repeated: over rows that are shorter NumPy takes nearly twice as long."""

WIDE = 1 << 12
"""Elements of a row in which sums are collected."""

WORTH = 1 << 17
"""Elements that are worth a thread."""

FAR = 16.0
"""(mean / deviation)² up to which sums in the input's own dtype lose no digits that matter."""

At = tuple[int, int, int, int]
"""Images from a to b, rows of each from r to s."""


class Rows:
    """Arrays (N, C, P) of one shape and dtype, none of them empty, in any memory order, as rows of channels.

    `together`: all of them are one segment; else each image is one.
    """

    def __init__(self, *arrays: Any, together: bool) -> None:
        n, c, p = arrays[0].shape
        together = together or n == 1
        sources = [x.transpose(0, 2, 1) for x in arrays]
        if together and (p == 1 or all(x.flags.c_contiguous for x in sources)):
            sources = [x.reshape(1, n * p, c) for x in sources]
        self.sources, self.together = sources, together
        self.images, self.length, self.channels = sources[0].shape
        self.dtype = arrays[0].dtype
        self.segments = 1 if together else n
        self.count = n * p if together else p
        # One image is cut along its rows, several between images.
        self.units = self.length if self.images == 1 else self.images
        self.cut = shards.parts(self.units, max(1, WORTH * self.units // (n * p * c)))

    def run(self, body: Callable[[int, At, list[Any]], None]) -> None:
        """Call body(part, at, blocks) for each block of rows, with what it is of each array."""

        def go(start: int, stop: int, part: int) -> None:
            for at in self._blocks(start, stop):
                body(part, at, [self._block(index, at) for index in range(len(self.sources))])

        shards.run_parts(go, self.cut)

    def block(self, made: Any, at: At) -> Any:
        """The block of `made`, a C-contiguous (N, P, C), that is at `at`; together, as one image."""
        a, b, r, s = at
        some = made.reshape(self.images, self.length, self.channels)[a:b, r:s]
        return some.reshape(1, -1, self.channels) if self.together else some

    def segment(self, at: At) -> slice:
        """Which segments a block is of."""
        return slice(0, 1) if self.together else slice(at[0], at[1])

    def repeated(self, vectors: Any) -> Callable[[At], Any]:
        """(segments, C) in the dtype of the arrays, as a function that gives (segments of a block, copies · C)."""
        vectors = vectors.astype(self.dtype).reshape(self.segments, self.channels)
        if self.together:
            copies = max(1, min(-(-LONG // self.channels), self.count))
            row = side_by_side(vectors, copies)
            return lambda at: row
        # Made for every block: not more than an eighth of it.
        copies = max(1, min(-(-LONG // self.channels), self.length // 8))
        return lambda at: side_by_side(vectors[at[0] : at[1]], copies)

    def totals(self, center: Any = None) -> tuple[Any, Any]:
        """Σ x and Σ x (y - center) over the rows of each segment, y being the last array (or x itself)."""
        found = np.zeros((len(self.cut) if self.together else 1, 2, self.segments, self.channels))
        middle = None if center is None else self.repeated(center)

        def body(part: int, at: At, blocks: list[Any]) -> None:
            x, y = blocks[0], blocks[-1]
            if middle is not None:
                y = across(np.subtract, y, middle(at), shards.scratch("rows", y.shape, y.dtype))
            here = found[part if self.together else 0, :, self.segment(at)]
            # An overflow shows in the sums, and whoever asked adds up again in another way.
            with np.errstate(over="ignore", invalid="ignore"):
                here[0] += column_sums(x)
                here[1] += column_products(x, y)

        self.run(body)
        total = found[0] if len(found) == 1 else np.add.reduce(found, 0)
        return total[0], total[1]

    def moments(self) -> tuple[Any, Any]:
        """Mean and Σ (x - mean)² of each segment, in float64: each block about its own mean, then merged."""
        parts = len(self.cut) if self.together else 1
        counts = np.zeros((parts, self.segments, 1))
        means, squares = np.zeros((2, parts, self.segments, self.channels))

        def body(part: int, at: At, blocks: list[Any]) -> None:
            x = blocks[0]
            part, where = (part if self.together else 0), self.segment(at)
            wide = shards.scratch("wide rows", x.shape, np.float64)
            wide[...] = x
            mean = column_sums(wide) / x.shape[1]
            wide -= mean[:, None]
            # A mean is rounded, as its sum is: what is left over is added to it.
            mean += column_sums(wide) / x.shape[1]
            here = counts[part, where], means[part, where], squares[part, where]
            merged = merge(here, (np.float64(x.shape[1]), mean, column_products(wide, wide)))
            counts[part, where], means[part, where], squares[part, where] = merged

        self.run(body)
        total = counts[0], means[0], squares[0]
        for part in range(1, parts):
            total = merge(total, (counts[part], means[part], squares[part]))
        return total[1], total[2]

    def scaled(self, made: Any, factor: Any, offset: Any = None, center: Any = None) -> Any:
        """`made` (N, P, C) = (x - center) factor + offset."""
        by, plus = self.repeated(factor), None if offset is None else self.repeated(offset)
        middle = None if center is None else self.repeated(center)

        def body(part: int, at: At, blocks: list[Any]) -> None:
            x, y = blocks[0], self.block(made, at)
            if middle is not None:
                x = across(np.subtract, x, middle(at), y)
            across(np.multiply, x, by(at), y)
            if plus is not None:
                across(np.add, y, plus(at), y)

        self.run(body)
        return made

    def combined(self, made: Any, first: Any, second: Any, offset: Any, center: Any = None) -> Any:
        """`made` (N, P, C) = x first + (y - center) second + offset, of two arrays x and y."""
        of_x, of_y, plus = self.repeated(first), self.repeated(second), self.repeated(offset)
        middle = None if center is None else self.repeated(center)

        def body(part: int, at: At, blocks: list[Any]) -> None:
            x, y = blocks
            out = self.block(made, at)
            if middle is not None:
                y = across(np.subtract, y, middle(at), out)
            across(np.multiply, y, of_y(at), out)
            across(np.add, out, plus(at), out)
            out += across(np.multiply, x, of_x(at), shards.scratch("rows", x.shape, x.dtype))

        self.run(body)
        return made

    def _blocks(self, start: int, stop: int) -> Iterator[At]:
        row = self.channels * self.dtype.itemsize
        step = max(1, BLOCK // row)
        if self.images == 1:
            for r in range(start, stop, step):
                yield 0, 1, r, min(r + step, stop)
            return
        images = BLOCK // (self.length * row)
        if images:
            for a in range(start, stop, images):
                yield a, min(a + images, stop), 0, self.length
            return
        for a in range(start, stop):
            for r in range(0, self.length, step):
                yield a, a + 1, r, min(r + step, self.length)

    def _block(self, index: int, at: At) -> Any:
        """A block of an array: as it lies there, or a copy in scratch memory."""
        a, b, r, s = at
        some = self.sources[index][a:b, r:s]
        if not some.flags.c_contiguous:
            copy = shards.scratch(f"rows of {index}", some.shape, self.dtype)
            copy[...] = some
            some = copy
        return some.reshape(1, -1, self.channels) if self.together else some


def side_by_side(vectors: Any, copies: int) -> Any:
    """(k, C) as (k, copies · C)."""
    k, c = vectors.shape
    made = np.empty((k, copies, c), vectors.dtype)
    made[...] = vectors[:, None]
    return made.reshape(k, copies * c)


def across(ufunc: Callable[..., Any], x: Any, row: Any, out: Any) -> Any:
    """ufunc(x, vector) into `out`, x (k, m, C), `row` (k, copies · C) the vectors, repeated."""
    k, m, c = x.shape
    copies = row.shape[1] // c
    whole = m - m % copies
    if whole:
        shape = (k, whole // copies, copies * c)
        ufunc(x[:, :whole].reshape(shape), row[:, None], out=out[:, :whole].reshape(shape))
    if whole < m:
        rest = (k, (m - whole) * c)
        ufunc(x[:, whole:].reshape(rest), row[:, : rest[1]], out=out[:, whole:].reshape(rest))
    return out


def column_sums(x: Any) -> Any:
    """Σ over the rows of (k, m, C): (k, C)."""
    return _down(_sums, x)


def column_products(x: Any, y: Any) -> Any:
    """Σ x y over the rows of (k, m, C): (k, C); in one pass, without a temporary."""
    return _down(partial(np.einsum, "kij,kij->kj"), x, y)


def _sums(x: Any) -> Any:
    ones = np.ones(x.shape[1], x.dtype)
    return ones.dot(x[0])[None] if len(x) == 1 else np.matmul(ones, x)


def _down(add: Callable[..., Any], *arrays: Any) -> Any:
    """`add` over rows side by side, then over those: the inner loop is long, and no sum is of many terms."""
    k, m, c = arrays[0].shape
    copies = max(1, min(WIDE // c, m // 8))
    whole = m - m % copies
    shape = (k, whole // copies, copies * c)
    found = add(*[x[:, :whole].reshape(shape) for x in arrays])
    if copies > 1:
        found = _sums(found.reshape(k, copies, c))
    if whole < m:
        found += add(*[x[:, whole:] for x in arrays])
    return found


def merge(one: tuple[Any, Any, Any], other: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """(count, mean, Σ (x - mean)²) of two samples taken together.

    Source: Chan, Golub & LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979.
    """
    (n, mean, squares), (m, other_mean, other_squares) = one, other
    total = n + m
    apart = other_mean - mean
    return total, mean + apart * (m / total), squares + other_squares + apart * apart * (n * m / total)


def far(mean: Any, variance: Any) -> bool:
    """Is a mean so far from 0, in deviations, that it must be taken off first? Also where that cannot be said."""
    most = FAR * variance
    return not bool(((mean * mean <= most) & (most < math.inf)).all())


def empty(shape: tuple[int, ...], dtype: Any) -> Any:
    """np.empty, where it is large on a border of 64 bytes: no vector of the processor then lies across two lines."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < BLOCK:
        return np.empty(shape, dtype)
    memory = np.empty(size + 64, np.uint8)
    start = -memory.__array_interface__["data"][0] % 64
    return memory[start : start + size].view(dtype).reshape(shape)
