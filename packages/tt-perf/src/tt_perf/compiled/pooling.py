# mypy: disable-error-code="no-untyped-def, no-any-return"
"""Max pooling by windows side by side, compiled: one pass, forward and back. Others go to NumPy's kernel.

The result is the same to the bit, as numbers are compared and copied only: of equals the first wins, a NaN beats all.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_perf.compiled.arrays import whole
from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import (
    LANES,
    choose,
    greater,
    higher,
    load,
    pick,
    spread,
    store,
    store_small,
    where_small,
)
from tt_perf.compiled.table import fallback

__all__ = ["max_pool2d", "max_pool2d_backward"]

WORTH = 1 << 18
"""Numbers that are worth a thread."""

MANY = 255
"""Taps whose numbers are more than a byte."""


@jit("void(float32[::1], int64, int64, int64, int64, int64, int64, float32[::1], uint8[::1], boolean)")
def greatest(x, height, width, c, high, start, stop, y, won, winners):
    """y (N, H', W', C) of a flat (N, H, W, C), and which of the four it was: the places' rows from start to stop."""
    wide = width // 2
    line = width * c
    for row in range(start, stop):
        above = (row // high * height + row % high * 2) * line
        for column in range(wide):
            for channel in range(0, c, LANES):
                at, out = above + 2 * column * c + channel, (row * wide + column) * c + channel
                best = load(x, at)
                right = load(x, at + c)
                more = higher(right, best)
                number = choose(more, 1, 0)
                best = pick(more, right, best)
                below = load(x, at + line)
                more = higher(below, best)
                number = choose(more, 2, number)
                best = pick(more, below, best)
                last = load(x, at + line + c)
                more = higher(last, best)
                number = choose(more, 3, number)
                store(y, out, pick(more, last, best))
                if winners:
                    store_small(won, out, number)


@jit("void(float32[::1], uint8[::1], int64, int64, int64, int64, int64, int64, float32[::1])")
def send_back(g, won, height, width, c, high, start, stop, dx):
    """dx (N, H, W, C) of the gradient g (N, H', W', C), for the places' rows from start to stop; H and W are even."""
    wide = width // 2
    line = width * c
    nothing = spread(np.float32(0))
    for row in range(start, stop):
        above = (row // high * height + row % high * 2) * line
        for column in range(wide):
            for channel in range(0, c, LANES):
                out, at = above + 2 * column * c + channel, (row * wide + column) * c + channel
                sent = load(g, at)
                store(dx, out, pick(where_small(won, at, 0), sent, nothing))
                store(dx, out + c, pick(where_small(won, at, 1), sent, nothing))
                store(dx, out + line, pick(where_small(won, at, 2), sent, nothing))
                store(dx, out + line + c, pick(where_small(won, at, 3), sent, nothing))


@jit("void(float32[::1], int64[::1], int64, int64, float32[::1], uint8[::1], boolean)")
def greatest_of_many(x, shape, start, stop, y, won, winners):
    """The same for windows of kh by kw, side by side: `shape` is H, W, C, H', W', kh, kw."""
    height, width, c, high, wide = shape[0], shape[1], shape[2], shape[3], shape[4]
    kh, kw = shape[5], shape[6]
    for row in range(start, stop):
        above = (row // high * height + row % high * kh) * width * c
        for column in range(wide):
            for channel in range(0, c, LANES):
                at, out = above + column * kw * c + channel, (row * wide + column) * c + channel
                best = load(x, at)
                number = choose(greater(best, best), 0, 0)
                for i in range(kh):
                    for j in range(kw):
                        one = load(x, at + (i * width + j) * c)
                        more = higher(one, best)
                        # The first would be higher than itself where it is NaN: that is right, too.
                        number = choose(more, i * kw + j, number)
                        best = pick(more, one, best)
                store(y, out, best)
                if winners:
                    store_small(won, out, number)


@jit("void(float32[::1], uint8[::1], int64[::1], int64, int64, float32[::1])")
def send_back_to_many(g, won, shape, start, stop, dx):
    """`send_back` for such windows, which cover the image."""
    height, width, c, high, wide = shape[0], shape[1], shape[2], shape[3], shape[4]
    kh, kw = shape[5], shape[6]
    nothing = spread(np.float32(0))
    for row in range(start, stop):
        above = (row // high * height + row % high * kh) * width * c
        for column in range(wide):
            for channel in range(0, c, LANES):
                out, at = above + column * kw * c + channel, (row * wide + column) * c + channel
                sent = load(g, at)
                for i in range(kh):
                    for j in range(kw):
                        some = pick(where_small(won, at, i * kw + j), sent, nothing)
                        store(dx, out + (i * width + j) * c, some)


def max_pool2d(x: Any, window: Any, winners: bool = True) -> tuple[Any, Any]:
    """See tt_vision.kernels.max_pool: x (N, C, H, W) → the greatest under each window, and which tap was on it."""
    n, c, height, width = x.shape
    high, wide = window.output((height, width), "max_pool")
    kh, kw = window.size
    if not _side_by_side(x, window) or kh * high > height or kw * wide > width:
        return fallback("max_pool2d")(x, window, winners)
    images = _images(x[:, :, :, : kw * wide])
    y = np.empty((n, high, wide, c), np.float32)
    won = np.empty(y.shape if winners else (1,), np.uint8)
    shape = np.array([height, kw * wide, c, high, wide, kh, kw])

    def body(start: int, stop: int, part: int) -> None:
        flat, out, numbers = images.reshape(-1), y.reshape(-1), won.reshape(-1)
        if (kh, kw) == (2, 2):
            greatest(flat, height, 2 * wide, c, high, start, stop, out, numbers, winners)
        else:
            greatest_of_many(flat, shape, start, stop, out, numbers, winners)

    shards.run(body, n * high, max(1, WORTH // (kh * kw * wide * c)))
    return y.transpose(0, 3, 1, 2), won.transpose(0, 3, 1, 2) if winners else None


def max_pool2d_backward(grad: Any, winners: Any, window: Any, image: tuple[int, int]) -> Any:
    """See tt_vision.kernels.max_pool_ways: the gradient of each place, at the pixel that won there."""
    n, c, high, wide = grad.shape
    kh, kw = window.size
    if not _side_by_side(grad, window) or winners.dtype != np.uint8 or image != (kh * high, kw * wide):
        return fallback("max_pool2d_backward")(grad, winners, window, image)
    g, won = _images(grad), _images(winners)
    dx = np.empty((n, *image, c), np.float32)
    shape = np.array([*image, c, high, wide, kh, kw])

    def body(start: int, stop: int, part: int) -> None:
        if (kh, kw) == (2, 2):
            send_back(g.reshape(-1), won.reshape(-1), *image, c, high, start, stop, dx.reshape(-1))
        else:
            send_back_to_many(g.reshape(-1), won.reshape(-1), shape, start, stop, dx.reshape(-1))

    shards.run(body, n * high, max(1, WORTH // (kh * kw * wide * c)))
    return dx.transpose(0, 3, 1, 2)


def _side_by_side(x: Any, window: Any) -> bool:
    """Windows side by side, whose taps have numbers of a byte, on float32 images whose channels fill registers?"""
    return (
        x.dtype == np.float32
        and window.stride == window.size
        and window.dilation == (1, 1)
        and window.padding == ((0, 0), (0, 0))
        and window.size[0] * window.size[1] < MANY
        and x.shape[1] % LANES == 0
        and x.size > 0
    )


def _images(x: Any) -> Any:
    """(N, C, H, W) as a C-contiguous (N, H, W, C); no copy where it is stored so."""
    return whole(x.transpose(0, 2, 3, 1))
