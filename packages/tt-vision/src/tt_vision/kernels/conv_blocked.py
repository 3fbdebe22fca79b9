"""Convolution by blocks: im2col of as many images as a cache holds, in memory that is used again, on all cores.

Each thread takes a part of the batch and goes through it block by block: it copies the images of a block between
zeros, copies their windows into one matrix, and multiplies. On the way back at stride 1, the windows of the *gradient*
serve both products: the gradient at the images is its convolution with the filters turned around, and that of the
weight is imagesᵀ · windows. So nothing is kept but the images themselves, and nothing is scattered.

An image that is larger than a block is cut in bands of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.channels import channels_first
from tt_vision.kernels.conv_im2col import windows
from tt_vision.window import Pair, Window

__all__ = ["conv2d", "conv2d_backward", "conv2d_input", "conv2d_weight"]

BLOCK = 1 << 21
"""Bytes of a block of windows: with what is multiplied and made, it stays in a level-2 cache."""

WORTH = 1 << 24
"""Multiplications and additions that are worth a thread."""

Block = tuple[int, int, int, int]
"""Images from a to b, places (rows) from r to s."""


def conv2d(x: Any, weight: Any, bias: Any, window: Window) -> Any:
    """y = (rows of windows) · (filters as columns) + b, block by block."""
    (n, channels, height, width), (o, c, kh, kw) = x.shape, weight.shape
    places = window.output((height, width), "conv2d")
    groups, per_group = window.groups, o // window.groups
    images = x.transpose(0, 2, 3, 1)
    y = np.empty((n, *places, o), x.dtype)
    matrices = [
        weight[group * per_group : (group + 1) * per_group]
        .transpose(2, 3, 1, 0)
        .reshape(kh * kw * c, per_group)
        for group in range(groups)
    ]
    row = None if bias is None else np.tile(bias, places[1])

    def body(start: int, stop: int, part: int) -> None:
        for block in blocks(start, stop, places, kh * kw * channels * x.itemsize):
            a, b, r, s = block
            out = y[a:b, r:s]
            for group, matrix in enumerate(matrices):
                some = rows_of_windows(images, block, window, places, slice(group * c, (group + 1) * c))
                if groups == 1:
                    np.matmul(some, matrix, out=out.reshape(len(some), o))
                else:
                    part_of = slice(group * per_group, (group + 1) * per_group)
                    out[..., part_of] = some.dot(matrix).reshape(*out.shape[:3], per_group)
            if row is not None:
                lines = out.reshape(-1, row.size)
                lines += row

    shards.run(body, n, least(window, places, c, o))
    return channels_first(y)


def conv2d_backward(
    x: Any, weight: Any, grad: Any, window: Window, image: Pair, needs: tuple[bool, bool]
) -> tuple[Any, Any]:
    """(dx, dweight), from one pass over the windows of the gradient where the geometry allows it."""
    c = weight.shape[1] if weight is not None else x.shape[1]
    turned = _turned(window)
    if not needs[0] or turned is None or kernel_is_one(window):
        return (
            conv2d_input(weight, grad, window, image) if needs[0] else None,
            conv2d_weight(x, grad, window) if needs[1] else None,
        )
    n, o = grad.shape[:2]
    kh, kw = window.size
    g = grad.transpose(0, 2, 3, 1)
    images: Any = x.transpose(0, 2, 3, 1) if needs[1] else None
    dx = np.empty((n, *image, c), grad.dtype)
    # The filters upside down and back to front, as a matrix (kh kw O, C).
    matrix = weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1).reshape(kh * kw * o, c)
    cut = shards.parts(n, least(window, image, c, o))
    sums = np.zeros((len(cut), c, kh * kw * o), grad.dtype) if needs[1] else None

    def body(start: int, stop: int, part: int) -> None:
        for block in blocks(start, stop, image, kh * kw * o * grad.itemsize):
            a, b, r, s = block
            some = rows_of_windows(g, block, turned, image, slice(0, o))
            np.matmul(some, matrix, out=dx[a:b, r:s].reshape(len(some), c))
            if sums is not None:
                sums[part] += images[a:b, r:s].reshape(len(some), c).T.dot(some)

    shards.run_parts(body, cut)
    if sums is None:
        return channels_first(dx), None
    turned_back = sums.sum(axis=0).reshape(c, kh, kw, o)[:, ::-1, ::-1]
    return channels_first(dx), np.ascontiguousarray(turned_back.transpose(3, 0, 1, 2))


def conv2d_weight(x: Any, grad: Any, window: Window) -> Any:
    """dweight = Σ over blocks of windowsᵀ · gradient."""
    n, o, *found = grad.shape
    places = (found[0], found[1])
    kh, kw = window.size
    groups, c, per_group = window.groups, x.shape[1] // window.groups, o // window.groups
    images, g = x.transpose(0, 2, 3, 1), grad.transpose(0, 2, 3, 1)
    cut = shards.parts(n, least(window, places, c, o))
    sums = np.zeros((len(cut), groups, kh * kw * c, per_group), grad.dtype)

    def body(start: int, stop: int, part: int) -> None:
        for block in blocks(start, stop, places, kh * kw * c * groups * grad.itemsize):
            a, b, r, s = block
            for group in range(groups):
                some = rows_of_windows(images, block, window, places, slice(group * c, (group + 1) * c))
                back = g[a:b, r:s, :, group * per_group : (group + 1) * per_group]
                sums[part, group] += some.T.dot(back.reshape(len(some), per_group))

    shards.run_parts(body, cut)
    dw = sums.sum(axis=0).reshape(groups, kh, kw, c, per_group).transpose(0, 4, 3, 1, 2)
    return np.ascontiguousarray(dw).reshape(o, c, kh, kw)


def conv2d_input(weight: Any, grad: Any, window: Window, image: Pair) -> Any:
    """dx: what each window sends back to its pixels, added up image by image."""
    n, o, *found = grad.shape
    places = (found[0], found[1])
    c, (kh, kw) = weight.shape[1], window.size
    turned = _turned(window)
    if turned is not None and not kernel_is_one(window):
        return conv2d_backward(None, weight, grad, window, image, (True, False))[0]
    groups, per_group = window.groups, o // window.groups
    (top, bottom), (left, right) = window.padding
    (sh, sw), (dh, dw) = window.stride, window.dilation
    g = grad.transpose(0, 2, 3, 1)
    whole = kernel_is_one(window) and window.stride == (1, 1)
    dx = np.empty((n, *image, c * groups), grad.dtype)
    matrices = [
        weight[group * per_group : (group + 1) * per_group]
        .transpose(0, 2, 3, 1)
        .reshape(per_group, kh * kw * c)
        for group in range(groups)
    ]

    def body(start: int, stop: int, part: int) -> None:
        step = max(1, BLOCK // max(places[0] * places[1] * kh * kw * c * grad.itemsize, 1))
        for a in range(start, stop, step):
            b = min(a + step, stop)
            if whole and groups == 1:
                rows = g[a:b].reshape((b - a) * image[0] * image[1], o)
                np.matmul(rows, matrices[0], out=dx[a:b].reshape(len(rows), c))
                continue
            shape = (b - a, image[0] + top + bottom, image[1] + left + right, c * groups)
            around = shards.scratch("around", shape, grad.dtype)
            around[...] = 0
            for group, matrix in enumerate(matrices):
                back = g[a:b, :, :, group * per_group : (group + 1) * per_group]
                columns = back.reshape(-1, per_group).dot(matrix).reshape(b - a, *places, kh, kw, c)
                for i in range(kh):
                    for j in range(kw):
                        tap = around[
                            :,
                            i * dh : i * dh + sh * (places[0] - 1) + 1 : sh,
                            j * dw : j * dw + sw * (places[1] - 1) + 1 : sw,
                            group * c : (group + 1) * c,
                        ]
                        tap += columns[:, :, :, i, j]
            dx[a:b] = around[:, top : top + image[0], left : left + image[1]]

    shards.run(body, n, least(window, places, c, o))
    return channels_first(dx)


def blocks(start: int, stop: int, places: Pair, row: int) -> Iterator[Block]:
    """Images from `start` to `stop` in pieces whose windows, of `row` bytes each, fill a block."""
    high, wide = places
    of_image = max(high * wide * row, 1)
    if of_image <= BLOCK:
        step = BLOCK // of_image
        for a in range(start, stop, step):
            yield a, min(a + step, stop), 0, high
        return
    step = max(1, BLOCK // max(wide * row, 1))
    for a in range(start, stop):
        for r in range(0, high, step):
            yield a, a + 1, r, min(r + step, high)


def rows_of_windows(images: Any, block: Block, window: Window, places: Pair, channels: slice) -> Any:
    """The windows of a block as the rows of a matrix (places, kh kw C), in scratch memory or, if it can be, in place.

    images (N, H, W, C), of which `channels` are taken.
    """
    a, b, r, s = block
    (kh, kw), (sh, sw), dw = window.size, window.stride, window.dilation[1]
    (top, _), (left, _) = window.padding
    high, wide = images.shape[1:3]
    some = images[a:b, :, :, channels]
    c = some.shape[3]
    reach = window.reach
    inside = window.padding == ((0, 0), (0, 0))
    first, last = r * sh - top, (s - 1) * sh - top + reach[0]  # rows of the image under these places
    across = (places[1] - 1) * sw + reach[1]  # columns, from -left on
    if inside:
        source = some[:, first:last, :across]
        if kh == kw == 1:
            return source[:, ::sh, ::sw].reshape((b - a) * (s - r) * places[1], c)
    else:
        source = shards.scratch("around", (b - a, last - first, across, c), images.dtype)
        above, before = min(max(-first, 0), last - first), min(left, across)
        below, after = max(above, min(last, high) - first), max(before, min(left + wide, across))
        source[:, :above] = 0
        source[:, below:] = 0
        source[:, above:below, :before] = 0
        source[:, above:below, after:] = 0
        top_row = first + above
        source[:, above:below, before:after] = some[:, top_row : first + below, : after - before]
    matrix = shards.scratch("windows", (b - a, s - r, places[1], kh, kw, c), images.dtype)
    spread = windows(source, window, (s - r, places[1]))
    if dw == 1 and source.strides[2] == c * source.itemsize and source.strides[3] == source.itemsize:
        # A row of taps lies in one piece: fewer, longer copies.
        shape = (*spread.shape[:4], kw * c)
        spread = np.lib.stride_tricks.as_strided(spread, shape, (*spread.strides[:4], source.itemsize))
        np.copyto(matrix.reshape(shape), spread)
    else:
        np.copyto(matrix, spread)
    return matrix.reshape((b - a) * (s - r) * places[1], kh * kw * c)


def least(window: Window, places: Pair, c: int, o: int) -> int:
    """How many images are worth a thread."""
    work = places[0] * places[1] * window.size[0] * window.size[1] * c * o
    return max(1, -(-WORTH // max(work, 1)))


def kernel_is_one(window: Window) -> bool:
    """Is each window one pixel of the image, none of them in the padding?"""
    return window.size == (1, 1) and window.padding == ((0, 0), (0, 0))


def _turned(window: Window) -> Window | None:
    """The geometry of the way back, a convolution of the gradient; None where that needs holes or groups."""
    padding = []
    for axis in (0, 1):
        over = window.dilation[axis] * (window.size[axis] - 1)
        before, after = (over - p for p in window.padding[axis])
        if before < 0 or after < 0:
            return None
        padding.append((before, after))
    if window.stride != (1, 1) or window.groups != 1:
        return None
    return Window(window.size, (1, 1), (padding[0], padding[1]), window.dilation)
