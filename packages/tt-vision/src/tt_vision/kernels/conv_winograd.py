"""Winograd's convolution F(2×2, 3×3): four pixels of a 3×3 convolution for 16 products instead of 36.

In one dimension, two results of a filter of three taps g over four pixels d take four products instead of six:

    m₀ = (d₀ - d₂) g₀              m₁ = (d₁ + d₂) (g₀ + g₁ + g₂) / 2
    m₃ = (d₁ - d₃) g₂              m₂ = (d₂ - d₁) (g₀ - g₁ + g₂) / 2

    y₀ = m₀ + m₁ + m₂              y₁ = m₁ - m₂ - m₃

What stands in the brackets are the *points* of pixels and taps. The same along rows and columns gives 16 points for a
tile of 4×4 pixels, of which the next tile shares half; Σ over the channels makes each product a matrix product over all
tiles. As y is linear in m, and m in d and in g, the way back goes through the same tables, transposed: the points of
the gradient serve both dx, a convolution with the filters turned around, and the one at the weight.

A block of images goes to points, through the products and back while a level-2 cache holds it. It stands in the
order (point, row, image, column, channel), so that most sums run over long stretches of memory.

The error of float32 is twice that of the sum itself, as m₁ and m₂ hold what cancels between them. Infinity would become
NaN: None comes back where a number is not finite, or so large that its square is not.

Source: Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, arXiv:1509.09308.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.channels import channels_first
from tt_vision.kernels.conv_blocked import FILTERS, SMALL, Block, least, turned
from tt_vision.window import Pair, Window

__all__ = ["conv2d", "conv2d_backward", "suits"]

BLOCK = 1 << 21
"""Bytes of the points of a block. Smaller ones are nearer to the processor, but take more calls."""

CHANNELS = 1 << 12
"""Channels in times channels out from which the products that are saved outweigh the sums that are made; half as many
where the points of a gradient serve two products."""

PIXELS, SIDE = 1 << 13, 8
"""Of fewer places in all, or along an axis, the calls cost more than is saved."""


def suits(window: Window, places: Pair, images: int, channels: int, dtype: Any) -> bool:
    """Is this geometry one of 3×3, in float32, and are there so many places and `channels` (in · out)?"""
    return (
        window.size == (3, 3)
        and window.stride == window.dilation == (1, 1)
        and window.groups == 1
        and dtype == np.float32
        and channels >= CHANNELS
        and min(places) >= SIDE
        and images * places[0] * places[1] >= PIXELS
    )


def conv2d(x: Any, weight: Any, bias: Any, window: Window) -> Any:
    """y = x ⋆ w + b, or None where a number is too large for it."""
    n, c, *image = x.shape
    o = len(weight)
    places = window.output((image[0], image[1]), "conv2d")
    filters = taps_to_points(weight.transpose(2, 3, 1, 0))
    tiles = Tiles(window, places, max(c, o))
    images, y = x.transpose(0, 2, 3, 1), np.empty((n, *places, o), x.dtype)
    row = None if bias is None else np.tile(bias, places[1])
    finite = [bool(small(filters))]

    def body(start: int, stop: int, part: int) -> None:
        for block in tiles.blocks(start, stop) if finite[0] else ():
            pixels = tiles.pixels_to_points(images, block)
            if pixels is None:
                finite[0] = False
                return
            points = shards.scratch("products", (*pixels.shape[:5], o), x.dtype)
            multiply(pixels, filters, points)
            out = tiles.points_to_results(points, y, block)
            if row is not None:
                lines = out.reshape(-1, row.size)
                lines += row

    shards.run(body, n, least(window, places, c, o))
    return channels_first(y) if finite[0] else None


def conv2d_backward(x: Any, weight: Any, grad: Any, window: Window, image: Pair) -> tuple[Any, Any] | None:
    """(dx, dweight), dweight None where x is; or None where a number is too large, or the padding too wide."""
    way_back = turned(window)
    if way_back is None:
        return None
    (n, o), c = grad.shape[:2], weight.shape[1]
    # The filters upside down and back to front.
    filters = taps_to_points(weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1))
    tiles = Tiles(way_back, image, max(c, o))
    gradients, dx = grad.transpose(0, 2, 3, 1), np.empty((n, *image, c), grad.dtype)
    images = None if x is None else x.transpose(0, 2, 3, 1)
    cut = shards.parts(n, least(window, image, c, o))
    sums = np.zeros((len(cut), 4, 4, o, c), grad.dtype)
    finite = [bool(small(filters))]

    def body(start: int, stop: int, part: int) -> None:
        for block in tiles.blocks(start, stop) if finite[0] else ():
            pixels = tiles.pixels_to_points(gradients, block)
            if pixels is None:
                finite[0] = False
                return
            points = shards.scratch("products", (*pixels.shape[:5], c), grad.dtype)
            multiply(pixels, filters, points)
            tiles.points_to_results(points, dx, block)
            if images is not None:
                if not tiles.results_to_points(images, block, points):
                    finite[0] = False
                    return
                sums[part] += multiplied_back(pixels, points)

    shards.run_parts(body, cut)
    if not finite[0]:
        return None
    if images is None:
        return channels_first(dx), None
    taps = points_to_taps(sums.sum(axis=0))[::-1, ::-1]
    return channels_first(dx), np.ascontiguousarray(taps.transpose(2, 3, 0, 1))


class Tiles:
    """Two by two places each, over all `places` of `window`; the last ones may reach beyond.

    A block (a, b, r, s) is the rows of tiles from r to s of the images from a to b.
    """

    def __init__(self, window: Window, places: Pair, channels: int) -> None:
        self.padding = window.padding[0][0], window.padding[1][0]
        self.down, self.across = -(-places[0] // 2), -(-places[1] // 2)
        self.row = 16 * self.across * channels * 4  # bytes of the points of a row of tiles

    def blocks(self, start: int, stop: int) -> Iterator[Block]:
        """Images from `start` to `stop` in blocks."""
        rows = max(1, BLOCK // self.row)
        step = max(1, rows // self.down)
        for a in range(start, stop, step):
            for r in range(0, self.down, rows):
                yield a, min(a + step, stop), r, min(r + rows, self.down)

    def pixels_to_points(self, images: Any, block: Block) -> Any:
        """(4, 4, rows, images, across, C) of images (N, H, W, C); None where a number is too large."""
        a, b, r, s = block
        t, n, c, dtype = s - r, b - a, images.shape[3], images.dtype
        even, odd = halves = shards.scratch("halves", (2, 2 * t + 2, n, self.across + 1, c), dtype)
        self._split(images, block, halves)
        if not small(halves):
            return None
        columns = shards.scratch("columns", (4, 2 * t + 2, n, self.across, c), dtype)
        first, third = even[:, :, :-1], even[:, :, 1:]
        second, fourth = odd[:, :, :-1], odd[:, :, 1:]
        _to_points(columns, first, second, third, fourth)
        points = shards.scratch("points", (4, 4, t, n, self.across, c), dtype)
        _to_points(points, *(columns[:, i : i + 2 * t - 1 : 2] for i in range(4)))
        return points

    def _split(self, images: Any, block: Block, halves: Any) -> None:
        """The even and the odd columns of images with zeros around, (2, rows, images, columns, C)."""
        a, b, r, _ = block
        (top, left), (high, wide) = self.padding, images.shape[1:3]
        above = 2 * r - top
        low = max(above, 0)
        high = max(min(above + halves.shape[1], high), low)
        halves[:, : low - above] = 0
        halves[:, high - above :] = 0
        some = images[a:b, low:high].transpose(1, 0, 2, 3)
        for half in (0, 1):
            rows = halves[half, low - above : high - above]
            before = min(max(0, (left - half + 1) // 2), rows.shape[2])
            column = 2 * before + half - left  # of the image
            count = max(0, min(rows.shape[2] - before, -(-(wide - column) // 2)))
            rows[:, :, :before] = 0
            rows[:, :, before + count :] = 0
            if count:
                rows[:, :, before : before + count] = some[:, :, column : column + 2 * count - 1 : 2]

    def points_to_results(self, points: Any, y: Any, block: Block) -> Any:
        """Into y (N, H', W', C), of which it gives the part that it wrote. The points are used up."""
        a, b, r, s = block
        spare = shards.scratch("spare", points.shape[1:], points.dtype)
        np.add(points[1], points[2], spare)
        points[0] += spare
        np.subtract(points[1], points[2], spare)
        np.subtract(spare, points[3], points[1])
        rows, both = points[:2], spare[:2]
        out = y[a:b, 2 * r : 2 * s]
        places = out.transpose(1, 0, 2, 3)
        for combine, at, of in ((np.add, 0, 0), (np.subtract, 1, 3)):  # y₀, and y₁
            combine(rows[:, 1], rows[:, 2], both)
            for i in (0, 1):
                to = places[i::2, :, at::2]
                k, _, wide, _ = to.shape
                one, other = rows[i, of, :k, :, :wide], both[i, :k, :, :wide]
                combine(other, one, to)
        return out

    def results_to_points(self, y: Any, block: Block, points: Any) -> bool:
        """The transpose of `points_to_results`, from y (N, H', W', C); False where a number is too large.

        m₀ = y₀, m₁ = y₀ + y₁, m₂ = y₀ - y₁, and m₃ = y₁, of which `points_to_taps` takes the negative.
        """
        a, b, r, s = block
        rows = shards.scratch("rows", (2, *points.shape[1:]), y.dtype)
        for i in (0, 1):
            some = y[a:b, 2 * r + i : 2 * s : 2].transpose(1, 0, 2, 3)
            for j, to in ((0, rows[i, 0]), (1, rows[i, 3])):
                every = some[:, :, j::2]
                k, _, wide, _ = every.shape
                to[k:], to[:k, :, wide:] = 0, 0  # beyond the last place
                to[:k, :, :wide] = every
        np.add(rows[:, 0], rows[:, 3], rows[:, 1])
        np.subtract(rows[:, 0], rows[:, 3], rows[:, 2])
        points[0], points[3] = rows
        np.add(rows[0], rows[1], points[1])
        np.subtract(rows[0], rows[1], points[2])
        return small(rows)


def _to_points(made: Any, first: Any, second: Any, third: Any, fourth: Any) -> None:
    """Four points, from four pixels each."""
    np.subtract(first, third, made[0])
    np.add(second, third, made[1])
    np.subtract(third, second, made[2])
    np.subtract(second, fourth, made[3])


def taps_to_points(taps: Any) -> Any:
    """(3, 3, …) as (4, 4, …)."""
    for axis in (0, 1):
        first, middle, last = np.moveaxis(taps, axis, 0)
        around = (first + last) / 2
        taps = np.stack([first, around + middle / 2, around - middle / 2, last], axis)
    return np.ascontiguousarray(taps)


def points_to_taps(points: Any) -> Any:
    """The transpose of `taps_to_points`, (4, 4, …) as (3, 3, …), with the negative of the last point."""
    for axis in (0, 1):
        first, up, down, last = np.moveaxis(points, axis, 0)
        around = (up + down) / 2
        points = np.stack([first + around, (up - down) / 2, around - last], axis)
    return points


def small(x: Any) -> bool:
    """Are all numbers finite, and their squares, too? One product says so, without a warning."""
    flat = x.reshape(-1)
    return bool(np.vdot(flat, flat) < math.inf)


def multiply(pixels: Any, filters: Any, out: Any) -> None:
    """Σ over the channels for each of the 16 points, as stacks of small products: see conv_blocked.multiply."""
    inner, o = filters.shape[2:]
    rows, out = pixels.reshape(4, 4, -1, inner), out.reshape(4, 4, -1, o)
    count = rows.shape[2]
    few = SMALL // (inner * o) // 12 * 12
    if inner * o > FILTERS or not 12 <= few < count:
        np.matmul(rows, filters, out=out)
        return
    height = count // few
    whole = height * few
    stack = out[:, :, :whole].reshape(4, 4, height, few, o)
    np.matmul(rows[:, :, :whole].reshape(4, 4, height, few, inner), filters[:, :, None], out=stack)
    if whole < count:
        np.matmul(rows[:, :, whole:], filters, out=out[:, :, whole:])


def multiplied_back(pixels: Any, others: Any) -> Any:
    """Σ over the tiles for each of the 16 points: pixelsᵀ · others."""
    inner, n = pixels.shape[5], others.shape[5]
    rows, others = pixels.reshape(4, 4, -1, inner), others.reshape(4, 4, -1, n)
    count = rows.shape[2]
    deep = min(count, SMALL // (inner * n))
    if deep < 48:
        return np.matmul(rows.swapaxes(2, 3), others)
    height = count // deep
    whole = height * deep
    stack = rows[:, :, :whole].reshape(4, 4, height, deep, inner).swapaxes(3, 4)
    total = np.add.reduce(np.matmul(stack, others[:, :, :whole].reshape(4, 4, height, deep, n)), 2)
    if whole < count:
        total += np.matmul(rows[:, :, whole:].swapaxes(2, 3), others[:, :, whole:])
    return total
