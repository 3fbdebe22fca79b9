# mypy: disable-error-code="no-untyped-def"
"""Gradients to the points of Winograd's convolution, and from there back to the pixels, for sixteen channels at once.

Arrays, `shape` and `block` are as in points_forth.py. Gradients of what was pooled are spread over its pixels on their
way to the points.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_perf.compiled.contrast import of_seen
from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import (
    LANES,
    ask_for,
    front,
    lined_up,
    load,
    load_some,
    pick,
    piece,
    spread,
    store,
    store_some,
    total,
    where,
    where_small,
)
from tt_perf.compiled.points import back_from_points, back_to_points

__all__ = ["gradients_to_points", "greatest_to_points", "points_to_pixels"]


@piece
def rows_to_points(some: Any, points: Any, at: Any, plane: Any) -> None:
    """What is in some (6, 4, 16), A dY of a tile, times Aᵀ, to the points of the tile."""
    for k in range(6):
        here = 4 * k * LANES
        z0, z1, z2, z3, z4, z5 = back_to_points(
            load(some, here),
            load(some, here + LANES),
            load(some, here + 2 * LANES),
            load(some, here + 3 * LANES),
        )
        out = at + 6 * k * plane
        store(points, out, z0)
        store(points, out + plane, z1)
        store(points, out + 2 * plane, z2)
        store(points, out + 3 * plane, z3)
        store(points, out + 4 * plane, z4)
        store(points, out + 5 * plane, z5)


@piece
def column_to_points(y0: Any, y1: Any, y2: Any, y3: Any, some: Any, j: Any) -> None:
    """Column j of A dY, to some (6, 4, 16)."""
    z0, z1, z2, z3, z4, z5 = back_to_points(y0, y1, y2, y3)
    store(some, j * LANES, z0)
    store(some, (4 + j) * LANES, z1)
    store(some, (8 + j) * LANES, z2)
    store(some, (12 + j) * LANES, z3)
    store(some, (16 + j) * LANES, z4)
    store(some, (20 + j) * LANES, z5)


@jit("void(float32[::1], int64[::1], int64[::1], float32[::1], int64, float32[::1])")
def gradients_to_points(g, shape, block, points, plane, some):
    """A dY Aᵀ of the tiles of a block, to points (36, tiles, O'); g is a flat (N, H', W', O)."""
    high, wide, c, across = shape[0], shape[1], shape[2], shape[5]
    many = lined_up(c)
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
                    there = front(c - channel)
                    for j in range(4):
                        at = start + j * c + channel
                        here = where(j < left, there)
                        ask_for(g, at + 4 * line)
                        ask_for(g, at + 5 * line)
                        ask_for(g, at + 6 * line)
                        ask_for(g, at + 7 * line)
                        column_to_points(
                            load_some(here, g, at),
                            load_some(where(i1, here), g, at + line),
                            load_some(where(i2, here), g, at + 2 * line),
                            load_some(where(i3, here), g, at + 3 * line),
                            some,
                            j,
                        )
                    rows_to_points(some, points, tile * many + channel, plane)
                tile += 1


@jit("void(float32[::1], uint8[::1], int64[::1], int64[::1], float32[::1], int64, float32[::1])")
def greatest_to_points(g, won, shape, block, points, plane, some):
    """The same for gradients g (N, H' / 2, W' / 2, O) of what was pooled; won (N, H' / 2, W' / 2, O') says whose."""
    high, wide, c, across = shape[0] // 2, shape[1] // 2, shape[2], shape[5]
    many = lined_up(c)
    nothing = spread(np.float32(0))
    tile = 0
    for image in range(block[0], block[1]):
        for row in range(block[2], block[3]):
            below = 2 * row + 1 < high
            for column in range(across):
                start = (image * high + 2 * row) * wide + 2 * column
                for channel in range(0, c, LANES):
                    there = front(c - channel)
                    for j in range(4):
                        place = start + j // 2
                        if 2 * column + j // 2 >= wide:
                            column_to_points(nothing, nothing, nothing, nothing, some, j)
                            continue
                        upper, lower = nothing, nothing
                        upper = load_some(there, g, place * c + channel)
                        at, next = place * many + channel, place * many + channel
                        if below:
                            next = (place + wide) * many + channel
                            lower = load_some(there, g, (place + wide) * c + channel)
                        column_to_points(
                            pick(where_small(won, at, j % 2), upper, nothing),
                            pick(where_small(won, at, 2 + j % 2), upper, nothing),
                            pick(where_small(won, next, j % 2), lower, nothing),
                            pick(where_small(won, next, 2 + j % 2), lower, nothing),
                            some,
                            j,
                        )
                    rows_to_points(some, points, tile * many + channel, plane)
                tile += 1


@jit(
    "boolean(float32[::1], int64, float32[::1], int64[::1], int64[::1], float32[::1], float32[::1], boolean, "
    "uint8[::1])"
)
def points_to_pixels(points, plane, dx, shape, block, rows, carried, blank, seen):
    """B M Bᵀ of the tiles of a block, added up where they overlap, to dx, a flat (N, H, W, C); is all of it finite?

    Across first, to `rows` (6, 4 T + 2, C'), then down; two rows overlap with the next row of tiles and are `carried`
    (2, 4 T + 2, C') there, from block to block. Where `blank`, dx is 0 but where `seen` (images of the block, H, W) is
    set.
    """
    height, width, c, top, left, across, down = (
        shape[0], shape[1], shape[2], shape[3], shape[4], shape[5], shape[6]
    )  # fmt: skip
    many = lined_up(c)
    wide = 4 * across + 2
    step = wide * many
    check = spread(np.float32(0))
    nothing = spread(np.float32(0))
    tile = 0
    for image in range(block[0], block[1]):
        for row in range(block[2], block[3]):
            for k in range(6):
                for channel in range(0, many, LANES):
                    before0, before1 = nothing, nothing
                    for column in range(across):
                        at = 6 * k * plane + (tile + column) * many + channel
                        z0, z1, z2, z3, z4, z5 = back_from_points(
                            load(points, at),
                            load(points, at + plane),
                            load(points, at + 2 * plane),
                            load(points, at + 3 * plane),
                            load(points, at + 4 * plane),
                            load(points, at + 5 * plane),
                        )
                        out = (k * wide + 4 * column) * many + channel
                        store(rows, out, z0 + before0)
                        store(rows, out + many, z1 + before1)
                        store(rows, out + 2 * many, z2)
                        store(rows, out + 3 * many, z3)
                        before0, before1 = z4, z5
                    out = (k * wide + 4 * across) * many + channel
                    store(rows, out, before0)
                    store(rows, out + many, before1)
            tile += across
            first = 4 * row - top
            last = row == down - 1
            for column in range(left, min(wide, left + width)):
                pixel = column - left
                for channel in range(0, c, LANES):
                    there = front(c - channel)
                    at = column * many + channel
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
                    if last:
                        check = check + (z4 * 0.0 + z5 * 0.0)
                    if blank:
                        one = ((image - block[0]) * height + first) * width + pixel
                        if 0 <= first < height:
                            z0 = of_seen(z0, seen, one)
                        if 0 <= first + 1 < height:
                            z1 = of_seen(z1, seen, one + width)
                        if 0 <= first + 2 < height:
                            z2 = of_seen(z2, seen, one + 2 * width)
                        if 0 <= first + 3 < height:
                            z3 = of_seen(z3, seen, one + 3 * width)
                        if last and 0 <= first + 4 < height:
                            z4 = of_seen(z4, seen, one + 4 * width)
                        if last and 0 <= first + 5 < height:
                            z5 = of_seen(z5, seen, one + 5 * width)
                    out = ((image * height + first) * width + pixel) * c + channel
                    if 0 <= first < height:
                        store_some(there, dx, out, z0)
                    if 0 <= first + 1 < height:
                        store_some(there, dx, out + width * c, z1)
                    if 0 <= first + 2 < height:
                        store_some(there, dx, out + 2 * width * c, z2)
                    if 0 <= first + 3 < height:
                        store_some(there, dx, out + 3 * width * c, z3)
                    if last and 0 <= first + 4 < height:
                        store_some(there, dx, out + 4 * width * c, z4)
                    if last and 0 <= first + 5 < height:
                        store_some(there, dx, out + 5 * width * c, z5)
    return total(check) == 0
