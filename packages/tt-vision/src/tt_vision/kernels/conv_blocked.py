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
from tt_vision.kernels.taps import copy_pixels
from tt_vision.window import Pair, Window

__all__ = ["conv2d", "conv2d_backward", "conv2d_input", "conv2d_weight", "multiply", "turned"]

BLOCK = 1 << 21
"""Bytes of a block of windows, which a level-2 cache holds for the most part. Smaller ones are nearer to the processor,
but the two threads then wait for each other more."""

AROUND = 1 << 22
"""Bytes of images that are put between zeros at a time. Each call of NumPy may hand the interpreter's lock to the other
thread and wait to have it back, so a few long ones go before many short ones."""

WORTH = 1 << 24
"""Multiplications and additions that are worth a thread."""

SMALL, FILTERS, DEEP = 10**6, 20_000, 96
"""Multiplications of a small product, numbers in filters for it (see `multiply`), rows that it sums over."""

Block = tuple[int, int, int, int]
"""Images from a to b, rows of places from r to s."""


def conv2d(x: Any, weight: Any, bias: Any, window: Window) -> Any:
    """y = (rows of windows) · (filters as columns) + b, block by block."""
    (n, _, height, width), (o, c, kh, kw) = x.shape, weight.shape
    places = window.output((height, width), "conv2d")
    groups, per_group = window.groups, o // window.groups
    images = x.transpose(0, 2, 3, 1)
    y = np.empty((n, *places, o), x.dtype)
    filters = [
        weight[group * per_group : (group + 1) * per_group]
        .transpose(2, 3, 1, 0)
        .reshape(kh * kw * c, per_group)
        for group in range(groups)
    ]
    row = None if bias is None else np.tile(bias, places[1])

    def body(start: int, stop: int, part: int) -> None:
        for group, matrix in enumerate(filters):
            part_of = slice(group * per_group, (group + 1) * per_group)
            for (a, b, r, s), some in matrices(
                images, start, stop, window, places, slice(group * c, (group + 1) * c)
            ):
                out = y[a:b, r:s]
                if groups == 1:
                    multiply(some, matrix, out.reshape(len(some), o))
                else:
                    out[..., part_of] = some.dot(matrix).reshape(*out.shape[:3], per_group)
                if row is not None and group == groups - 1:
                    lines = out.reshape(-1, row.size)
                    lines += row

    shards.run(body, n, least(window, places, c, o))
    return channels_first(y)


def conv2d_backward(
    x: Any, weight: Any, grad: Any, window: Window, image: Pair, needs: tuple[bool, bool]
) -> tuple[Any, Any]:
    """(dx, dweight), from one pass over the windows of the gradient where the geometry allows it."""
    c = weight.shape[1] if weight is not None else x.shape[1]
    way_back = turned(window)
    if not needs[0] or way_back is None or kernel_is_one(window):
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
    sums = np.zeros((len(cut), kh * kw * o, c), grad.dtype) if needs[1] else None

    def body(start: int, stop: int, part: int) -> None:
        for (a, b, r, s), some in matrices(g, start, stop, way_back, image, slice(0, o)):
            multiply(some, matrix, dx[a:b, r:s].reshape(len(some), c))
            if sums is not None:
                # The narrow matrix on the right: OpenBLAS is a tenth slower the other way round.
                sums[part] += multiplied_back(some, images[a:b, r:s].reshape(len(some), c))

    shards.run_parts(body, cut)
    if sums is None:
        return channels_first(dx), None
    taps = sums.sum(axis=0).reshape(kh, kw, o, c)[::-1, ::-1]
    return channels_first(dx), np.ascontiguousarray(taps.transpose(2, 3, 0, 1))


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
        for group in range(groups):
            channels = slice(group * c, (group + 1) * c)
            for (a, b, r, s), some in matrices(images, start, stop, window, places, channels):
                back = g[a:b, r:s, :, group * per_group : (group + 1) * per_group]
                sums[part, group] += multiplied_back(some, back.reshape(len(some), per_group))

    shards.run_parts(body, cut)
    dw = sums.sum(axis=0).reshape(groups, kh, kw, c, per_group).transpose(0, 4, 3, 1, 2)
    return np.ascontiguousarray(dw).reshape(o, c, kh, kw)


def conv2d_input(weight: Any, grad: Any, window: Window, image: Pair) -> Any:
    """dx: what each window sends back to its pixels, added up image by image."""
    n, o, *found = grad.shape
    places = (found[0], found[1])
    c, (kh, kw) = weight.shape[1], window.size
    if turned(window) is not None and not kernel_is_one(window):
        return conv2d_backward(None, weight, grad, window, image, (True, False))[0]
    groups, per_group = window.groups, o // window.groups
    (top, bottom), (left, right) = window.padding
    (sh, sw), (dh, dw) = window.stride, window.dilation
    g = grad.transpose(0, 2, 3, 1)
    whole = kernel_is_one(window) and window.stride == (1, 1)
    dx = np.empty((n, *image, c * groups), grad.dtype)
    filters = [
        weight[group * per_group : (group + 1) * per_group]
        .transpose(0, 2, 3, 1)
        .reshape(per_group, kh * kw * c)
        for group in range(groups)
    ]

    def body(start: int, stop: int, part: int) -> None:
        for a, b, r, s in blocks(stop - start, places, kh * kw * c * grad.itemsize):
            sent, to = g[start + a : start + b, r:s], dx[start + a : start + b]
            if whole and groups == 1:
                rows = sent.reshape((b - a) * (s - r) * image[1], o)
                np.matmul(rows, filters[0], out=to[:, r:s].reshape(len(rows), c))
                continue
            if r == 0:
                shape = (b - a, image[0] + top + bottom, image[1] + left + right, c * groups)
                around = shards.scratch("around", shape, grad.dtype)
                around[...] = 0
            for group, matrix in enumerate(filters):
                back = sent[..., group * per_group : (group + 1) * per_group].reshape(-1, per_group)
                columns = back.dot(matrix).reshape(b - a, s - r, places[1], kh, kw, c)
                for i in range(kh):
                    for j in range(kw):
                        tap = around[
                            :,
                            i * dh + r * sh : i * dh + (s - 1) * sh + 1 : sh,
                            j * dw : j * dw + sw * (places[1] - 1) + 1 : sw,
                            group * c : (group + 1) * c,
                        ]
                        tap += columns[:, :, :, i, j]
            if s == places[0]:
                to[...] = around[:, top : top + image[0], left : left + image[1]]

    shards.run(body, n, least(window, places, c, o))
    return channels_first(dx)


def matrices(
    images: Any, start: int, stop: int, window: Window, places: Pair, channels: slice
) -> Iterator[tuple[Block, Any]]:
    """The windows of images from `start` to `stop`, block by block, each as the rows of a matrix (places, kh kw C).

    images (N, H, W, C), of which `channels` are taken. The matrix is scratch memory or, for windows of one pixel, the
    images themselves: read it, then ask for the next.
    """
    (kh, kw), c = window.size, channels.stop - channels.start
    (top, bottom), (left, right) = window.padding
    high, wide = images.shape[1] + top + bottom, images.shape[2] + left + right
    step = max(1, AROUND // max(high * wide * c * images.itemsize, 1))
    for first in range(start, stop, step):
        last = min(first + step, stop)
        some = images[first:last, :, :, channels]
        if window.padding != ((0, 0), (0, 0)):
            some = _with_zeros_around(some, window, high, wide)
        spread = _windows(some, window, places)
        for a, b, r, s in blocks(last - first, places, kh * kw * c * images.itemsize):
            part = spread[a:b, r:s]
            if (kh, kw) != (1, 1):
                part = _copied(part)
            yield (first + a, first + b, r, s), part.reshape((b - a) * (s - r) * places[1], kh * kw * c)


def multiply(rows: Any, matrix: Any, out: Any) -> None:
    """rows @ matrix into `out`, rows (…, M, K), matrix (…, K, N).

    OpenBLAS copies what it multiplies, which for few columns takes a third as long as the product itself. Only small
    products, up to a million multiplications, read the matrices where they lie; so M rows are cut in a stack of such,
    of which NumPy does all in one call. They go by twelve rows at a time, and want the matrix in their cache.
    """
    *several, count, inner = rows.shape
    n = matrix.shape[-1]
    few = SMALL // max(inner * n, 1) // 12 * 12
    if inner * n > FILTERS or not 12 <= few < count:
        np.matmul(rows, matrix, out=out)
        return
    height = count // few
    whole = height * few
    stack = out[..., :whole, :].reshape(*several, height, few, n)
    np.matmul(rows[..., :whole, :].reshape(*several, height, few, inner), matrix[..., None, :, :], out=stack)
    if whole < count:
        np.matmul(rows[..., whole:, :], matrix, out=out[..., whole:, :])


def multiplied_back(rows: Any, others: Any) -> Any:
    """rowsᵀ @ others, rows (M, K), others (M, N): as a sum over a stack of small products, see `multiply`."""
    count, inner = rows.shape
    n = others.shape[1]
    if inner * n * DEEP > SMALL or count < 2 * DEEP:
        return rows.T.dot(others)
    height = count // DEEP
    whole = height * DEEP
    stack = rows[:whole].reshape(height, DEEP, inner).transpose(0, 2, 1)
    total = np.add.reduce(np.matmul(stack, others[:whole].reshape(height, DEEP, n)), 0)
    if whole < count:
        total += rows[whole:].T.dot(others[whole:])
    return total


def blocks(count: int, places: Pair, row: int) -> Iterator[Block]:
    """`count` images in pieces whose windows, of `row` bytes each, fill a block: images, or bands of rows of one."""
    high, wide = places
    of_image = max(high * wide * row, 1)
    if of_image <= BLOCK:
        step = BLOCK // of_image
        for a in range(0, count, step):
            yield a, min(a + step, count), 0, high
        return
    step = max(1, BLOCK // max(wide * row, 1))
    for a in range(count):
        for r in range(0, high, step):
            yield a, a + 1, r, min(r + step, high)


def _with_zeros_around(images: Any, window: Window, high: int, wide: int) -> Any:
    """(N, H, W, C) with its padding, (N, high, wide, C), in scratch memory."""
    (top, bottom), (left, right) = window.padding
    n, _, _, c = images.shape
    around = shards.scratch("around", (n, high, wide, c), images.dtype)
    around[:, :top] = 0
    around[:, high - bottom :] = 0
    around[:, top : high - bottom, :left] = 0
    around[:, top : high - bottom, wide - right :] = 0
    around[:, top : high - bottom, left : wide - right] = images
    return around


def _windows(images: Any, window: Window, places: Pair) -> Any:
    """The windows of padded images (N, H, W, C) as a view (N, H', W', kh, kw C), or (N, H', W', kh, kw, C)."""
    spread = windows(images, window, places)
    c, item = images.shape[3], images.itemsize
    if window.dilation[1] == 1 and images.strides[2:] == (c * item, item):
        # A row of taps lies in one piece: fewer, longer copies.
        shape = (*spread.shape[:4], window.size[1] * c)
        return np.lib.stride_tricks.as_strided(spread, shape, (*spread.strides[:4], item))
    return spread


def _copied(spread: Any) -> Any:
    """Windows one after the other, in scratch memory."""
    matrix = shards.scratch("windows", spread.shape, spread.dtype)
    if spread.ndim == 5:
        copy_pixels(matrix, spread)
    else:
        np.copyto(matrix, spread)
    return matrix


def least(window: Window, places: Pair, c: int, o: int) -> int:
    """How many images are worth a thread."""
    work = places[0] * places[1] * window.size[0] * window.size[1] * c * o
    return max(1, -(-WORTH // max(work, 1)))


def kernel_is_one(window: Window) -> bool:
    """Is each window one pixel of the image, none of them in the padding?"""
    return window.size == (1, 1) and window.padding == ((0, 0), (0, 0))


def turned(window: Window) -> Window | None:
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
