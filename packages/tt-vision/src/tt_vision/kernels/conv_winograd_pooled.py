"""Winograd's convolution and max pooling by two by two: what is between them is in the cache, and never in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.channels import channels_first
from tt_vision.kernels.batch_norm_relu import PAIRS
from tt_vision.kernels.conv_blocked import Block
from tt_vision.kernels.conv_winograd import convolve, send_back
from tt_vision.kernels.max_pool_pairs import pool_block
from tt_vision.kernels.max_pool_ways import write_by_taps
from tt_vision.kernels.taps import block_of, taps
from tt_vision.window import Pair, Window

__all__ = ["conv2d_pooled", "conv2d_pooled_backward"]


def conv2d_pooled(x: Any, weight: Any, bias: Any, window: Window, winners: bool) -> tuple[Any, Any] | None:
    """The greatest of each two by two of x ⋆ w + b, and which it was; None where a number is too large for it."""
    high, wide = window.output(x.shape[2:], "conv2d")
    n, o = len(x), len(weight)
    y = np.empty((n, high // 2, wide // 2, o), x.dtype)
    won = np.empty(y.shape, np.uint8) if winners else None

    def room(block: Block) -> Any:
        a, b, r, s = block
        return shards.scratch("unpooled", (b - a, s - r, wide, o), x.dtype)

    def done(block: Block, out: Any) -> None:
        a, b, r, s = block
        rows = slice(r // 2, s // 2)  # r is a multiple of four
        pool_block(out, y[a:b, rows], None if won is None else won[a:b, rows])

    if not convolve(x, weight, bias, window, room, done):
        return None
    return channels_first(y), None if won is None else channels_first(won)


def conv2d_pooled_backward(
    x: Any, weight: Any, grad: Any, won: Any, window: Window, image: Pair
) -> tuple[Any, Any] | None:
    """(dx, dweight) for the gradient of what was pooled; see conv_winograd.conv2d_backward."""
    n, o, high, wide = grad.shape
    gradients, winners = grad.transpose(0, 2, 3, 1), won.transpose(0, 2, 3, 1)
    right = taps(PAIRS, 1, 2 * wide, 0, wide)

    def fill(rows: Any, block: Block) -> None:
        a, b, r, s = block
        if r == s:
            return
        first, last = r // 2, -(-s // 2)
        count, places = last - first, slice(first, last)
        back, numbers = block_of(gradients, a, b, places, "back"), block_of(winners, a, b, places, "won")
        whole, target = rows.shape[1] == 2 * count, rows
        if not whole:  # the rows begin or end within a window
            target = shards.scratch("scattered", (b - a, 2 * count, 2 * wide, o), rows.dtype)
        write_by_taps(target, back, numbers, taps(PAIRS, 0, 2 * count, 0, count), right, 2)
        if not whole:
            rows[...] = target[:, r - 2 * first : s - 2 * first]

    return send_back(x, weight, (n, o, 2 * high, 2 * wide), window, image, fill)
