"""Convolution where each channel has one filter of its own (groups = C): products of numbers, not of matrices.

A tap of all windows is a view of the images, as large as what comes out. So y is the sum of kh · kw such views, each
times one number a channel; on the way back the views collect the gradient times the same numbers. Each thread takes as
many images at a time as a cache holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.channels import channels_first
from tt_vision.window import Pair, Window

__all__ = ["conv2d", "conv2d_backward", "suits"]

BLOCK = 1 << 19
"""Bytes of images at a time: with what comes out and one product, they stay in a level-2 cache."""

WORTH = 1 << 20
"""Products of numbers that are worth a thread."""


def suits(window: Window, filters: int, channels: int) -> bool:
    """Has each of so many channels one filter of its own, and is there more than one?"""
    return 1 < window.groups == filters == channels


def conv2d(x: Any, weight: Any, bias: Any, window: Window) -> Any:
    """y = Σ over taps of (the images, moved by the tap) · weight[tap], + b."""
    n, c, *image = x.shape
    places = window.output((image[0], image[1]), "conv2d")
    y = np.empty((n, *places, c), x.dtype)
    rows = _rows(weight, places)

    def block(a: int, b: int, part: int) -> None:
        around = _around(x[a:b], window)
        out = y[a:b]
        product = shards.scratch("products", out.shape, x.dtype)
        for at, tap in enumerate(_taps(around, window, places)):
            if at == 0:
                np.multiply(tap, rows[0], out=out)
            else:
                np.multiply(tap, rows[at], out=product)
                out += product
        if bias is not None:
            out += bias

    _in_blocks(block, x.shape, window, shards.parts(n, _least(x.shape, window)), x.itemsize)
    return channels_first(y)


def conv2d_backward(
    x: Any, weight: Any, grad: Any, window: Window, image: Pair, needs: tuple[bool, bool]
) -> tuple[Any, Any]:
    """d(tap) = grad · weight[tap], added up in the images; dweight[tap] = Σ tap · grad."""
    n, c, *found = grad.shape
    places, taps = (found[0], found[1]), window.size[0] * window.size[1]
    shape = (n, c, *image)
    (top, bottom), (left, right) = window.padding
    cut = shards.parts(n, _least(shape, window))
    dx = np.empty((n, *image, c), grad.dtype) if needs[0] else None
    sums = np.zeros((len(cut), taps, c), grad.dtype) if needs[1] else None
    rows = _rows(weight, places) if needs[0] else None

    def block(a: int, b: int, part: int) -> None:
        g = np.ascontiguousarray(grad[a:b].transpose(0, 2, 3, 1))
        product = shards.scratch("products", g.shape, g.dtype)
        if sums is not None:
            ones = np.ones(product.size // c, g.dtype)
            for at, tap in enumerate(_taps(_around(x[a:b], window), window, places)):
                np.multiply(tap, g, out=product)
                sums[part, at] += ones.dot(product.reshape(-1, c))
        if dx is not None:
            around = shards.scratch(
                "around", (b - a, image[0] + top + bottom, image[1] + left + right, c), g.dtype
            )
            around[...] = 0
            for at, tap in enumerate(_taps(around, window, places)):
                np.multiply(g, rows[at], out=product)  # type: ignore[index]
                tap += product
            dx[a:b] = around[:, top : top + image[0], left : left + image[1]]

    _in_blocks(block, shape, window, cut, grad.itemsize)
    dw = None if sums is None else np.ascontiguousarray(sums.sum(axis=0).T).reshape(c, 1, *window.size)
    return None if dx is None else channels_first(dx), dw


def _in_blocks(
    block: Callable[[int, int, int], None],
    shape: tuple[int, ...],
    window: Window,
    cut: list[tuple[int, int]],
    itemsize: int,
) -> None:
    """block(a, b, part) for the images of each part, so many at a time as BLOCK holds."""
    padded = [size + sum(padding) for size, padding in zip(shape[2:], window.padding, strict=True)]
    step = max(1, BLOCK // (shape[1] * padded[0] * padded[1] * itemsize))

    def body(start: int, stop: int, part: int) -> None:
        for a in range(start, stop, step):
            block(a, min(a + step, stop), part)

    shards.run_parts(body, cut)


def _around(x: Any, window: Window) -> Any:
    """Images (N, C, H, W) as (N, H + padding, W + padding, C), in scratch memory where there is padding."""
    (top, bottom), (left, right) = window.padding
    n, c, height, width = x.shape
    images = x.transpose(0, 2, 3, 1)
    if window.padding == ((0, 0), (0, 0)):
        return images
    around = shards.scratch("around", (n, height + top + bottom, width + left + right, c), x.dtype)
    around[...] = 0
    around[:, top : top + height, left : left + width] = images
    return around


def _taps(around: Any, window: Window, places: Pair) -> list[Any]:
    """Of padded images (N, H, W, C) what each tap of the window sees, as views (N, H', W', C)."""
    (kh, kw), (sh, sw), (dh, dw) = window.size, window.stride, window.dilation
    high, wide = (places[0] - 1) * sh + 1, (places[1] - 1) * sw + 1
    return [
        around[:, i * dh : i * dh + high : sh, j * dw : j * dw + wide : sw]
        for i in range(kh)
        for j in range(kw)
    ]


def _rows(weight: Any, places: Pair) -> Any:
    """(C, 1, kh, kw) as (kh kw, W', C): a tap's numbers for a whole row of places, so that NumPy's loops are long."""
    c = len(weight)
    numbers = weight.reshape(c, -1).T[:, None]
    return np.ascontiguousarray(np.broadcast_to(numbers, (numbers.shape[0], places[1], c)))


def _least(shape: tuple[int, ...], window: Window) -> int:
    """How many images are worth a thread."""
    work = shape[1] * shape[2] * shape[3] * window.size[0] * window.size[1]
    return max(1, -(-WORTH // work))
