"""ImageRows: images by the block, for what has other numbers for each channel of each image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.kernels.rows import BLOCK, LONG, WORTH, empty, side_by_side

__all__ = ["ImageRows", "scaled_channels"]

FEW = 1 << 11
"""Pixels up to which the rounding of a plain sum does not matter."""


class ImageRows:
    """How an x (N, C, P), not empty, is cut: in parts for threads, blocks for the cache, and images in long rows.

    A long row is `copies` pixels side by side: a divisor of P, and small, as vectors are repeated for each image.
    """

    def __init__(self, x: Any) -> None:
        n, c, p = x.shape
        most = max(1, min(LONG // c, p // 8))
        self.copies = next(copies for copies in range(most, 0, -1) if p % copies == 0)
        self.channels, self.pixels = c, p
        self.step = max(1, 2 * BLOCK // (p * c * x.itemsize))  # twice a block: each takes many calls
        self.cut = shards.parts(n, max(1, WORTH // (p * c)))

    def blocks(self, start: int, stop: int) -> Iterator[slice]:
        """As many images at once as a cache holds."""
        for a in range(start, stop, self.step):
            yield slice(a, min(a + self.step, stop))

    def long(self, x: Any, here: slice, name: str) -> Any:
        """The images `here` as (k, P / copies, copies · C): as they lie there, or a copy in scratch memory."""
        images = x[here].transpose(0, 2, 1)
        k, p, c = images.shape
        if not images.flags.c_contiguous:
            copy = shards.scratch(f"images of {name}", images.shape, images.dtype)
            copy[...] = images
            images = copy
        return images.reshape(k, p // self.copies, self.copies * c)

    def few(self, long: Any) -> Any:
        """Long rows as what to add up: where there are few pixels, their own rows, so that nothing is left to fold."""
        return long.reshape(len(long), -1, self.channels) if self.pixels <= FEW else long

    def repeated(self, vectors: Any, dtype: Any) -> Any:
        """(k, C) as (k, 1, copies · C)."""
        return side_by_side(vectors.astype(dtype), self.copies)[:, None]


def scaled_channels(x: Any, factor: Any) -> Any:
    """(N, C, P) times (N, C)."""
    n, c, p = x.shape
    y, split = empty((n, p, c), x.dtype), ImageRows(x)

    def body(start: int, stop: int, part: int) -> None:
        for here in split.blocks(start, stop):
            rows = split.long(x, here, "x")
            np.multiply(rows, split.repeated(factor[here], x.dtype), y[here].reshape(rows.shape))

    shards.run_parts(body, split.cut)
    return y.transpose(0, 2, 1)
