"""LongRows: the passes of a batch norm over its input, block by block and on all cores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.kernels.rows import BLOCK, LONG, WORTH, folded, merge, side_by_side, sums

__all__ = ["LongRows"]


class LongRows:
    """Arrays (N, C, P) of one shape and dtype, none of them empty, as long rows: `copies` pixels of C channels each.

    Arrays that are stored channels last are used as they lie there; of others, each block is copied to scratch memory.
    Sums, factors and offsets are float64 arrays (C,).
    """

    def __init__(self, *arrays: Any) -> None:
        n, c, p = arrays[0].shape
        self.channels, self.count, self.dtype = c, n * p, arrays[0].dtype
        self.copies = 1 << (-(-LONG // c) - 1).bit_length()  # a power of 2, as many sizes of images are
        self.width = self.copies * c
        # Units that are cut between: pixels where they all lie one behind the other, else images.
        self.sources = [x.transpose(2, 0, 1) if n == 1 else x.transpose(0, 2, 1) for x in arrays]
        self.flat = all(x.flags.c_contiguous for x in self.sources)
        if self.flat:
            self.sources = [x.reshape(-1) for x in self.sources]
        pixels = 1 if self.flat or n == 1 else p
        self.unit = pixels * c
        rows = BLOCK // (c * self.dtype.itemsize)
        self.step = max(rows - rows % self.copies, self.copies) // pixels or 1
        self.cut = shards.parts(self.count // pixels, max(1, WORTH // self.unit))

    def totals(self, center: Any = None) -> tuple[Any, Any]:
        """Σ x and Σ x (y - center) for each channel, y being the last array (or x itself)."""
        found = np.zeros((len(self.cut), 2, self.channels))
        middle = self._repeated(center)

        def body(start: int, stop: int, part: int) -> None:
            # Long rows are added up until the end of the part.
            long = np.zeros((2, self.width), self.dtype)
            spare = None if middle is None else self._scratch("rows")
            for _, blocks in self._blocks(start, stop):
                x, y = blocks[0], blocks[-1]
                width = x.shape[1]
                if middle is not None and spare is not None:
                    y = np.subtract(y, middle[:width], spare[: y.size].reshape(y.shape))
                total, products = long if width == self.width else long[:, :width]
                total += sums(x)
                products += np.einsum("ij,ij->j", x, y)
            found[part] = folded(long, self.channels)

        # An overflow shows in the sums, and whoever asked adds up again in another way.
        with np.errstate(over="ignore", invalid="ignore"):
            shards.run_parts(body, self.cut)
        total, products = np.add.reduce(found, 0)
        return total, products

    def moments(self) -> tuple[Any, Any]:
        """Mean and Σ (x - mean)² of each channel, in float64: each block about its own mean, then merged."""
        found: list[Any] = [None] * len(self.cut)

        def body(start: int, stop: int, part: int) -> None:
            total: Any = (0.0, np.zeros(self.channels), np.zeros(self.channels))
            wide = shards.scratch("wide rows", (self._most(),), np.float64)
            for _, (block,) in self._blocks(start, stop):
                x = wide[: block.size].reshape(-1, self.channels)
                x[...] = block.reshape(x.shape)
                mean = sums(x) / len(x)
                x -= mean
                total = merge(total, (float(len(x)), mean, np.einsum("ij,ij->j", x, x)))
            found[part] = total

        shards.run_parts(body, self.cut)
        total = found[0]
        for part in found[1:]:
            total = merge(total, part)
        return total[1], total[2]

    def scaled(self, made: Any, factor: Any, offset: Any = None, center: Any = None) -> Any:
        """`made` (N, P, C) = (x - center) factor + offset."""
        by, plus, middle, flat = *map(self._repeated, (factor, offset, center)), made.reshape(-1)

        def body(start: int, stop: int, part: int) -> None:
            for place, (x,) in self._blocks(start, stop):
                width, y = x.shape[1], flat[place].reshape(x.shape)
                if middle is not None:
                    x = np.subtract(x, middle[:width], y)
                np.multiply(x, by[:width], y)
                if plus is not None:
                    np.add(y, plus[:width], y)

        shards.run_parts(body, self.cut)
        return made

    def combined(self, made: Any, share: Any, offset: Any, factor: Any, center: Any = None) -> Any:
        """`made` (N, P, C) = (x + (y - center) share + offset) factor, of two arrays x and y."""
        of_y, plus, by, middle = map(self._repeated, (share, offset, factor, center))
        flat = made.reshape(-1)

        def body(start: int, stop: int, part: int) -> None:
            for place, (x, y) in self._blocks(start, stop):
                width, out = x.shape[1], flat[place].reshape(x.shape)
                if middle is not None:
                    y = np.subtract(y, middle[:width], out)
                np.multiply(y, of_y[:width], out)
                np.add(out, plus[:width], out)
                np.add(out, x, out)
                np.multiply(out, by[:width], out)

        shards.run_parts(body, self.cut)
        return made

    def _blocks(self, start: int, stop: int) -> Iterator[tuple[slice, list[Any]]]:
        """Where a block is among all elements, and what is there of each array: (m, width), and a shorter row last."""
        for a in range(start, stop, self.step):
            b = min(a + self.step, stop)
            first, size = a * self.unit, (b - a) * self.unit
            if self.flat:
                blocks = [x[first : first + size] for x in self.sources]
            else:
                blocks = [self._copied(index, a, b) for index in range(len(self.sources))]
            long = size - size % self.width
            if long:
                yield slice(first, first + long), [x[:long].reshape(-1, self.width) for x in blocks]
            if long < size:
                yield slice(first + long, first + size), [x[long:].reshape(1, -1) for x in blocks]

    def _copied(self, index: int, a: int, b: int) -> Any:
        """Units from a to b of an array, one behind the other: as they lie there, or in scratch memory."""
        some = self.sources[index][a:b]
        if some.flags.c_contiguous:
            return some.reshape(-1)
        copy = self._scratch(f"array {index}")[: some.size]
        copy.reshape(some.shape)[...] = some
        return copy

    def _scratch(self, purpose: str) -> Any:
        """Memory of this thread for a block."""
        return shards.scratch(purpose, (self._most(),), self.dtype)

    def _most(self) -> int:
        return self.step * self.unit

    def _repeated(self, vector: Any) -> Any:
        """(C,) as a long row in the dtype of the arrays; None stays None."""
        return None if vector is None else side_by_side(vector.astype(self.dtype)[None], self.copies)[0]
