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

Channels are filled up to multiples of 16 at the points only. What follows the convolution (a scale and an offset for
each channel, pooling by two by two, a ReLU) is done on the way from the points to memory.

Errors: float32 against float64, in norm, 1e-6 for y and dx, 2e-6 for the filters, which is two to five times those of
im2col, as each number is made of larger ones that cancel. The error is that of the largest pixels of a tile, and what a
result does not depend on cancels up to rounding. So a place that sees nothing but zeros is set to 0, and where a row or
a column dwarfs another of its tile, None comes back, and the caller takes another kernel: see contrast.py. The same
where something is not finite, as NaN, infinity or an overflow would fill a whole tile.

Source: Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, arXiv:1509.09308.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import shards
from tt_perf.compiled.arrays import filled_up, whole
from tt_perf.compiled.contrast import FRAME, even, squares_of_greatest, squares_of_pixels, windows_seen
from tt_perf.compiled.filter_points import points_to_taps, taps_to_points
from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import LANES, lined_up, piece
from tt_perf.compiled.point_products import multiply
from tt_perf.compiled.points import POINTS, TILE
from tt_perf.compiled.points_back import gradients_to_points, greatest_to_points, points_to_pixels
from tt_perf.compiled.points_forth import pixels_to_points, points_to_greatest, points_to_results

__all__ = ["backward", "forward"]

BLOCK = 3 << 18
"""Bytes of the points of a block."""

RUN = 256
"""Tiles whose gradients at the filters are added up one by one; such sums are added up then."""

ROWS = 8
"""Tiles that `multiply` takes at once."""

GAP = 16
"""Numbers between two planes of points: planes that are apart by a power of 2 would throw each other out of the
cache."""


@piece
def no_more(points: Any, plane: Any, c: Any, tiles: Any) -> Any:
    """Zeros where `tiles` are filled up to a multiple of 8, which is returned: `multiply` takes so many at once."""
    many = (tiles + ROWS - 1) // ROWS * ROWS
    for p in range(36):
        for i in range(tiles * c, many * c):
            points[p * plane + i] = 0
    return many


@jit(
    "boolean(float32[::1], int64[::1], float32[::1], float32[::1], float32, float32[::1], int64[::1], uint8[::1], "
    "boolean, boolean, int64[::1], float32[::1], float32[::1], int64[::1], float32[::1], uint8[::1], uint8[::1])"
)
def forward_images(
    x,
    of_x,
    filters,
    by,
    least,
    y,
    of_y,
    won,
    pooled,
    winners,
    cut,
    points,
    results,
    block,
    squares,
    there,
    seen,
):
    """The images cut[0] … cut[1] - 1, by blocks of cut[2] images or cut[3] rows of tiles; is all of y finite?

    For squares (N, H + W), there and seen see contrast.py.
    """
    height, width, top, left, across, down = of_x[0], of_x[1], of_x[3], of_x[4], of_x[5], of_x[6]
    high, wide = of_y[0], of_y[1]
    depth, c, o = of_x[2], lined_up(of_x[2]), lined_up(of_y[2])
    rows = np.empty(6 * (4 * across + 2) * c, np.float32)
    some = np.empty(24 * LANES, np.float32)
    from_x, to_y = cut[4] * c + GAP, cut[4] * o + GAP
    for first in range(cut[0], cut[1], cut[2]):
        block[0], block[1] = first, min(first + cut[2], cut[1])
        looked, sparse = 0, False
        for row in range(0, down, cut[3]):
            block[2], block[3] = row, min(row + cut[3], down)
            # The rows that these tiles see, but for those that tiles above saw.
            ahead = min(max(4 * block[3] + 2 - top, 0), height)
            full = squares_of_pixels(x, of_x, block[0], block[1], looked, ahead, squares, there)
            looked, sparse, blank = ahead, sparse or not full, False
            if sparse:
                below = min(4 * block[3], high)
                blank = windows_seen(
                    there, height, width, block[1] - block[0], top, left, 4 * row, below, high, wide, seen
                )
            tiles = (block[1] - block[0]) * (block[3] - block[2]) * across
            many = no_more(points, from_x, c, tiles)
            pixels_to_points(x, of_x, block, points, from_x, rows)
            multiply(points, from_x, many, c, 1, filters, depth * o + GAP, depth, results, to_y, o, False)
            if pooled:
                finite = points_to_greatest(
                    results, to_y, by, least, y, won, winners, of_y, block, some, blank, seen
                )
            else:
                finite = points_to_results(results, to_y, by, least, y, of_y, block, some, blank, seen)
            if not finite:
                return False
    return True


@jit(
    "boolean(float32[::1], int64[::1], float32[::1], float32[::1], int64[::1], uint8[::1], boolean, float32[::1], "
    "float32[::1], int64[::1], float32[::1], float32[::1], int64[::1], boolean, boolean, float32[::1], uint8[::1], "
    "uint8[::1])"
)
def backward_images(
    x, of_x, filters, g, of_g, won, pooled, dx, sums, cut, points, sent, block, of_images, of_filters,
    squares, there, seen,
):  # fmt: skip
    """The same on the way back: to dx, and with `of_filters` on top of the sums (36, C'', O').

    C'' is C filled up to a multiple of 8. `squares` (N, H' + W') are those of g.
    """
    height, width, top, left, across, down = of_x[0], of_x[1], of_x[3], of_x[4], of_x[5], of_x[6]
    high, wide = of_g[0], of_g[1]
    c, depth, o = lined_up(of_x[2]), of_g[2], lined_up(of_g[2])
    channels = (of_x[2] + 7) // 8 * 8
    rows = np.empty(6 * (4 * across + 2) * c, np.float32)
    carried = np.empty(2 * (4 * across + 2) * c, np.float32)
    run = np.empty(sums.size, np.float32)
    summed = 0
    some = np.empty(24 * LANES, np.float32)
    from_x, to_y = cut[4] * c + GAP, cut[4] * o + GAP
    for first in range(cut[0], cut[1], cut[2]):
        block[0], block[1] = first, min(first + cut[2], cut[1])
        sparse = False
        for row in range(0, down, cut[3]):
            block[2], block[3] = row, min(row + cut[3], down)
            below = min(4 * block[3], high)
            if pooled:
                full = squares_of_greatest(g, won, of_g, block[0], block[1], 4 * row, below, squares, there)
            else:
                full = squares_of_pixels(g, of_g, block[0], block[1], 4 * row, below, squares, there)
            sparse, blank = sparse or not full, False
            if sparse and of_images:
                # Pixel p sees the places from p - (2 - top) on.
                start = min(max(4 * row - top, 0), height)
                stop = height if block[3] == down else min(max(4 * block[3] - top, 0), height)
                blank = windows_seen(
                    there,
                    high,
                    wide,
                    block[1] - block[0],
                    2 - top,
                    2 - left,
                    start,
                    stop,
                    height,
                    width,
                    seen,
                )
            tiles = (block[1] - block[0]) * (block[3] - block[2]) * across
            many = no_more(sent, to_y, o, tiles)
            if pooled:
                greatest_to_points(g, won, of_g, block, sent, to_y, some)
            else:
                gradients_to_points(g, of_g, block, sent, to_y, some)
            if of_filters:
                pixels_to_points(x, of_x, block, points, from_x, rows)
                plane = channels * o
                multiply(points, from_x, channels, 1, c, sent, to_y, tiles, run, plane, o, summed > 0)
                summed += tiles
                if summed >= RUN:
                    for i in range(run.size):
                        sums[i] += run[i]
                    summed = 0
            if of_images:
                multiply(sent, to_y, many, o, 1, filters, depth * c + GAP, depth, points, from_x, c, False)
                if not points_to_pixels(points, from_x, dx, of_x, block, rows, carried, blank, seen):
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
        tiles = self.down * self.across
        # So many images whose tiles are a multiple of what `multiply` takes.
        self.even = ROWS // math.gcd(ROWS, tiles)
        self.images = max(1, most // tiles)
        if self.images > self.even:
            self.images -= self.images % self.even
        self.rows = self.down if self.images > 1 else min(self.down, max(1, most // self.across))
        self.most = -(-self.images * self.rows * self.across // ROWS) * ROWS

    def of(self, size: tuple[int, int], channels: int) -> Any:
        """What the kernels want to know, for images of a size and so many channels."""
        return np.array([*size, channels, self.top, self.left, self.across, self.down])

    def cut(self, start: int, stop: int) -> Any:
        """What the kernels want to know about the blocks of the images from start to stop, which are about as large."""
        blocks = max(1, -(-(stop - start) // self.images))
        images = -(-(stop - start) // blocks)
        images = min(self.images, -(-images // self.even) * self.even)
        return np.array([start, stop, max(1, images), self.rows, self.most])

    def there(self, size: tuple[int, int]) -> Any:
        """Which pixels of a block's images are other than zero, in a frame of zeros."""
        return np.zeros(self.images * (size[0] + 2 * FRAME) * (size[1] + 2 * FRAME), np.uint8)

    def seen(self, size: tuple[int, int]) -> Any:
        """Which places of a block's images see such pixels; a tile may ask for three beyond the last."""
        return np.empty(self.images * size[0] * size[1] + TILE, np.uint8)

    def points(self, name: str, channels: int) -> Any:
        """Scratch memory for planes of `channels` numbers for each tile."""
        size = POINTS * (self.most * filled_up(channels) + GAP)
        return shards.scratch(f"winograd {name}", (size,), np.float32)


def filters_at_points(weight: Any, swapped: bool = False) -> Any:
    """Filters (O, C, 3, 3) at the points: 36 planes (C, O'), or (O, C') where `swapped`, flat, `GAP` numbers apart."""
    o, c = weight.shape[:2]
    sizes = (o, 9 * c, c, 9) if swapped else (c, 9, o, 9 * c)
    plane = sizes[0] * filled_up(sizes[2]) + GAP
    # Other threads read it, but not for longer than the caller waits for them.
    points = shards.scratch("winograd filters", (POINTS * plane,), np.float32)
    taps_to_points(whole(weight).reshape(-1), *sizes, points, plane)
    return points


def filters_from_points(sums: Any, c: int, o: int) -> Any:
    """Parts of the gradient at the points, (parts, 36 · C'' · O'), as (O, C, 3, 3); None where it is not finite."""
    weight = np.empty((o, c, 3, 3), np.float32)
    plane = sums.shape[1] // POINTS
    return weight if points_to_taps(sums.reshape(-1), len(sums), plane, c, o, weight.reshape(-1)) else None


def forward(
    x: Any,
    weight: Any,
    bias: Any,
    padding: Any,
    places: tuple[int, int],
    worth: int,
    scale: Any = None,
    least: float = -math.inf,
    pool: bool = False,
    winners: bool = False,
) -> Any:
    """max(z · scale + bias, least) of x (N, H, W, C), z (N, H', W', O) its convolution, pooled by two by two or not.

    With `winners`, y and which of four won (N, H' / 2, W' / 2, O), else y. None where something is not finite.
    `worth` images are worth a thread. H' and W' are even where it is pooled.
    """
    n, height, width, c = x.shape
    o = len(weight)
    wide = filled_up(o)
    tiles = _Tiles((height, width), places, padding, filled_up(c) + wide)
    filters = filters_at_points(weight)
    size = (n, places[0] // 2, places[1] // 2) if pool else (n, *places)
    y = np.empty((*size, o), np.float32)
    won = np.empty((*size, wide) if winners else (1,), np.uint8)
    # Before the pooling and after it. The bias alone comes before, as what it is rounded to may be equal.
    by = np.zeros((4, wide), np.float32)
    by[0::2] = 1
    place = 2 if pool and scale is not None else 0
    by[place, :o] = 1 if scale is None else scale
    by[place + 1, :o] = 0 if bias is None else bias
    of_x, of_y = tiles.of((height, width), c), tiles.of(places, o)
    squares = np.zeros((n, height + width), np.float32)
    finite = [True]

    def body(start: int, stop: int, part: int) -> None:
        if not forward_images(
            x.reshape(-1),
            of_x,
            filters,
            by.reshape(-1),
            least,
            y.reshape(-1),
            of_y,
            won.reshape(-1),
            pool,
            winners,
            tiles.cut(start, stop),
            tiles.points("pixels", c),
            tiles.points("results", o),
            np.empty(4, np.int64),
            squares.reshape(-1),
            tiles.there((height, width)),
            tiles.seen(places),
        ):
            finite[0] = False

    shards.run(body, n, worth)
    if not finite[0] or not even(squares, (height, width), (-tiles.top, -tiles.left), TILE + 2):
        return None
    return (y, won[..., :o]) if winners else y


def backward(
    x: Any,
    weight: Any,
    grad: Any,
    padding: Any,
    image: tuple[int, int],
    needs: tuple[bool, bool],
    worth: int,
    won: Any = None,
) -> Any:
    """dx (N, H, W, C) and dweight, of grad (N, H', W', O); None where something is not finite.

    With `won`, which of four won, grad and won are (N, H' / 2, W' / 2, O).
    """
    n, high, wide, o = grad.shape
    if won is not None:
        high, wide = 2 * high, 2 * wide
        won = _filled(won)
    c = x.shape[3] if needs[1] else weight.shape[1]
    tiles = _Tiles(image, (high, wide), padding, filled_up(o) + filled_up(c))
    of_x, of_g = tiles.of(image, c), tiles.of((high, wide), o)
    cut = shards.parts(n, worth)
    nothing = np.zeros(1, np.float32)
    dx = np.empty((n, *image, c) if needs[0] else (1,), np.float32)
    size = POINTS * (-(-c // 8) * 8) * filled_up(o)
    sums = np.zeros((len(cut), size if needs[1] else 1), np.float32)
    filters = filters_at_points(weight, swapped=True) if needs[0] else nothing
    squares = np.zeros((n, high + wide), np.float32)
    finite = [True]

    def body(start: int, stop: int, part: int) -> None:
        if not backward_images(
            x.reshape(-1) if needs[1] else nothing,
            of_x,
            filters,
            grad.reshape(-1),
            of_g,
            np.zeros(1, np.uint8) if won is None else won.reshape(-1),
            won is not None,
            dx.reshape(-1),
            sums[part],
            tiles.cut(start, stop),
            tiles.points("pixels", c),
            tiles.points("results", o),
            np.empty(4, np.int64),
            *needs,
            squares.reshape(-1),
            tiles.there((high, wide)),
            tiles.seen(image),
        ):
            finite[0] = False

    shards.run_parts(body, cut)
    # A tile of four rows of the gradient goes to six of pixels, which see two more on either side.
    if not finite[0] or not even(squares, (high, wide), (-2, -2), TILE + 4):
        return None
    if not needs[1]:
        return dx, None
    dw = filters_from_points(sums, c, o)
    return None if dw is None else (dx if needs[0] else None, dw)


def _filled(won: Any) -> Any:
    """(N, …, O) of bytes as a C-contiguous (N, …, O')."""
    o = won.shape[-1]
    if o % LANES == 0:
        return np.ascontiguousarray(won)
    filled = np.zeros((*won.shape[:-1], filled_up(o)), np.uint8)
    filled[..., :o] = won
    return filled
