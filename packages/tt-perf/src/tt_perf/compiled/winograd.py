# mypy: disable-error-code="no-untyped-def"
"""Winograd's convolution F(4×4, 3×3): four by four pixels of a 3×3 convolution for 36 products instead of 144.

Seen as polynomials, a row of four results is a product, and a product of polynomials is pointwise once both are
evaluated at enough points. Here at 0, ±a, ±b and ∞. Per tile of the image, with d its 6×6 pixels and g a filter,

    Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A

and Σ over the channels makes the ⊙ a matrix product for each of the 36 points. The way back transposes it all:
with D = A dY Aᵀ, the gradient at the tile is B [ (G g Gᵀ) ⊙ D ] Bᵀ and the one at the filter Gᵀ [ (Bᵀ d B) ⊙ D ] G, so
the gradient is evaluated at the points once, for both.

Tiles are taken in blocks that stay in a level-2 cache, from images to points (points.py), through the products
(point_products.py), and back, in one compiled call for a part of the batch.

Errors: float32 against float64, in norm, 1e-6 for y and dx, 2e-6 for the filters, which is two to five times those of
im2col, as each number is made of larger ones that cancel. NaN, infinity or an overflow would fill a whole tile: then
None comes back, and the caller takes another kernel.

Source: Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, arXiv:1509.09308.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import LANES, piece
from tt_perf.compiled.point_products import multiply
from tt_perf.compiled.points import (
    A2,
    AB,
    B2,
    POINTS,
    TILE,
    A,
    B,
    gradients_to_points,
    pixels_to_points,
    points_to_pixels,
    points_to_results,
)

__all__ = ["backward", "forward"]

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
