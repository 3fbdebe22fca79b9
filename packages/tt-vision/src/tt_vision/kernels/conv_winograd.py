"""Winograd's convolution F(4, 3): four rows of a convolution by filters of three, by six products instead of twelve.

Of a filter with the rows g, and six rows d of pixels, the four rows y are

    y = Aᵀ [(G g) · (Bᵀ d)]        y₀ = d₀ g₀ + d₁ g₁ + d₂ g₂,  y₁ = d₁ g₀ + d₂ g₁ + d₃ g₂,  …

where · multiplies element by element: the product of two polynomials, taken at six *points*, transposed. Each of these
products is a sum over the taps of a row and over the channels, a matrix product. As y is linear in d and in g, the way
back goes through the same tables, transposed: the points of the gradient serve both dx, a convolution with the filters
turned around, and dweight.

A table is applied by a matrix product, too. BLAS writes all six points of a tile while it reads its rows, which is
several times as quick as NumPy's sums and differences.

No windows are copied. Along a row of pixels that lie one after the other, k of them are a row of a matrix of windows,
the next k the row that is k places further: so that memory is such a matrix as it is, and k - 1 times more, from the
second pixel on, from the third … Windows that reach over the end of an image are computed, too, and left out.

The points are 0, 1, -1, 1/2, -2 and ∞: of small numbers, those that let the least cancel. The error of float32 is about
twice that of the sum itself, of the largest of the six rows: each of the four rows is made of all six, and what it does
not depend on cancels, up to rounding. So None comes back where one row dwarfs the others, and a row that sees nothing
but zeros is set to 0: the gradient of one place is exactly 0 where that does not look. Infinity would become NaN: None
comes back where a number is not finite, or so large that a product at a point might not be.

Source: Winograd, "Arithmetic Complexity of Computations", 1980; Lavin & Gray, "Fast Algorithms for Convolutional Neural
Networks", 2015, arXiv:1509.09308; the points: Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd
Convolution for Deep Neural Networks", 2018, arXiv:1803.10986.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.channels import channels_first
from tt_vision.kernels.conv_blocked import Block, least, multiply, turned
from tt_vision.window import Pair, Window

__all__ = ["TILE", "conv2d", "conv2d_backward", "convolve", "send_back", "suits", "suits_images"]

TILE = 4
"""Rows of the convolution that are made at a time, of two more of pixels."""

PIXELS = np.array(
    [
        [2, -3, -4, 3, 2, 0],
        [0, -2, 1, 5, 2, 0],
        [0, -2, 5, -1, -2, 0],
        [0, 2, 1, -2, -1, 0],
        [0, 1, -2, -1, 2, 0],
        [0, 2, -3, -4, 3, 2],
    ],
    np.float64,
)
"""Bᵀ."""

TAPS = np.array([[15, 0, 0], [5, 5, 5], [5, -5, 5], [32, 16, 8], [1, -2, 4], [0, 0, 15]]) / 30
"""G."""

RESULTS = np.array(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 1 / 2, -2, 0], [0, 1, 1, 1 / 4, 4, 0], [0, 1, -1, 1 / 8, -8, 1]]
)
"""Aᵀ."""

BLOCK = 3 << 20
"""Bytes of the points of a block. A level-2 cache holds half of them, but fewer and longer calls of NumPy are worth
more: after each of them the interpreter's lock may be with the other thread."""

CHANNELS, PLACES, SIDE = 8, 1 << 12, 4
"""Channels on either side, places in all, and places along an axis, below which the blocks are quicker."""

FILTERS = 8
"""Filters of so many times the places make the sums and products of filters too dear."""

LARGE = 1e30
"""Of numbers whose squares add up to less, products and sums stay finite."""

CONTRAST = 1e6
"""How many times the sum of squares of one row may be that of another that it is mixed with."""


def suits(window: Window, image: Pair, places: Pair, shape: tuple[int, int, int], dtype: Any) -> bool:
    """Are the filters three rows high, at stride 1 and in float32, and is there enough to do?

    `shape` is how many images there are, and their channels before and after; `places` is what becomes of `image`.
    """
    n, *channels = shape
    count = n * places[0] * places[1]
    made = n * -(-places[0] // TILE) * TILE * (image[1] + max(window.padding[1]))
    return (
        window.size[0] == 3
        and window.stride == window.dilation == (1, 1)
        and window.groups == 1
        and min(window.padding[1]) < window.size[1]
        and dtype == np.float32
        and min(channels) >= CHANNELS
        and min(places) >= SIDE
        and max(PLACES, channels[0] * channels[1] // FILTERS) <= count
        and 2 * made <= 3 * count
    )


def suits_images(x: Any, channels: int, window: Window) -> bool:
    """`suits`, of images x (N, C, H, W) that become `channels`."""
    image = (x.shape[2], x.shape[3])
    return suits(window, image, window.output(image, "conv2d"), (len(x), x.shape[1], channels), x.dtype)


def conv2d(x: Any, weight: Any, bias: Any, window: Window) -> Any:
    """y = x ⋆ w + b, or None where a number is too large for it."""
    y = np.empty((len(x), *window.output(x.shape[2:], "conv2d"), len(weight)), x.dtype)

    def room(block: Block) -> Any:
        a, b, r, s = block
        return y[a:b, r:s]

    return channels_first(y) if convolve(x, weight, bias, window, room) else None


def conv2d_backward(x: Any, weight: Any, grad: Any, window: Window, image: Pair) -> tuple[Any, Any] | None:
    """(dx, dweight), dweight None where x is; or None where a number is too large, or the padding too wide."""
    gradients = grad.transpose(0, 2, 3, 1)

    def fill(rows: Any, block: Block) -> None:
        a, b, r, s = block
        rows[...] = gradients[a:b, r:s]

    return send_back(x, weight, grad.shape, window, image, fill)


def convolve(
    x: Any,
    weight: Any,
    bias: Any,
    window: Window,
    room: Callable[[Block], Any],
    done: Callable[[Block, Any], None] | None = None,
) -> bool:
    """x ⋆ w + b into memory that room((a, b, r, s)) gives for the rows r to s of the images a to b.

    It is (b - a, s - r, W', O); done(block, memory) is called when they are there. False where a number is too large.
    """
    if not moderate(weight):
        return False
    n, c, high, wide = x.shape
    o = len(weight)
    places = window.output((high, wide), "conv2d")
    lines = Lines(window, (high, wide), places, max(c, o), n, x.dtype)
    filters = taps_to_points(weight.transpose(2, 3, 1, 0))
    images = x.transpose(0, 2, 3, 1)
    row = None if bias is None else np.tile(bias, places[1])
    finite = [True]

    def fill(rows: Any, block: Block) -> None:
        a, b, r, s = block
        rows[...] = images[a:b, r:s]

    def body(start: int, stop: int, part: int) -> None:
        for block in lines.blocks(start, stop):
            found = lines.windows(fill, block, c, x.dtype) if finite[0] else None
            if found is None:
                finite[0] = False
                return
            windows, empty = found
            products = multiplied(windows, filters)
            a, b, r, s = block
            rows = (a, b, TILE * r, min(TILE * s, places[0]))
            out = room(rows)
            lines.results(products, out, block, empty, row)
            if done is not None:
                done(rows, out)

    with np.errstate(over="ignore", invalid="ignore"):
        shards.run(body, n, least(window, places, c, o))
    return finite[0] and even(lines.squares)


def send_back(
    x: Any,
    weight: Any,
    shape: tuple[int, int, int, int],
    window: Window,
    image: Pair,
    fill: Callable[[Any, Block], None],
) -> tuple[Any, Any] | None:
    """`conv2d_backward` of a gradient of this shape: fill(memory, (a, b, r, s)) writes rows r to s of images a to b."""
    way_back = turned(window)
    if way_back is None or not moderate(weight):
        return None
    (n, o, high, wide), c = shape, weight.shape[1]
    lines = Lines(way_back, (high, wide), image, max(c, o), n, weight.dtype)
    # The filters upside down and back to front.
    filters = taps_to_points(weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1))
    dx = np.empty((n, *image, c), weight.dtype)
    images = None if x is None else x.transpose(0, 2, 3, 1)
    cut = shards.parts(n, least(window, image, c, o))
    sums = np.zeros((len(cut), *filters.shape), weight.dtype)
    finite = [True]

    def body(start: int, stop: int, part: int) -> None:
        for block in lines.blocks(start, stop):
            found = lines.windows(fill, block, o, weight.dtype) if finite[0] else None
            if found is None:
                finite[0] = False
                return
            windows, empty = found
            products = multiplied(windows, filters)
            a, b, r, s = block
            lines.results(products, dx[a:b, TILE * r : TILE * s], block, empty)
            if images is None:
                continue
            if not lines.transposed_results(images, block, products):
                finite[0] = False
                return
            sums[part] += multiplied_back(windows, products)

    with np.errstate(over="ignore", invalid="ignore"):
        shards.run_parts(body, cut)
    if not (finite[0] and even(lines.squares)):
        return None
    if images is None:
        return channels_first(dx), None
    taps = points_to_taps(sums.sum(axis=0)).reshape(*window.size, o, c)[::-1, ::-1]
    return channels_first(dx), np.ascontiguousarray(taps.transpose(2, 3, 0, 1))


class Lines:
    """The images of a block, each row of pixels with zeros after it, so that a line is one piece of memory.

    One gap is enough between two rows, the right padding of one and the left padding of the next. So a row has `pitch`
    places, the first of which are places of the convolution. A block (a, b, r, s) is the tiles, of four rows of places
    each, from r to s of the images from a to b: several images, or a part of one.
    """

    squares: Any
    """Of each row of each image, that of the pixels, added up."""

    def __init__(
        self, window: Window, image: Pair, places: Pair, channels: int, count: int, dtype: Any
    ) -> None:
        self.taps = window.size[1]
        (self.top, _), (self.left, right) = window.padding
        self.high, self.wide = image
        self.pitch = self.wide + max(self.left, right)
        self.tiles, self.places = -(-places[0] // TILE), places
        self.bytes = 4 * (TILE + 2) * self.pitch * channels  # of the points of a tile
        self.squares = np.zeros((count, TILE * self.tiles + 2), dtype)
        self.wide_rim = max(window.padding[0]) >= window.size[0]

    def blocks(self, start: int, stop: int) -> Iterator[Block]:
        """Images from `start` to `stop` in blocks."""
        tiles = max(1, BLOCK // self.bytes)
        step = max(1, tiles // self.tiles)
        for a in range(start, stop, step):
            for r in range(0, self.tiles, tiles):
                yield a, min(a + step, stop), r, min(r + tiles, self.tiles)

    def windows(
        self, fill: Callable[[Any, Block], None], block: Block, c: int, dtype: Any
    ) -> tuple[list[Any], Any] | None:
        """The points of images of c channels as k matrices of windows (6, m, k C), each of every k-th.

        And which rows of places see nothing but zeros, (images, rows), None where no row does.

        fill(memory, (a, b, r, s)) writes the pixels of the rows r to s of the images a to b, (b - a, s - r, W, C).
        None where a number is too large.
        """
        a, b, r, s = block
        t, n, k = s - r, b - a, self.taps
        rows = shards.scratch("lines", (n, TILE * t + 2, self.pitch, c), dtype)
        above = TILE * r - self.top
        low = max(above, 0)
        high = max(min(above + rows.shape[1], self.high), low)
        rows[:, : low - above] = 0
        rows[:, high - above :] = 0
        inside = rows[:, low - above : high - above]
        inside[:, :, : self.left] = 0
        inside[:, :, self.left + self.wide :] = 0
        fill(inside[:, :, self.left : self.left + self.wide], (a, b, low, high))
        whole = rows.reshape(n, TILE * t + 2, -1)
        squares = self.squares[a:b, TILE * r : TILE * s + 2]
        np.vecdot(whole, whole, out=squares)
        if not np.add.reduce(squares, None) < LARGE:
            return None
        empty = None
        if self.wide_rim or np.count_nonzero(squares) < n * (high - low):
            empty = only_zeros(whole, squares, min(TILE * s, self.places[0]) - TILE * r)
        size = n * t * self.pitch
        m = -(-size // k)
        points = shards.scratch("points", (TILE + 2, m * k + k - 1, c), dtype)
        points[:, size:] = 0
        of_image, of_row, _, item = rows.strides
        tiles = np.lib.stride_tricks.as_strided(
            rows, (n, t, TILE + 2, self.pitch * c), (of_image, TILE * of_row, of_row, item)
        )
        np.matmul(PIXELS.astype(dtype), tiles, out=self._by_tile(points, block))
        flat = points.reshape(TILE + 2, -1)
        return [flat[:, i * c : (i + m * k) * c].reshape(TILE + 2, m, k * c) for i in range(k)], empty

    def results(self, products: Any, out: Any, block: Block, empty: Any, bias: Any = None) -> None:
        """Aᵀ of the products into `out` (n, rows, W', C), the block's, and `bias`, of a row of places, to all of it.

        `empty` says which rows are 0 before that (None: none is).
        """
        n = block[1] - block[0]
        tiles = self._by_tile(products, block)[..., : self.places[1] * out.shape[3]]
        if bias is not None:
            tiles[:, :, 1] += bias  # the point 1 is in each of the four rows, once
        whole, rest = divmod(out.shape[1], TILE)
        lines = out.reshape(n, out.shape[1], -1)
        table = RESULTS.astype(out.dtype)
        if whole:
            of_tiles = lines[:, : TILE * whole].reshape(n, whole, TILE, -1)
            np.matmul(table, tiles[:, :whole], out=of_tiles)
        if rest:
            np.matmul(table[:rest], tiles[:, whole], out=lines[:, TILE * whole :])
        if empty is not None:
            lines[empty] = 0 if bias is None else bias

    def transposed_results(self, y: Any, block: Block, products: Any) -> bool:
        """A of y (N, H', W', C) into the products; False where a number is too large."""
        a, b, r, s = block
        size = (s - r) * (b - a) * self.pitch
        products[:, size:] = 0
        tiles = self._by_tile(products, block)
        inside = self.places[1] * y.shape[3]
        tiles[..., inside:] = 0
        rows = y[a:b, TILE * r : TILE * s]
        if not y.flags.c_contiguous:
            copied = shards.scratch("lines", rows.shape, y.dtype)
            copied[...] = rows
            rows = copied
        if not moderate(rows):
            return False
        whole, rest = divmod(rows.shape[1], TILE)
        lines = rows.reshape(b - a, rows.shape[1], -1)
        table = RESULTS.T.astype(y.dtype)
        if whole:
            of_tiles = lines[:, : TILE * whole].reshape(b - a, whole, TILE, -1)
            np.matmul(table, of_tiles, out=tiles[:, :whole, :, :inside])
        if rest:
            np.matmul(table[:, :rest], lines[:, TILE * whole :], out=tiles[:, whole, :, :inside])
        return True

    def _by_tile(self, points: Any, block: Block) -> Any:
        """Points (6, …, C) of a block's places, without what is behind them, as (images, tiles, 6, pitch C)."""
        a, b, r, s = block
        c = points.shape[2]
        some = points[:, : (b - a) * (s - r) * self.pitch]
        return some.reshape(TILE + 2, b - a, s - r, self.pitch * c).transpose(1, 2, 0, 3)


def taps_to_points(taps: Any) -> Any:
    """G of taps (3, k, C, O), as (6, k C, O)."""
    points = np.tensordot(TAPS, taps.astype(np.float64), 1)
    return points.reshape(TILE + 2, -1, taps.shape[3]).astype(taps.dtype)


def points_to_taps(points: Any) -> Any:
    """Gᵀ of points (6, k C, O)."""
    return np.tensordot(TAPS.T, points.astype(np.float64), 1).astype(points.dtype)


def moderate(x: Any) -> bool:
    """Are all numbers finite, and none too large? One product says so, without a warning."""
    flat = x.reshape(-1)
    return bool(np.vdot(flat, flat) < LARGE)


def even(squares: Any) -> bool:
    """Does no row dwarf another of its tile, by the sums of squares (images, rows)?

    Rows of zeros do not count, nor does one that is tiny beside rows as large as most of its image.
    """
    last = squares.shape[1] - TILE - 2
    some = np.where(squares > 0, squares, np.inf)
    if np.maximum.reduce(squares, None) <= CONTRAST * np.minimum.reduce(some, None):
        return True  # so it is in training, nearly always
    most = np.maximum.reduce([squares[:, i : last + i + 1 : TILE] for i in range(TILE + 2)])
    least = np.minimum.reduce([some[:, i : last + i + 1 : TILE] for i in range(TILE + 2)])
    uneven = most > CONTRAST * least
    for image in np.flatnonzero(uneven.any(axis=1)):
        usual = np.median(squares[image][squares[image] > 0])
        if most[image][uneven[image]].max() > CONTRAST * usual:
            return False
    return True


def only_zeros(rows: Any, squares: Any, count: int) -> Any:
    """Which of `count` rows see nothing but zeros in themselves and the two after them, (N, count); None: none.

    The sums of squares tell where to look: that of tiny numbers is 0, too.
    """
    zero = squares == 0
    if not _of_three(zero)[:, :count].any():
        return None
    zero[zero] = ~rows[zero].any(axis=1)
    return _of_three(zero)[:, :count]


def _of_three(rows: Any) -> Any:
    return rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]


def multiplied(windows: list[Any], filters: Any) -> Any:
    """The products (6, m k, O) at all places, in scratch memory."""
    m, o = windows[0].shape[1], filters.shape[2]
    out = shards.scratch("products", (TILE + 2, m, len(windows), o), filters.dtype)
    for i, rows in enumerate(windows):
        multiply(rows, filters, out[:, :, i])
    return out.reshape(TILE + 2, -1, o)


def multiplied_back(windows: list[Any], products: Any) -> Any:
    """Σ over all places of windowsᵀ · products, (6, k C, O)."""
    products = products.reshape(TILE + 2, -1, len(windows), products.shape[2])
    return sum(np.matmul(rows.swapaxes(1, 2), products[:, :, i]) for i, rows in enumerate(windows))
