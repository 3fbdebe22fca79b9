"""Winograd's convolution F(2, 3): two rows of a convolution by filters of three rows, for four products instead of six.

Of a filter with the rows g, and four rows d of pixels,

    m₀ = (d₀ - d₂) g₀              m₁ = (d₁ + d₂) (g₀ + g₁ + g₂) / 2
    m₃ = (d₁ - d₃) g₂              m₂ = (d₂ - d₁) (g₀ - g₁ + g₂) / 2

    y₀ = m₀ + m₁ + m₂ = d₀ g₀ + d₁ g₁ + d₂ g₂        y₁ = m₁ - m₂ - m₃ = d₁ g₀ + d₂ g₁ + d₃ g₂

What stands in the brackets are the *points* of pixels and taps; a product is the sum over the taps of a row and over
the channels, a matrix product. As y is linear in m, and m in d and in g, the way back goes through the same tables,
transposed: the points of the gradient serve both dx, a convolution with the filters turned around, and dweight.

No windows are copied. Along a row of pixels that lie one after the other, k of them are a row of a matrix of windows,
the next k the row that is k places further: so that memory is such a matrix as it is, and k - 1 times more, from the
second pixel on, from the third … Windows that reach over the end of an image are computed, too, and left out.

The error of float32 is up to twice that of the sum itself, as m₁ and m₂ hold what cancels between them. Infinity would
become NaN: None comes back where a number is not finite, or so large that its square is not.

Source: Winograd, "Arithmetic Complexity of Computations", 1980; Lavin & Gray, "Fast Algorithms for Convolutional Neural
Networks", 2015, arXiv:1509.09308.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.channels import channels_first
from tt_vision.kernels.conv_blocked import DEEP, SMALL, Block, least, multiply, turned
from tt_vision.window import Pair, Window

__all__ = ["conv2d", "conv2d_backward", "suits"]

BLOCK = 3 << 19
"""Bytes of the points of a block, which a level-2 cache holds for the most part."""

CHANNELS, SIDE, PIXELS = 1 << 8, 8, 1 << 13
"""Channels in · channels out, places along an axis, and places in all, below which the blocks are quicker."""


def suits(window: Window, places: Pair, images: int, channels: int, dtype: Any) -> bool:
    """Are the filters three rows high, at stride 1 and in float32, and is there enough to do?

    `channels` are those that come in times those that go out.
    """
    return (
        window.size[0] == 3
        and window.stride == window.dilation == (1, 1)
        and window.groups == 1
        and min(window.padding[1]) < window.size[1]
        and dtype == np.float32
        and channels >= CHANNELS
        and min(places) >= SIDE
        and images * places[0] * places[1] >= PIXELS
    )


def conv2d(x: Any, weight: Any, bias: Any, window: Window) -> Any:
    """y = x ⋆ w + b, or None where a number is too large for it."""
    if not moderate(weight):
        return None
    n, c, high, wide = x.shape
    o = len(weight)
    places = window.output((high, wide), "conv2d")
    lines = Lines(window, (high, wide), places, max(c, o))
    filters = taps_to_points(weight.transpose(2, 3, 1, 0))
    images, y = x.transpose(0, 2, 3, 1), np.empty((n, *places, o), x.dtype)
    row = None if bias is None else np.tile(bias, places[1])
    finite = [True]

    def body(start: int, stop: int, part: int) -> None:
        for block in lines.blocks(start, stop):
            windows = lines.windows(images, block) if finite[0] else None
            if windows is None:
                finite[0] = False
                return
            products = multiplied(windows, filters)
            out = lines.results(products, y, block)
            if row is not None:
                strips = out.reshape(-1, row.size)
                strips += row

    shards.run(body, n, least(window, places, c, o))
    return channels_first(y) if finite[0] else None


def conv2d_backward(x: Any, weight: Any, grad: Any, window: Window, image: Pair) -> tuple[Any, Any] | None:
    """(dx, dweight), dweight None where x is; or None where a number is too large, or the padding too wide."""
    way_back = turned(window)
    if way_back is None or not moderate(weight):
        return None
    (n, o, high, wide), c = grad.shape, weight.shape[1]
    lines = Lines(way_back, (high, wide), image, max(c, o))
    # The filters upside down and back to front.
    filters = taps_to_points(weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1))
    gradients, dx = grad.transpose(0, 2, 3, 1), np.empty((n, *image, c), grad.dtype)
    images = None if x is None else x.transpose(0, 2, 3, 1)
    cut = shards.parts(n, least(window, image, c, o))
    sums = np.zeros((len(cut), *filters.shape), grad.dtype)
    finite = [True]

    def body(start: int, stop: int, part: int) -> None:
        for block in lines.blocks(start, stop):
            windows = lines.windows(gradients, block) if finite[0] else None
            if windows is None:
                finite[0] = False
                return
            products = multiplied(windows, filters)
            lines.results(products, dx, block)
            if images is None:
                continue
            if not lines.transposed_results(images, block, products):
                finite[0] = False
                return
            sums[part] += multiplied_back(windows, products)

    shards.run_parts(body, cut)
    if not finite[0]:
        return None
    if images is None:
        return channels_first(dx), None
    taps = points_to_taps(sums.sum(axis=0)).reshape(*window.size, o, c)[::-1, ::-1]
    return channels_first(dx), np.ascontiguousarray(taps.transpose(2, 3, 0, 1))


class Lines:
    """The images of a block side by side: line after line, in each the same row of all, with zeros between them.

    One gap is enough between two images, the right padding of one and the left padding of the next. So an image has
    `pitch` places of a line, the first of which are places of the convolution. A block (a, b, r, s) is the pairs of
    rows from r to s of the images from a to b.
    """

    def __init__(self, window: Window, image: Pair, places: Pair, channels: int) -> None:
        self.taps = window.size[1]
        (self.top, _), (self.left, right) = window.padding
        self.high, self.wide = image
        self.pitch = self.wide + max(self.left, right)
        self.pairs, self.places = -(-places[0] // 2), places[1]
        self.bytes = 16 * self.pitch * channels  # of the points of a pair of rows

    def blocks(self, start: int, stop: int) -> Iterator[Block]:
        """Images from `start` to `stop` in blocks."""
        pairs = max(1, BLOCK // self.bytes)
        step = max(1, pairs // self.pairs)
        for a in range(start, stop, step):
            for r in range(0, self.pairs, pairs):
                yield a, min(a + step, stop), r, min(r + pairs, self.pairs)

    def windows(self, images: Any, block: Block) -> list[Any] | None:
        """The points of images (N, H, W, C) as k matrices of windows (4, m, k C), each of every k-th.

        None where a number is too large.
        """
        a, b, r, s = block
        t, n, c, k = s - r, b - a, images.shape[3], self.taps
        rows = shards.scratch("lines", (2 * t + 2, n, self.pitch, c), images.dtype)
        above = 2 * r - self.top
        low = max(above, 0)
        high = max(min(above + len(rows), self.high), low)
        rows[: low - above] = 0
        rows[high - above :] = 0
        inside = rows[low - above : high - above]
        inside[:, :, : self.left] = 0
        inside[:, :, self.left + self.wide :] = 0
        inside[:, :, self.left : self.left + self.wide] = images[a:b, low:high].transpose(1, 0, 2, 3)
        if not moderate(rows):
            return None
        size = t * n * self.pitch
        m = -(-size // k)
        points = shards.scratch("points", (4, m * k + k - 1, c), images.dtype)
        points[:, size:] = 0
        found = points[:, :size].reshape(4, t, n, self.pitch, c)
        first, second, third, fourth = rows[:-2:2], rows[1:-1:2], rows[2::2], rows[3::2]
        np.subtract(first, third, found[0])
        np.add(second, third, found[1])
        np.subtract(third, second, found[2])
        np.subtract(second, fourth, found[3])
        flat = points.reshape(4, -1)
        return [flat[:, i * c : (i + m * k) * c].reshape(4, m, k * c) for i in range(k)]

    def results(self, products: Any, y: Any, block: Block) -> Any:
        """y₀ and y₁ into y (N, H', W', C), of which it gives the part that it wrote. m₁ is used up."""
        a, b, r, s = block
        out = y[a:b, 2 * r : 2 * s]
        rows = out.transpose(1, 0, 2, 3)
        even, odd = rows[::2], rows[1::2]
        m = products[:, : (s - r) * (b - a) * self.pitch]
        both = shards.scratch("both", m.shape[1:], m.dtype)
        np.add(m[1], m[2], both)
        np.subtract(m[1], m[2], m[1])
        np.add(self._shown(both, even), self._shown(m[0], even), even)
        np.subtract(self._shown(m[1], odd), self._shown(m[3], odd), odd)
        return out

    def transposed_results(self, y: Any, block: Block, products: Any) -> bool:
        """m from y (N, H', W', C): y₀, y₀ + y₁, y₀ - y₁, and y₁, of which `points_to_taps` takes the negative.

        False where a number is too large.
        """
        a, b, r, s = block
        rows = y[a:b, 2 * r : 2 * s].transpose(1, 0, 2, 3)
        size = (s - r) * (b - a) * self.pitch
        products[:, size:] = 0
        for m, some in ((products[0], rows[::2]), (products[3], rows[1::2])):
            m[len(some) * (b - a) * self.pitch : size] = 0  # beyond the last row
            line = m[:size].reshape(s - r, b - a, self.pitch, -1)[: len(some)]
            line[:, :, self.places :] = 0
            line[:, :, : self.places] = some
        if not (moderate(products[0]) and moderate(products[3])):
            return False
        np.add(products[0], products[3], products[1])
        np.subtract(products[0], products[3], products[2])
        return True

    def _shown(self, m: Any, rows: Any) -> Any:
        """Of a product at all places of the lines, those of `rows` (rows, images, W', C)."""
        count, images, wide, c = rows.shape
        return m[: count * images * self.pitch].reshape(count, images, self.pitch, c)[:, :, :wide]


def taps_to_points(taps: Any) -> Any:
    """(3, k, C, O) as (4, k C, O)."""
    first, middle, last = taps
    around = (first + last) / 2
    points = np.stack([first, around + middle / 2, around - middle / 2, last])
    return points.reshape(4, -1, taps.shape[3])


def points_to_taps(points: Any) -> Any:
    """The transpose of `taps_to_points`, with the negative of the last point."""
    first, up, down, last = points
    around = (up + down) / 2
    return np.stack([first + around, (up - down) / 2, around - last])


def moderate(x: Any) -> bool:
    """Are all numbers finite, and their squares, too? One product says so, without a warning."""
    flat = x.reshape(-1)
    return bool(np.vdot(flat, flat) < math.inf)


def multiplied(windows: list[Any], filters: Any) -> Any:
    """The products (4, m k, O) at all places, in scratch memory."""
    m, o = windows[0].shape[1], filters.shape[2]
    out = shards.scratch("products", (4, m, len(windows), o), filters.dtype)
    for i, rows in enumerate(windows):
        multiply(rows, filters, out[:, :, i])
    return out.reshape(4, -1, o)


def multiplied_back(windows: list[Any], products: Any) -> Any:
    """Σ over all places of windowsᵀ · products, (4, k C, O): see conv_blocked.multiplied_back."""
    (_, m, inner), o = windows[0].shape, products.shape[2]
    products = products.reshape(4, m, len(windows), o)
    deep = min(DEEP, SMALL // (inner * o))
    height = m // deep if deep >= DEEP // 4 else 0
    whole = height * deep
    total = np.zeros((4, inner, o), products.dtype)
    for i, rows in enumerate(windows):
        others = products[:, :, i]
        if height:
            stack = rows[:, :whole].reshape(4, height, deep, inner).swapaxes(2, 3)
            total += np.add.reduce(np.matmul(stack, others[:, :whole].reshape(4, height, deep, o)), 1)
        if whole < m:
            total += np.matmul(rows[:, whole:].swapaxes(1, 2), others[:, whole:])
    return total
