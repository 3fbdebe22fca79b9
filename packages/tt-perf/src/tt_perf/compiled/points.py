# mypy: disable-error-code="no-untyped-def"
"""Tiles of images at the points of Winograd's convolution, and back: the four transforms, for sixteen channels at once.

A tile is 4×4 results, or the 6×6 pixels that go into them. Each transform is one along the rows and the same along the
columns, of six numbers or four to as many. Images are flat (N, H, W, C); points are 36 planes (tiles, C'), where C' is
C filled up with zeros to a multiple of 16. `shape` is H, W, C, the padding above and on the left, and how many tiles
there are across and down; `block` the images from and to, and the rows of tiles from and to.

Where the results are pooled by two by two, they go through it tile by tile on their way to memory, as gradients do on
their way back: the images that are pooled are never there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import (
    LANES,
    ask_for,
    choose,
    front,
    higher,
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
    where_small,
)

__all__ = [
    "A2",
    "AB",
    "B2",
    "POINTS",
    "TILE",
    "A",
    "B",
    "gradients_to_points",
    "greatest_to_points",
    "lined_up",
    "pixels_to_points",
    "points_to_greatest",
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


@piece
def lined_up(channels: Any) -> Any:
    """The next multiple of 16."""
    return (channels + LANES - 1) // LANES * LANES


@piece
def at_least(z: Any, least: Any) -> Any:
    """max(z, least), NaN where z is."""
    return pick(higher(z, least), z, least)


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
    "boolean(float32[::1], int64, float32[::1], float32, float32[::1], int64[::1], int64[::1], float32[::1])"
)
def points_to_results(points, plane, by, least, y, shape, block, some):
    """z = Aᵀ M A of the tiles of a block, and max(z · scale + offset, least) to y, a flat (N, H', W', O).

    `by` is scale and offset, (2, O'), `some` is scratch (24, 16). Is all of z finite?
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
    "float32[::1])"
)
def points_to_greatest(points, plane, by, least, y, won, winners, shape, block, some):
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
    "boolean(float32[::1], int64, float32[::1], int64[::1], int64[::1], float32[::1], float32[::1])",
)
def points_to_pixels(points, plane, dx, shape, block, rows, carried):
    """B M Bᵀ of the tiles of a block, added up where they overlap, to dx, a flat (N, H, W, C); is all of it finite?

    Across first, to `rows` (6, 4 T + 2, C'), then down; two rows overlap with the next row of tiles and are `carried`
    (2, 4 T + 2, C') there, from block to block.
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
                    out = ((image * height + first) * width + pixel) * c + channel
                    if 0 <= first < height:
                        store_some(there, dx, out, z0)
                    if 0 <= first + 1 < height:
                        store_some(there, dx, out + width * c, z1)
                    if 0 <= first + 2 < height:
                        store_some(there, dx, out + 2 * width * c, z2)
                    if 0 <= first + 3 < height:
                        store_some(there, dx, out + 3 * width * c, z3)
                    if last:
                        check = check + (z4 * 0.0 + z5 * 0.0)
                        if 0 <= first + 4 < height:
                            store_some(there, dx, out + 4 * width * c, z4)
                        if 0 <= first + 5 < height:
                            store_some(there, dx, out + 5 * width * c, z5)
    return total(check) == 0
