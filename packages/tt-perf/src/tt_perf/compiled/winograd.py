# mypy: disable-error-code="no-untyped-def"
"""Winograd's convolution F(4×4, 3×3): four by four pixels of a 3×3 convolution for 36 products instead of 144.

Seen as polynomials, a row of four results is a product, and a product of polynomials is pointwise once both are
evaluated at enough points. Here at 0, ±a, ±b and ∞. Per tile of the image, with d its 6×6 pixels and g a filter,

    Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A

and Σ over the channels makes the ⊙ a matrix product for each of the 36 points. The way back transposes it all:
with D = A dY Aᵀ, the gradient at the tile is B [ (G g Gᵀ) ⊙ D ] Bᵀ and the one at the filter Gᵀ [ (Bᵀ d B) ⊙ D ] G, so
the gradient is evaluated at the points once, for both.

Tiles are taken in blocks that stay in a level-2 cache: images to points here, points to points in BLAS.

Errors: float32 against float64, in norm, 2e-6 forward and back, which is some 10 times those of im2col, as each number
is made of larger ones that cancel. NaN, infinity or an overflow would fill a whole tile: then False comes back, and the
caller takes another kernel.

Source: Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, arXiv:1509.09308.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import LANES, load, load_if, piece, spread, store, tile_product, total

__all__ = ["POINTS", "backward", "forward"]

A, B = 0.5**0.5, 2**0.5
"""The points, besides 0 and ∞. With 1 and 2, which spare some products, errors are three times as large."""

A2, B2, A3, B3 = A * A, B * B, A * A * A, B * B * B
AB, SUM = A2 * B2, A2 + B2
AB2, BA2 = A * B2, B * A2

POINTS = 36
TILE = 4
"""Results along each axis of a tile; with the two pixels of the filter around it, six go in."""

BLOCK = 3 << 18
"""Bytes of the points of a block."""

RUN = 256
"""Tiles whose gradients at the filters are added up one by one; such sums are added up then."""

GAP = 16
"""Numbers between two planes of points: planes that are apart by a power of 2 would throw each other out of the
cache."""

# A filter evaluated at the points: gᵢ at p is Σ gᵢ pⁱ / Π (p - other points).
_G = np.array(
    [
        [1 / AB, 0, 0],
        *([1 / (2 * A2 * (A2 - B2)) * p**i for i in range(3)] for p in (A, -A)),
        *([1 / (2 * B2 * (B2 - A2)) * p**i for i in range(3)] for p in (B, -B)),
        [0, 0, 1],
    ]
)
_GG = np.kron(_G, _G)


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


_multiply = {
    (rows, columns): tile_product(rows, columns) for rows, columns in ((12, 2), (8, 3), (8, 2), (8, 1))
}
_twelve_by_two, _eight_by_three = _multiply[12, 2], _multiply[8, 3]
_eight_by_two, _eight_by_one = _multiply[8, 2], _multiply[8, 1]


@jit(
    "void(float32[::1], int64, int64, int64, int64, float32[::1], int64, int64, float32[::1], int64, int64, boolean)"
)
def multiply(a, a_plane, rows, down, along, b, b_plane, depth, c, c_plane, wide, onto):
    """c = a b, or c += a b with `onto`, for each of the 36 planes. b is (depth, wide), c (rows, wide).

    Element (r, d) of a is at r · down + d · along of its plane. `rows` is a multiple of 24, or of 8; `wide` of 16.
    """
    for p in range(36):
        start = 0
        if wide % 48 == 0:
            while start < wide:
                for r in range(0, rows, 8):
                    _eight_by_three(
                        a,
                        p * a_plane + r * down,
                        down,
                        along,
                        b,
                        p * b_plane + start,
                        wide,
                        depth,
                        c,
                        p * c_plane + r * wide + start,
                        wide,
                        onto,
                    )
                start += 3 * LANES
        while start + 2 * LANES <= wide:
            if rows % 12 == 0:
                for r in range(0, rows, 12):
                    _twelve_by_two(
                        a,
                        p * a_plane + r * down,
                        down,
                        along,
                        b,
                        p * b_plane + start,
                        wide,
                        depth,
                        c,
                        p * c_plane + r * wide + start,
                        wide,
                        onto,
                    )
            else:
                for r in range(0, rows, 8):
                    _eight_by_two(
                        a,
                        p * a_plane + r * down,
                        down,
                        along,
                        b,
                        p * b_plane + start,
                        wide,
                        depth,
                        c,
                        p * c_plane + r * wide + start,
                        wide,
                        onto,
                    )
            start += 2 * LANES
        if start < wide:
            for r in range(0, rows, 8):
                _eight_by_one(
                    a,
                    p * a_plane + r * down,
                    down,
                    along,
                    b,
                    p * b_plane + start,
                    wide,
                    depth,
                    c,
                    p * c_plane + r * wide + start,
                    wide,
                    onto,
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


@piece
def no_more(points: Any, plane: Any, c: Any, tiles: Any) -> Any:
    """Zeros where `tiles` are filled up to a multiple of 24, which is returned: `multiply` takes so many at once."""
    many = (tiles + 23) // 24 * 24
    for p in range(36):
        for i in range(tiles * c, many * c):
            points[p * plane + i] = 0
    return many


@jit(
    "boolean(float32[::1], int64[::1], float32[::1], float32[::1], boolean, float32[::1], int64[::1], int64[::1], "
    "float32[::1], float32[::1], int64[::1])"
)
def forward_images(x, of_x, filters, bias, biased, y, of_y, cut, points, results, block):
    """The images cut[0] … cut[1] - 1, by blocks of cut[2] images or cut[3] rows of tiles; is all of y finite?"""
    c, o, across, down = of_x[2], of_y[2], of_x[5], of_x[6]
    rows = np.empty(6 * (4 * across + 2) * c, np.float32)
    some = np.empty(24 * LANES, np.float32)
    most = cut[4]
    for first in range(cut[0], cut[1], cut[2]):
        block[0], block[1] = first, min(first + cut[2], cut[1])
        for row in range(0, down, cut[3]):
            block[2], block[3] = row, min(row + cut[3], down)
            tiles = (block[1] - block[0]) * (block[3] - block[2]) * across
            many = no_more(points, most * c + GAP, c, tiles)
            pixels_to_points(x, of_x, block, points, most * c + GAP, rows)
            multiply(points, most * c + GAP, many, c, 1, filters, c * o, c, results, most * o + GAP, o, False)
            if not points_to_results(results, most * o + GAP, bias, biased, y, of_y, block, some):
                return False
    return True


@jit(
    "boolean(float32[::1], int64[::1], float32[::1], float32[::1], int64[::1], float32[::1], float32[::1], "
    "int64[::1], float32[::1], float32[::1], int64[::1], boolean, boolean)"
)
def backward_images(x, of_x, filters, g, of_g, dx, sums, cut, points, sent, block, of_images, of_filters):
    """The same on the way back: to dx, and with `of_filters` on top of the sums (36, C, O)."""
    c, o, across, down = of_x[2], of_g[2], of_x[5], of_x[6]
    rows = np.empty(6 * (4 * across + 2) * c, np.float32)
    carried = np.empty(2 * (4 * across + 2) * c, np.float32)
    run = np.empty(sums.size, np.float32)
    summed = 0
    some = np.empty(24 * LANES, np.float32)
    most = cut[4]
    for first in range(cut[0], cut[1], cut[2]):
        block[0], block[1] = first, min(first + cut[2], cut[1])
        for row in range(0, down, cut[3]):
            block[2], block[3] = row, min(row + cut[3], down)
            tiles = (block[1] - block[0]) * (block[3] - block[2]) * across
            many = no_more(sent, most * o + GAP, o, tiles)
            gradients_to_points(g, of_g, block, sent, most * o + GAP, some)
            if of_filters:
                pixels_to_points(x, of_x, block, points, most * c + GAP, rows)
                multiply(
                    points, most * c + GAP, c, 1, c, sent, most * o + GAP, tiles, run, c * o, o, summed > 0
                )
                summed += tiles
                if summed >= RUN:
                    for i in range(run.size):
                        sums[i] += run[i]
                    summed = 0
            if of_images:
                multiply(
                    sent, most * o + GAP, many, o, 1, filters, o * c, o, points, most * c + GAP, c, False
                )
                if not points_to_pixels(points, most * c + GAP, dx, of_x, block, rows, carried):
                    return False
    if summed > 0:
        for i in range(run.size):
            sums[i] += run[i]
    return True


class _Tiles:
    """How images are cut in tiles, and those in blocks. x is (N, H, W, C), y (N, H', W', O), both C-contiguous."""

    def __init__(self, image: tuple[int, int], places: tuple[int, int], padding: Any, channels: int) -> None:
        (self.top, _), (self.left, _) = padding
        self.down, self.across = -(-places[0] // TILE), -(-places[1] // TILE)
        # Tiles of a block, for `channels` numbers at each point of all that is held meanwhile.
        most = max(1, BLOCK // (4 * POINTS * channels))
        self.images = max(1, most // (self.down * self.across))
        self.rows = self.down if self.images > 1 else min(self.down, max(1, most // self.across))
        self.most = -(-self.images * self.rows * self.across // 24) * 24

    def of(self, size: tuple[int, int], channels: int) -> Any:
        """What the kernels want to know, for images of a size and so many channels."""
        return np.array([*size, channels, self.top, self.left, self.across, self.down])

    def cut(self, start: int, stop: int) -> Any:
        """What the kernels want to know about the blocks of the images from start to stop."""
        return np.array([start, stop, self.images, self.rows, self.most])

    def points(self, name: str, channels: int) -> Any:
        """Scratch memory for planes of `channels` numbers for each tile."""
        return shards.scratch(f"winograd {name}", (POINTS * (self.most * channels + GAP),), np.float32)


def filters_at_points(weight: Any) -> Any:
    """(O, C, 3, 3) as (36, C, O)."""
    o, c = weight.shape[:2]
    by_tap = weight.transpose(2, 3, 1, 0).reshape(9, c * o).astype(np.float64)
    return (_GG @ by_tap).astype(np.float32).reshape(POINTS, c, o)


def filters_from_points(points: Any) -> Any:
    """(36, C, O), the gradient at the points, as (O, C, 3, 3)."""
    _, c, o = points.shape
    by_tap = _GG.T @ points.reshape(POINTS, c * o)
    return np.ascontiguousarray(by_tap.astype(np.float32).reshape(3, 3, c, o).transpose(3, 2, 0, 1))


def forward(x: Any, weight: Any, bias: Any, padding: Any, places: tuple[int, int], least: int) -> Any:
    """y (N, H', W', O) of x (N, H, W, C); None where something is not finite. `least` images are worth a thread."""
    n, height, width, c = x.shape
    o = len(weight)
    tiles = _Tiles((height, width), places, padding, c + o)
    filters = filters_at_points(weight).reshape(-1)
    y = np.empty((n, *places, o), np.float32)
    add = np.zeros(1, np.float32) if bias is None else bias
    of_x, of_y = tiles.of((height, width), c), tiles.of(places, o)
    finite = [True]

    def body(start: int, stop: int, part: int) -> None:
        if not forward_images(
            x.reshape(-1),
            of_x,
            filters,
            add,
            bias is not None,
            y.reshape(-1),
            of_y,
            tiles.cut(start, stop),
            tiles.points("pixels", c),
            tiles.points("results", o),
            np.empty(4, np.int64),
        ):
            finite[0] = False

    shards.run(body, n, least)
    return y if finite[0] else None


def backward(
    x: Any, weight: Any, grad: Any, padding: Any, image: tuple[int, int], needs: tuple[bool, bool], least: int
) -> Any:
    """dx (N, H, W, C) and dweight, of grad (N, H', W', O); None where something is not finite."""
    n, high, wide, o = grad.shape
    c = x.shape[3] if needs[1] else weight.shape[1]
    tiles = _Tiles(image, (high, wide), padding, o + c)
    of_x, of_g = tiles.of(image, c), tiles.of((high, wide), o)
    cut = shards.parts(n, least)
    nothing = np.zeros(1, np.float32)
    dx = np.empty((n, *image, c) if needs[0] else (1,), np.float32)
    sums = np.zeros((len(cut), POINTS * c * o if needs[1] else 1), np.float32)
    filters = np.ascontiguousarray(filters_at_points(weight).transpose(0, 2, 1)) if needs[0] else nothing
    finite = [True]

    def body(start: int, stop: int, part: int) -> None:
        if not backward_images(
            x.reshape(-1) if needs[1] else nothing,
            of_x,
            filters.reshape(-1),
            grad.reshape(-1),
            of_g,
            dx.reshape(-1),
            sums[part],
            tiles.cut(start, stop),
            tiles.points("pixels", c),
            tiles.points("results", o),
            np.empty(4, np.int64),
            *needs,
        ):
            finite[0] = False

    shards.run_parts(body, cut)
    if not finite[0]:
        return None
    if not needs[1]:
        return dx, None
    dw = filters_from_points(sums.sum(axis=0, dtype=np.float64).reshape(POINTS, c, o))
    return (dx if needs[0] else None, dw) if np.isfinite(dw).all() else None
