"""Taps: where the pixels of a window are, one tap after the other, as slices over all places at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tt_nn import shards
from tt_vision.window import Pair, Window

__all__ = ["Tap", "block_of", "blocks", "copy_pixels", "least", "none_of", "taps"]

BLOCK = 1 << 21
"""Bytes of the images of a block: with what is made of them, they stay in a level-2 cache."""

WORTH = 1 << 18
"""Pixels (of one channel) that are worth a thread."""


class Tap(NamedTuple):
    """Tap `number` of a window along one axis: at `places` it is on `pixels`; elsewhere it is in the padding."""

    number: int
    places: slice
    pixels: slice


def taps(window: Window, axis: int, length: int, first: int, last: int) -> list[Tap]:
    """The taps along `axis` of images with `length` pixels that are on one at any of the places first … last - 1.

    The places are counted from `first` on.
    """
    stride, dilation, before = window.stride[axis], window.dilation[axis], window.padding[axis][0]
    found = []
    for number in range(window.size[axis]):
        offset = number * dilation - before
        start = max(first, -(offset // stride))
        stop = min(last, (length - 1 - offset) // stride + 1)
        if start < stop:
            pixels = slice(start * stride + offset, (stop - 1) * stride + offset + 1, stride)
            found.append(Tap(number, slice(start - first, stop - first), pixels))
    return found


def none_of(window: Window) -> int:
    """The number that stands for no tap."""
    return window.size[0] * window.size[1]


def blocks(start: int, stop: int, high: int, row: int) -> Iterator[tuple[int, int, int, int]]:
    """Images from `start` to `stop`, each `high` rows of `row` bytes, in pieces that a cache holds.

    Gives (a, b, r, s): the rows r … s - 1 of the images a … b - 1.
    """
    of_image = max(high * row, 1)
    if of_image <= BLOCK:
        step = BLOCK // of_image
        for a in range(start, stop, step):
            yield a, min(a + step, stop), 0, high
        return
    step = max(1, BLOCK // max(row, 1))
    for a in range(start, stop):
        for r in range(0, high, step):
            yield a, a + 1, r, min(r + step, high)


def block_of(images: Any, a: int, b: int, rows: slice, purpose: str) -> Any:
    """images[a:b, rows] of (N, H, W, C) with the channels side by side: as they are, or copied to scratch memory."""
    some = images[a:b, rows]
    n, high, wide, c = some.shape
    item = some.itemsize
    if some.strides[2] == c * item and (c == 1 or some.strides[3] == item):
        return some
    copied = shards.scratch(purpose, (n, high, wide, c), some.dtype)
    np.copyto(copied, some)
    return copied


def copy_pixels(target: Any, source: Any) -> None:
    """target = source, both (…, C) with the channels side by side: a pixel is moved as one thing."""
    if source.shape[-1]:
        pixel = np.dtype((np.void, source.shape[-1] * source.itemsize))
        np.copyto(target.view(pixel), source.view(pixel))


def least(image: Pair, channels: int) -> int:
    """How many images are worth a thread."""
    return max(1, -(-WORTH // max(image[0] * image[1] * channels, 1)))
