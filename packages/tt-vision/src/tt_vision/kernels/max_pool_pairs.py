"""Max pooling by windows of two by two that lie apart: the usual one, in a quarter of the passes.

The pixels under each of the four taps are copied side by side; then all is done on memory without gaps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.channels import channels_first
from tt_vision.kernels.taps import block_of, copy_pixels, least
from tt_vision.window import Pair, Window

__all__ = ["are_pairs", "max_pool2d_pairs", "pool_block"]

BLOCK = 1 << 22
"""Bytes of the pixels of a block: with what is made of them they stay in a level-2 cache."""

NOTHING = ((0, 0), (0, 0))


def are_pairs(x: Any, window: Window, places: Pair) -> bool:
    """Are the windows two by two, side by side, all on the image, and the pixels of a length worth copying?"""
    return (
        x.dtype.kind == "f"
        and (window.size, window.stride, window.padding) == ((2, 2), (2, 2), NOTHING)
        and window.dilation == (1, 1)
        and (2 * places[0] <= x.shape[2] and 2 * places[1] <= x.shape[3])
        and x.size > 0
    )


def max_pool2d_pairs(x: Any, places: Pair, winners: bool) -> tuple[Any, Any]:
    """The greatest of each four, and which it was, as `max_pool2d` says: 0 1 above, 2 3 below."""
    n, c, height, width = x.shape
    high, wide = places
    images = x.transpose(0, 2, 3, 1)
    y = np.empty((n, high, wide, c), x.dtype)
    won = np.empty(y.shape, np.uint8) if winners else None
    step = max(1, BLOCK // (4 * wide * c * x.itemsize))  # rows of places

    def body(start: int, stop: int, part: int) -> None:
        for a in range(start, stop, max(1, step // high)):
            b = min(a + max(1, step // high), stop)
            for r in range(0, high, step):
                s = min(r + step, high)
                block = block_of(images, a, b, slice(2 * r, 2 * s), "images")
                pool_block(block[:, :, : 2 * wide], y[a:b, r:s], None if won is None else won[a:b, r:s])

    shards.run(body, n, least((height, width), c))
    return channels_first(y), None if won is None else channels_first(won)


def pool_block(x: Any, y: Any, won: Any) -> None:
    """Of images (n, 2 H', 2 W', C) to y and the winners (n, H', W', C)."""
    taps = shards.scratch("pairs", (4, *y.shape), x.dtype)
    for number in range(4):
        copy_pixels(taps[number], x[:, number // 2 :: 2, number % 2 :: 2])
    above, right_above, below, right_below = taps
    if won is not None:
        greater = shards.scratch("greater", (3, *y.shape), np.bool_)
        np.greater(right_above, above, out=greater[0])
        np.greater(right_below, below, out=greater[1])
    np.maximum(above, right_above, out=above)
    np.maximum(below, right_below, out=below)
    np.maximum(above, below, out=y)
    if won is None:
        return
    # Of equals the first wins: the right one and the one below must be greater.
    np.greater(below, above, out=greater[2])
    first, second, lower = greater.view(np.uint8)
    # first, or where the lower row is greater 2 + second
    second += 2
    second -= first
    second *= lower
    np.add(first, second, out=won)
    if np.isnan(y.min()):
        for number in range(4):  # they were compared in place
            copy_pixels(taps[number], x[:, number // 2 :: 2, number % 2 :: 2])
        for number in range(4):
            np.copyto(won, np.uint8(number), where=np.isnan(taps[number]))
