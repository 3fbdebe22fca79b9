# mypy: disable-error-code="no-untyped-def"
"""Tiles of images to the points of Winograd's convolution, and from there to its results, for sixteen channels at once.

Images are flat (N, H, W, C); points are 36 planes (tiles, C'), where C' is C filled up with zeros to a multiple of 16.
`shape` is H, W, C, the padding above and on the left, and how many tiles there are across and down; `block` the images
from and to, and the rows of tiles from and to.

Where the results are pooled by two by two, they go through it tile by tile on their way to memory: the images that are
pooled are never there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_perf.compiled.contrast import of_seen
from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import (
    LANES,
    ask_for,
    at_least,
    choose,
    front,
    higher,
    lined_up,
    load,
    load_some,
    pick,
    piece,
    spread,
    store,
    store_small,
    store_some,
    total,
    where,
)
from tt_perf.compiled.points import from_points, to_points

__all__ = ["pixels_to_points", "points_to_greatest", "points_to_results"]


@jit("void(float32[::1], int64[::1], int64[::1], float32[::1], int64, float32[::1])")
def pixels_to_points(x, shape, block, points, plane, rows):
    """Bᵀ d B of the tiles of a block, to points (36, tiles, C'); x is a flat (N, H, W, C), zeros around it.

    Down first, for a whole row of tiles, as tiles overlap. `rows` is scratch memory (6, 4 T + 2, C').
    """
    height, width, c, top, left, across = shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]
    many = lined_up(c)
    wide = 4 * across + 2
    nothing = spread(np.float32(0))
    tile = 0
    for image in range(block[0], block[1]):
        for row in range(block[2], block[3]):
            first = 4 * row - top
            i0, i1, i2 = 0 <= first < height, 0 <= first + 1 < height, 0 <= first + 2 < height
            i3, i4, i5 = 0 <= first + 3 < height, 0 <= first + 4 < height, 0 <= first + 5 < height
            line = width * c
            for column in range(wide):
                pixel = column - left
                to = column * many
                if pixel < 0 or pixel >= width:
                    for k in range(6):
                        for channel in range(0, many, LANES):
                            store(rows, k * wide * many + to + channel, nothing)
                    continue
                start = ((image * height + first) * width + pixel) * c
                for channel in range(0, c, LANES):
                    at = start + channel
                    some = front(c - channel)
                    # What the next row of tiles needs besides.
                    ask_for(x, at + 6 * line)
                    ask_for(x, at + 7 * line)
                    ask_for(x, at + 8 * line)
                    ask_for(x, at + 9 * line)
                    z0, z1, z2, z3, z4, z5 = to_points(
                        load_some(where(i0, some), x, at),
                        load_some(where(i1, some), x, at + line),
                        load_some(where(i2, some), x, at + 2 * line),
                        load_some(where(i3, some), x, at + 3 * line),
                        load_some(where(i4, some), x, at + 4 * line),
                        load_some(where(i5, some), x, at + 5 * line),
                    )
                    out, step = to + channel, wide * many
                    store(rows, out, z0)
                    store(rows, out + step, z1)
                    store(rows, out + 2 * step, z2)
                    store(rows, out + 3 * step, z3)
                    store(rows, out + 4 * step, z4)
                    store(rows, out + 5 * step, z5)
            for k in range(6):
                for column in range(across):
                    at = (k * wide + 4 * column) * many
                    out = 6 * k * plane + (tile + column) * many
                    for channel in range(0, many, LANES):
                        z0, z1, z2, z3, z4, z5 = to_points(
                            load(rows, at + channel),
                            load(rows, at + many + channel),
                            load(rows, at + 2 * many + channel),
                            load(rows, at + 3 * many + channel),
                            load(rows, at + 4 * many + channel),
                            load(rows, at + 5 * many + channel),
                        )
                        store(points, out + channel, z0)
                        store(points, out + plane + channel, z1)
                        store(points, out + 2 * plane + channel, z2)
                        store(points, out + 3 * plane + channel, z3)
                        store(points, out + 4 * plane + channel, z4)
                        store(points, out + 5 * plane + channel, z5)
            tile += across


@piece
def columns_from_points(points: Any, at: Any, plane: Any, some: Any) -> None:
    """Aᵀ M of a tile, from the place of its first point on, to some (4, 6, 16)."""
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


@piece
def row_from_points(some: Any, k: Any) -> Any:
    """Row k of Aᵀ M A, of what `columns_from_points` left."""
    here = 6 * k * LANES
    return from_points(
        load(some, here),
        load(some, here + LANES),
        load(some, here + 2 * LANES),
        load(some, here + 3 * LANES),
        load(some, here + 4 * LANES),
        load(some, here + 5 * LANES),
    )


@jit(
    "boolean(float32[::1], int64, float32[::1], float32, float32[::1], int64[::1], int64[::1], float32[::1], "
    "boolean, uint8[::1])"
)
def points_to_results(points, plane, by, least, y, shape, block, some, blank, seen):
    """z = Aᵀ M A of the tiles of a block, and max(z · scale + offset, least) to y, a flat (N, H', W', O).

    `by` is scale and offset, (2, O'), `some` is scratch (24, 16). Is all of z finite? Where `blank`, z is 0 but where
    `seen` (images of the block, H', W'), four bytes longer, is set.
    """
    high, wide, c, across = shape[0], shape[1], shape[2], shape[5]
    many = lined_up(c)
    check = spread(np.float32(0))
    floor = spread(least)
    tile = 0
    for image in range(block[0], block[1]):
        for row in range(block[2], block[3]):
            for column in range(across):
                for channel in range(0, c, LANES):
                    there = front(c - channel)
                    columns_from_points(points, tile * many + channel, plane, some)
                    scale, offset = load(by, channel), load(by, many + channel)
                    for k in range(min(4, high - 4 * row)):
                        z0, z1, z2, z3 = row_from_points(some, k)
                        check = check + (z0 * 0.0 + z1 * 0.0) + (z2 * 0.0 + z3 * 0.0)
                        if blank:
                            at = ((image - block[0]) * high + 4 * row + k) * wide + 4 * column
                            z0, z1 = of_seen(z0, seen, at), of_seen(z1, seen, at + 1)
                            z2, z3 = of_seen(z2, seen, at + 2), of_seen(z3, seen, at + 3)
                        out = ((image * high + 4 * row + k) * wide + 4 * column) * c + channel
                        left = wide - 4 * column
                        store_some(there, y, out, at_least(z0 * scale + offset, floor))
                        if left > 1:
                            store_some(there, y, out + c, at_least(z1 * scale + offset, floor))
                        if left > 2:
                            store_some(there, y, out + 2 * c, at_least(z2 * scale + offset, floor))
                        if left > 3:
                            store_some(there, y, out + 3 * c, at_least(z3 * scale + offset, floor))
                tile += 1
    return total(check) == 0


@jit(
    "boolean(float32[::1], int64, float32[::1], float32, float32[::1], uint8[::1], boolean, int64[::1], int64[::1], "
    "float32[::1], boolean, uint8[::1])"
)
def points_to_greatest(points, plane, by, least, y, won, winners, shape, block, some, blank, seen):
    """The same pooled by two by two, to y, a flat (N, H' / 2, W' / 2, O).

    `by` is (4, O'), scale and offset before the pooling and after it.
    With `winners`, `won` (N, H' / 2, W' / 2, O') gets which of the four it was: of equals the first, NaN before all.
    H' and W' are even.
    """
    high, wide, c, across = shape[0], shape[1], shape[2], shape[5]
    many = lined_up(c)
    check = spread(np.float32(0))
    floor = spread(least)
    tile = 0
    for image in range(block[0], block[1]):
        for row in range(block[2], block[3]):
            for column in range(across):
                for channel in range(0, c, LANES):
                    there = front(c - channel)
                    columns_from_points(points, tile * many + channel, plane, some)
                    scale, offset = load(by, 2 * many + channel), load(by, 3 * many + channel)
                    s, b = load(by, channel), load(by, many + channel)
                    for k in range(min(2, high // 2 - 2 * row)):
                        a0, a1, a2, a3 = row_from_points(some, 2 * k)
                        b0, b1, b2, b3 = row_from_points(some, 2 * k + 1)
                        check = check + (a0 * 0.0 + a1 * 0.0) + (a2 * 0.0 + a3 * 0.0)
                        check = check + (b0 * 0.0 + b1 * 0.0) + (b2 * 0.0 + b3 * 0.0)
                        if blank:
                            at = ((image - block[0]) * high + 4 * row + 2 * k) * wide + 4 * column
                            a0, a1 = of_seen(a0, seen, at), of_seen(a1, seen, at + 1)
                            a2, a3 = of_seen(a2, seen, at + 2), of_seen(a3, seen, at + 3)
                            b0, b1 = of_seen(b0, seen, at + wide), of_seen(b1, seen, at + wide + 1)
                            b2, b3 = of_seen(b2, seen, at + wide + 2), of_seen(b3, seen, at + wide + 3)
                        place = (image * (high // 2) + 2 * row + k) * (wide // 2) + 2 * column
                        for half in range(min(2, wide // 2 - 2 * column)):
                            best = a0 if half == 0 else a2
                            right = a1 if half == 0 else a3
                            below = b0 if half == 0 else b2
                            last = b1 if half == 0 else b3
                            best, right = best * s + b, right * s + b
                            below, last = below * s + b, last * s + b
                            more = higher(right, best)
                            number = choose(more, 1, 0)
                            best = pick(more, right, best)
                            more = higher(below, best)
                            number = choose(more, 2, number)
                            best = pick(more, below, best)
                            more = higher(last, best)
                            number = choose(more, 3, number)
                            best = pick(more, last, best)
                            out = at_least(best * scale + offset, floor)
                            store_some(there, y, (place + half) * c + channel, out)
                            if winners:
                                store_small(won, (place + half) * many + channel, number)
                tile += 1
    return total(check) == 0
