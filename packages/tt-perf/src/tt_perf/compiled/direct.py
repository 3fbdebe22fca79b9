# mypy: disable-error-code="no-untyped-def"
"""Convolution without a copy of its windows: a matrix product that reads the image itself.

Where the channels of a pixel lie side by side, a row of a window is one piece of memory, kw C numbers, and the next
window's begins s C numbers further on. That is a matrix, though its rows overlap, and a product needs no more:

    y[row] = Σᵢ (windows of image row s·row + i) · w[i],   dw[i] = Σ (windows of image row s·row + i)ᵀ · dy[row]

for the kh rows of a window. This is for what Winograd does not suit: first layers, with few channels, and strides.
Sums are in float32, those of the weights over one image, and over the images in float64: errors are those of im2col.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import shards
from tt_perf.compiled.arrays import filled_up, whole
from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import LANES, at_least, front, load, spread, store_some
from tt_perf.compiled.tile_product import tile_product

__all__ = ["forward", "suits", "weights"]

ROWS = 12
"""Rows of a filter's gradient that are made at once."""

MOST = 1 << 22
"""Numbers of an image with its padding, up to which a copy of one is quick."""

_eight_by_three, _eight_by_two, _eight_by_one = tile_product(8, 3), tile_product(8, 2), tile_product(8, 1)
_twelve_by_two, _twelve_by_one = tile_product(ROWS, 2), tile_product(ROWS, 1)


@jit("void(float32[::1], int64, int64[::1], float32[::1])")
def surround(x, image, shape, padded):
    """Image `image` of a flat (N, H, W, C), or with shape[6] (N, C, H, W), into the middle of `padded` (H'', W'', C).

    Its border stays as it is.
    """
    height, width, c, top, left, wide = shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]
    for row in range(height):
        to = ((row + top) * wide + left) * c
        if shape[6]:
            for channel in range(c):
                start = ((image * c + channel) * height + row) * width
                for i in range(width):
                    padded[to + i * c + channel] = x[start + i]
        else:
            start = (image * height + row) * width * c
            for i in range(width * c):
                padded[to + i] = x[start + i]


@jit(
    "void(float32[::1], int64[::1], float32[::1], int64[::1], float32[::1], float32, float32[::1], float32[::1], "
    "float32[::1], int64, int64)"
)
def convolve(x, shape, w, filters, by, least, y, padded, sums, start, stop):
    """max(z · scale + offset, least) to y (N, H', W', O), z the convolution of the images from start to stop.

    `filters` is kh, kw, H', W', O and the strides; w is (kh, kw C, O'), `by` scale and offset, (2, O'), where O' is O
    filled up with zeros to a multiple of 16; `sums` is scratch (W', O').
    """
    c, wide = shape[2], shape[5]
    kh, kw, high, across, o = filters[0], filters[1], filters[2], filters[3], filters[4]
    down, right = filters[5], filters[6]
    depth = kw * c
    many = (o + LANES - 1) // LANES * LANES
    floor = spread(least)
    for image in range(start, stop):
        surround(x, image, shape, padded)
        for row in range(high):
            line = (image * high + row) * across
            for column in range(0, across, 8):
                # The last eight places may be some that were there before.
                place = min(column, across - 8)
                for i in range(kh):
                    at = ((row * down + i) * wide + place * right) * c
                    b = i * depth * many
                    out = place * many
                    step, later = right * c, i > 0
                    channel = 0
                    while channel < many:
                        j, k = b + channel, out + channel
                        if channel + 3 * LANES <= many and (many - channel) % (2 * LANES) != 0:
                            _eight_by_three(padded, at, step, 1, w, j, many, depth, sums, k, many, later)
                            channel += 3 * LANES
                        elif channel + 2 * LANES <= many:
                            _eight_by_two(padded, at, step, 1, w, j, many, depth, sums, k, many, later)
                            channel += 2 * LANES
                        else:
                            _eight_by_one(padded, at, step, 1, w, j, many, depth, sums, k, many, later)
                            channel += LANES
            for channel in range(0, o, LANES):
                there = front(o - channel)
                scale, offset = load(by, channel), load(by, many + channel)
                for column in range(across):
                    z = load(sums, column * many + channel) * scale + offset
                    store_some(there, y, (line + column) * o + channel, at_least(z, floor))


@jit(
    "void(float32[::1], int64[::1], float32[::1], int64[::1], float32[::1], float32[::1], float64[::1], int64, int64)"
)
def collect(x, shape, g, filters, one, padded, sums, start, stop):
    """Σ over the images from start to stop, on top of sums (kh, kw C and some more, O); `one` is as large."""
    c, wide = shape[2], shape[5]
    kh, kw, high, across, o = filters[0], filters[1], filters[2], filters[3], filters[4]
    down, right = filters[5], filters[6]
    rows = (kw * c + ROWS - 1) // ROWS * ROWS
    for image in range(start, stop):
        surround(x, image, shape, padded)
        for row in range(high):
            line = (image * high + row) * across * o
            for i in range(kh):
                at = (row * down + i) * wide * c
                for r in range(0, rows, ROWS):
                    out = (i * rows + r) * o
                    step, later = right * c, row > 0
                    channel = 0
                    while channel + 2 * LANES <= o:
                        j, k = line + channel, out + channel
                        _twelve_by_two(padded, at + r, 1, step, g, j, o, across, one, k, o, later)
                        channel += 2 * LANES
                    if channel < o:
                        j, k = line + channel, out + channel
                        _twelve_by_one(padded, at + r, 1, step, g, j, o, across, one, k, o, later)
        for i in range(sums.size):
            sums[i] += one[i]


def suits(c: int, o: int, window: Any, image: tuple[int, int], places: tuple[int, int]) -> bool:
    """Is it one of those: more than a pixel, no holes, no groups, and enough places to fill registers?"""
    (kh, kw), ((top, bottom), (left, right)) = window.size, window.padding
    return (
        kh * kw > 1
        and window.dilation == (1, 1)
        and window.groups == 1
        and c > 0
        and o > 0
        and places[1] >= 8
        and (image[0] + top + bottom) * (image[1] + left + right) * c <= MOST
    )


class _Geometry:
    """What the kernels want to know."""

    def __init__(self, images: Any, window: Any, places: tuple[int, int], o: int) -> None:
        _, c, height, width = images.shape
        (top, bottom), (left, right) = window.padding
        wide = width + left + right
        # A batch whose channels lie one after the other is turned image by image.
        self.planes = images.flags.carray and not images.transpose(0, 2, 3, 1).flags.carray
        self.memory = images if self.planes else whole(images.transpose(0, 2, 3, 1))
        self.shape = np.array([height, width, c, top, left, wide, self.planes])
        self.filters = np.array([*window.size, *places, o, *window.stride])
        # Rows of windows are read up to a multiple of ROWS.
        self.size = (height + top + bottom) * wide * c + ROWS

    def padded(self) -> Any:
        """Memory for one image between zeros."""
        return np.zeros(self.size, np.float32)


def forward(
    images: Any,
    weight: Any,
    bias: Any,
    window: Any,
    places: tuple[int, int],
    worth: int,
    scale: Any = None,
    least: float = -math.inf,
) -> Any:
    """max(z · scale + bias, least), z the convolution (N, H', W', O) of images (N, C, H, W), in any memory order.

    `worth` images are worth a thread.
    """
    n, o = len(images), len(weight)
    many = filled_up(o)
    geometry = _Geometry(images, window, places, o)
    y = np.empty((n, *places, o), np.float32)
    w = np.zeros((*window.size, images.shape[1], many), np.float32)
    w[..., :o] = weight.transpose(2, 3, 1, 0)
    by = np.zeros((2, many), np.float32)
    by[0, :o] = 1 if scale is None else scale
    by[1, :o] = 0 if bias is None else bias

    def body(start: int, stop: int, part: int) -> None:
        convolve(
            geometry.memory.reshape(-1),
            geometry.shape,
            w.reshape(-1),
            geometry.filters,
            by.reshape(-1),
            least,
            y.reshape(-1),
            geometry.padded(),
            np.empty(places[1] * many, np.float32),
            start,
            stop,
        )

    shards.run(body, n, worth)
    return y


def weights(images: Any, grad: Any, window: Any, least: int) -> Any:
    """dweight (O, C, kh, kw) of images (N, C, H, W) and grad (N, H', W', O), C-contiguous."""
    n, high, wide, o = grad.shape
    c, (kh, kw) = images.shape[1], window.size
    geometry = _Geometry(images, window, (high, wide), o)
    rows = -(-kw * c // ROWS) * ROWS
    cut = shards.parts(n, least)
    sums = np.zeros((len(cut), kh * rows * o))

    def body(start: int, stop: int, part: int) -> None:
        collect(
            geometry.memory.reshape(-1),
            geometry.shape,
            grad.reshape(-1),
            geometry.filters,
            np.empty(kh * rows * o, np.float32),
            geometry.padded(),
            sums[part],
            start,
            stop,
        )

    shards.run_parts(body, cut)
    by_row = sums.sum(axis=0).reshape(kh, rows, o)[:, : kw * c].reshape(kh, kw, c, o)
    return np.ascontiguousarray(by_row.transpose(3, 2, 0, 1).astype(np.float32))
