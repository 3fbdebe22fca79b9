# mypy: disable-error-code="no-untyped-def"
"""Tiles of images at the points of Winograd's convolution, and back: the four transforms, for sixteen channels at once.

A tile is 4×4 results, or the 6×6 pixels that go into them. Each transform is one along the rows and the same along the
columns, of six numbers or four to as many. Images are flat (N, H, W, C); points are 36 planes (tiles, C).
`shape` is H, W, C, the padding above and on the left, and how many tiles there are across and down; `block` the images
from and to, and the rows of tiles from and to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import LANES, ask_for, load, load_if, piece, spread, store, total

__all__ = [
    "A2",
    "AB",
    "B2",
    "POINTS",
    "TILE",
    "A",
    "B",
    "gradients_to_points",
    "pixels_to_points",
    "points_to_pixels",
    "points_to_results",
]

A, B = 0.5**0.5, 2**0.5
"""The points, besides 0 and ∞. With 1 and 2, which spare some products, errors are three times as large."""

A2, B2, A3, B3 = A * A, B * B, A * A * A, B * B * B
AB, SUM = A2 * B2, A2 + B2
AB2, BA2 = A * B2, B * A2

POINTS = 36
TILE = 4
"""Results along each axis of a tile; with the two pixels of the filter around it, six go in."""


@piece
def to_points(x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    """Bᵀ x: six pixels at the six points."""
    p, q = x4 - B2 * x2, A * x3 - AB2 * x1
    r, s = x4 - A2 * x2, B * x3 - BA2 * x1
    return AB * x0 - SUM * x2 + x4, p + q, p - q, r + s, r - s, AB * x1 - SUM * x3 + x5


@piece
def from_points(x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    """Aᵀ x: four results from the six points."""
    p, q, r, s = x1 + x2, x1 - x2, x3 + x4, x3 - x4
    return x0 + p + r, A * q + B * s, A2 * p + B2 * r, A3 * q + B3 * s + x5


@piece
def back_to_points(y0: Any, y1: Any, y2: Any, y3: Any) -> Any:
    """A y: what the points get of four gradients."""
    p, q = y0 + A2 * y2, A * y1 + A3 * y3
    r, s = y0 + B2 * y2, B * y1 + B3 * y3
    return y0, p + q, p - q, r + s, r - s, y3


@piece
def back_from_points(x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    """B x: what the six pixels get of the points."""
    p, q, r, s = x1 + x2, x1 - x2, x3 + x4, x3 - x4
    return (
        AB * x0,
        AB * x5 - AB2 * q - BA2 * s,
        -1.0 * (SUM * x0 + B2 * p + A2 * r),
        A * q + B * s - SUM * x5,
        x0 + p + r,
        x5,
    )


@jit("void(float32[::1], int64[::1], int64[::1], float32[::1], int64, float32[::1])")
def pixels_to_points(x, shape, block, points, plane, rows):
    """Bᵀ d B of the tiles of a block, to points (36, tiles, C); x is a flat (N, H, W, C), zeros around it.

    Down first, for a whole row of tiles, as tiles overlap. `rows` is scratch memory (6, 4 T + 2, C).
    """
    height, width, c, top, left, across = shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]
    wide = 4 * across + 2
    nothing = spread(np.float32(0))
    tile = 0
    for image in range(block[0], block[1]):
        for row in range(block[2], block[3]):
            first = 4 * row - top
            i0, i1, i2 = 0 <= first < height, 0 <= first + 1 < height, 0 <= first + 2 < height
            i3, i4, i5 = 0 <= first + 3 < height, 0 <= first + 4 < height, 0 <= first + 5 < height
            inside = i0 and i5
            line = width * c
            for column in range(wide):
                pixel = column - left
                to = column * c
                if pixel < 0 or pixel >= width:
                    for k in range(6):
                        for channel in range(0, c, LANES):
                            store(rows, k * wide * c + to + channel, nothing)
                    continue
                start = ((image * height + first) * width + pixel) * c
                for channel in range(0, c, LANES):
                    at = start + channel
                    # What the next row of tiles needs besides.
                    ask_for(x, at + 6 * line)
                    ask_for(x, at + 7 * line)
                    ask_for(x, at + 8 * line)
                    ask_for(x, at + 9 * line)
                    if inside:
                        z0, z1, z2, z3, z4, z5 = to_points(
                            load(x, at),
                            load(x, at + line),
                            load(x, at + 2 * line),
                            load(x, at + 3 * line),
                            load(x, at + 4 * line),
                            load(x, at + 5 * line),
                        )
                    else:
                        z0, z1, z2, z3, z4, z5 = to_points(
                            load_if(i0, x, at),
                            load_if(i1, x, at + line),
                            load_if(i2, x, at + 2 * line),
                            load_if(i3, x, at + 3 * line),
                            load_if(i4, x, at + 4 * line),
                            load_if(i5, x, at + 5 * line),
                        )
                    out, step = to + channel, wide * c
                    store(rows, out, z0)
                    store(rows, out + step, z1)
                    store(rows, out + 2 * step, z2)
                    store(rows, out + 3 * step, z3)
                    store(rows, out + 4 * step, z4)
                    store(rows, out + 5 * step, z5)
            for k in range(6):
                for column in range(across):
                    at = (k * wide + 4 * column) * c
                    out = 6 * k * plane + (tile + column) * c
                    for channel in range(0, c, LANES):
                        z0, z1, z2, z3, z4, z5 = to_points(
                            load(rows, at + channel),
                            load(rows, at + c + channel),
                            load(rows, at + 2 * c + channel),
                            load(rows, at + 3 * c + channel),
                            load(rows, at + 4 * c + channel),
                            load(rows, at + 5 * c + channel),
                        )
                        store(points, out + channel, z0)
                        store(points, out + plane + channel, z1)
                        store(points, out + 2 * plane + channel, z2)
                        store(points, out + 3 * plane + channel, z3)
                        store(points, out + 4 * plane + channel, z4)
                        store(points, out + 5 * plane + channel, z5)
            tile += across


@jit(
    "boolean(float32[::1], int64, float32[::1], boolean, float32[::1], int64[::1], int64[::1], float32[::1])"
)
def points_to_results(points, plane, bias, biased, y, shape, block, some):
    """Aᵀ M A of the tiles of a block, to y, a flat (N, H', W', O); is all of it finite? `some` is scratch (24, 16)."""
    high, wide, c, across = shape[0], shape[1], shape[2], shape[5]
    check = spread(np.float32(0))
    add = spread(np.float32(0))
    tile = 0
    for image in range(block[0], block[1]):
        for row in range(block[2], block[3]):
            for column in range(across):
                for channel in range(0, c, LANES):
                    at = tile * c + channel
                    for j in range(6):
                        here = at + j * plane
                        z0, z1, z2, z3 = from_points(
                            load(points, here),
                            load(points, here + 6 * plane),
                            load(points, here + 12 * plane),
                            load(points, here + 18 * plane),
                            load(points, here + 24 * plane),
                            load(points, here + 30 * plane),
                        )
                        store(some, j * LANES, z0)
                        store(some, (6 + j) * LANES, z1)
                        store(some, (12 + j) * LANES, z2)
                        store(some, (18 + j) * LANES, z3)
                    if biased:
                        add = load(bias, channel)
                    for k in range(min(4, high - 4 * row)):
                        here = 6 * k * LANES
                        z0, z1, z2, z3 = from_points(
                            load(some, here),
                            load(some, here + LANES),
                            load(some, here + 2 * LANES),
                            load(some, here + 3 * LANES),
                            load(some, here + 4 * LANES),
                            load(some, here + 5 * LANES),
                        )
                        check = check + (z0 * 0.0 + z1 * 0.0) + (z2 * 0.0 + z3 * 0.0)
                        out = ((image * high + 4 * row + k) * wide + 4 * column) * c + channel
                        left = wide - 4 * column
                        store(y, out, z0 + add)
                        if left > 1:
                            store(y, out + c, z1 + add)
                        if left > 2:
                            store(y, out + 2 * c, z2 + add)
                        if left > 3:
                            store(y, out + 3 * c, z3 + add)
                tile += 1
    return total(check) == 0


@jit("void(float32[::1], int64[::1], int64[::1], float32[::1], int64, float32[::1])")
def gradients_to_points(g, shape, block, points, plane, some):
    """A dY Aᵀ of the tiles of a block, to points (36, tiles, O); g is a flat (N, H', W', O)."""
    high, wide, c, across = shape[0], shape[1], shape[2], shape[5]
    tile = 0
    line = wide * c
    for image in range(block[0], block[1]):
        for row in range(block[2], block[3]):
            down = high - 4 * row
            i1, i2, i3 = down > 1, down > 2, down > 3
            for column in range(across):
                start = ((image * high + 4 * row) * wide + 4 * column) * c
                left = wide - 4 * column
                for channel in range(0, c, LANES):
                    for j in range(4):
                        at, here = start + j * c + channel, j < left
                        ask_for(g, at + 4 * line)
                        ask_for(g, at + 5 * line)
                        ask_for(g, at + 6 * line)
                        ask_for(g, at + 7 * line)
                        z0, z1, z2, z3, z4, z5 = back_to_points(
                            load_if(here, g, at),
                            load_if(here and i1, g, at + line),
                            load_if(here and i2, g, at + 2 * line),
                            load_if(here and i3, g, at + 3 * line),
                        )
                        store(some, j * LANES, z0)
                        store(some, (4 + j) * LANES, z1)
                        store(some, (8 + j) * LANES, z2)
                        store(some, (12 + j) * LANES, z3)
                        store(some, (16 + j) * LANES, z4)
                        store(some, (20 + j) * LANES, z5)
                    for k in range(6):
                        here = 4 * k * LANES
                        z0, z1, z2, z3, z4, z5 = back_to_points(
                            load(some, here),
                            load(some, here + LANES),
                            load(some, here + 2 * LANES),
                            load(some, here + 3 * LANES),
                        )
                        out = 6 * k * plane + tile * c + channel
                        store(points, out, z0)
                        store(points, out + plane, z1)
                        store(points, out + 2 * plane, z2)
                        store(points, out + 3 * plane, z3)
                        store(points, out + 4 * plane, z4)
                        store(points, out + 5 * plane, z5)
                tile += 1


@jit(
    "boolean(float32[::1], int64, float32[::1], int64[::1], int64[::1], float32[::1], float32[::1])",
)
def points_to_pixels(points, plane, dx, shape, block, rows, carried):
    """B M Bᵀ of the tiles of a block, added up where they overlap, to dx, a flat (N, H, W, C); is all of it finite?

    Across first, to `rows` (6, 4 T + 2, C), then down; two rows overlap with the next row of tiles and are `carried`
    (2, 4 T + 2, C) there, from block to block.
    """
    height, width, c, top, left, across, down = (
        shape[0],
        shape[1],
        shape[2],
        shape[3],
        shape[4],
        shape[5],
        shape[6],
    )
    wide = 4 * across + 2
    step = wide * c
    check = spread(np.float32(0))
    nothing = spread(np.float32(0))
    tile = 0
    for image in range(block[0], block[1]):
        for row in range(block[2], block[3]):
            for k in range(6):
                for channel in range(0, c, LANES):
                    before0, before1 = nothing, nothing
                    for column in range(across):
                        at = 6 * k * plane + (tile + column) * c + channel
                        z0, z1, z2, z3, z4, z5 = back_from_points(
                            load(points, at),
                            load(points, at + plane),
                            load(points, at + 2 * plane),
                            load(points, at + 3 * plane),
                            load(points, at + 4 * plane),
                            load(points, at + 5 * plane),
                        )
                        out = (k * wide + 4 * column) * c + channel
                        store(rows, out, z0 + before0)
                        store(rows, out + c, z1 + before1)
                        store(rows, out + 2 * c, z2)
                        store(rows, out + 3 * c, z3)
                        before0, before1 = z4, z5
                    out = (k * wide + 4 * across) * c + channel
                    store(rows, out, before0)
                    store(rows, out + c, before1)
            tile += across
            first = 4 * row - top
            last = row == down - 1
            for column in range(left, min(wide, left + width)):
                pixel = column - left
                for channel in range(0, c, LANES):
                    at = column * c + channel
                    z0, z1, z2, z3, z4, z5 = back_from_points(
                        load(rows, at),
                        load(rows, at + step),
                        load(rows, at + 2 * step),
                        load(rows, at + 3 * step),
                        load(rows, at + 4 * step),
                        load(rows, at + 5 * step),
                    )
                    if row > 0:
                        z0 = z0 + load(carried, at)
                        z1 = z1 + load(carried, at + step)
                    store(carried, at, z4)
                    store(carried, at + step, z5)
                    check = check + (z0 * 0.0 + z1 * 0.0) + (z2 * 0.0 + z3 * 0.0)
                    out = ((image * height + first) * width + pixel) * c + channel
                    if 0 <= first < height:
                        store(dx, out, z0)
                    if 0 <= first + 1 < height:
                        store(dx, out + width * c, z1)
                    if 0 <= first + 2 < height:
                        store(dx, out + 2 * width * c, z2)
                    if 0 <= first + 3 < height:
                        store(dx, out + 3 * width * c, z3)
                    if last:
                        check = check + (z4 * 0.0 + z5 * 0.0)
                        if 0 <= first + 4 < height:
                            store(dx, out + 4 * width * c, z4)
                        if 0 <= first + 5 < height:
                            store(dx, out + 5 * width * c, z5)
    return total(check) == 0
