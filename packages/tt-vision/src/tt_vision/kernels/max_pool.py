"""Max pooling: the greatest pixel of each window, and which of its taps was on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.channels import channels_first
from tt_vision.kernels.max_pool_pairs import are_pairs, max_pool2d_pairs
from tt_vision.kernels.taps import Tap, block_of, blocks, copy_pixels, least, none_of, taps
from tt_vision.window import Window

__all__ = ["max_pool2d", "max_pool2d_loops"]


def max_pool2d_loops(x: Any, window: Window, winners: bool = True) -> tuple[Any, Any]:
    """y[n, c, h, w] = max over the taps (i, j) of x[n, c, h s - p + i d, w s - p + j d], taps in the padding left out.

    Also gives the winner, i · kw + j of the tap that was on it: the first one of equals; the last NaN where there is
    any (both as in PyTorch); `none_of(window)` where no tap was on a pixel.
    """
    n, c, height, width = x.shape
    places = window.output((height, width), "max_pool")
    y = np.full((n, c, *places), lowest(x.dtype), x.dtype)
    won = np.full(y.shape, none_of(window), number_type(window))
    for image in range(n):
        for channel in range(c):
            for row in range(places[0]):
                for column in range(places[1]):
                    best = None
                    for i in range(window.size[0]):
                        for j in range(window.size[1]):
                            down = row * window.stride[0] - window.padding[0][0] + i * window.dilation[0]
                            right = column * window.stride[1] - window.padding[1][0] + j * window.dilation[1]
                            if not (0 <= down < height and 0 <= right < width):
                                continue
                            value = x[image, channel, down, right]
                            if best is None or value > best or math.isnan(value):
                                best = value
                                won[image, channel, row, column] = i * window.size[1] + j
                    if best is not None:
                        y[image, channel, row, column] = best
    return y, won if winners else None


def max_pool2d(x: Any, window: Window, winners: bool = True) -> tuple[Any, Any]:
    """The same for all places at once: first along each row, then down the columns.

    In this order the first of equals in row-major order wins by plain comparisons.
    """
    n, c, height, width = x.shape
    high, wide = window.output((height, width), "max_pool")
    if are_pairs(x, window, (high, wide)):
        return max_pool2d_pairs(x, (high, wide), winners)
    images = x.transpose(0, 2, 3, 1)
    y = np.empty((n, high, wide, c), x.dtype)
    won: Any = None
    if winners:
        won = np.empty(y.shape, number_type(window))
    right = taps(window, 1, width, 0, wide)
    nowhere = [uncovered(taps(window, 0, height, 0, high), high), uncovered(right, wide)]

    def body(start: int, stop: int, part: int) -> None:
        for a, b, r, s in blocks(start, stop, high, window.stride[0] * width * c * x.itemsize):
            out, winner = y[a:b, r:s], None if won is None else won[a:b, r:s]
            down = taps(window, 0, height, r, s)
            if not down or not right:
                out.fill(lowest(x.dtype))
                continue
            first = min(tap.pixels.start for tap in down)
            some = block_of(images, a, b, slice(first, max(tap.pixels.stop for tap in down)), "images")
            down = [
                Tap(number, places, slice(pixels.start - first, pixels.stop - first, pixels.step))
                for number, places, pixels in down
            ]
            _block(some, down, right, window.size[1], out, winner, False)
            # One pass tells whether there is any NaN; comparisons do not see those.
            if x.dtype.kind == "f" and np.isnan(out.min()):
                _block(some, down, right, window.size[1], out, winner, True)

    if y.size:
        shards.run(body, n, least((height, width), c))
    if won is not None:
        won[:, nowhere[0]] = none_of(window)
        won[:, :, nowhere[1]] = none_of(window)
        won = channels_first(won)
    return channels_first(y), won


def _block(x: Any, down: list[Tap], right: list[Tap], kw: int, y: Any, won: Any, nans: bool) -> None:
    """Of the images x (n, H, W, C) to y and the winners (n, H', W', C)."""
    n, high, wide, c = y.shape
    # To NumPy, a plain number would be one of `beats`, up to 255.
    kind = int if won is None else won.dtype.type
    if len(down) == 1 and down[0].places == slice(0, high):
        first = down[0].number * kw
        _race(x[:, down[0].pixels], right, 2, y, won, lambda tap: kind(first + tap.number), nans)
        return
    if len(right) == 1 and right[0].places == slice(0, wide):
        first = right[0].number
        _race(x[:, :, right[0].pixels], down, 1, y, won, lambda tap: kind(tap.number * kw + first), nans)
        return
    shape = (n, x.shape[1], wide, c)
    rows = shards.scratch("rows", shape, x.dtype)
    if won is None:
        _race(x, right, 2, rows, None, len, nans)
        _race(rows, down, 1, y, None, len, nans)
        return
    columns = shards.scratch("columns", shape, won.dtype)
    _race(x, right, 2, rows, columns, lambda tap: kind(tap.number), nans)

    def number(tap: Tap) -> Any:
        found = columns[:, tap.pixels]
        if tap.number == 0:
            return found
        # Two are held against each other, so each has memory of its own.
        memory = shards.scratch(f"numbers {tap.number % 2}", found.shape, won.dtype)
        return np.add(found, kind(tap.number * kw), out=memory)

    _race(rows, down, 1, y, won, number, nans)


def _race(
    x: Any, laps: list[Tap], axis: int, y: Any, won: Any, number: Callable[[Tap], Any], nans: bool
) -> None:
    """y = the greatest of what the taps are on along `axis`, won = number(tap) of the first tap that was on it.

    The numbers rise from tap to tap, so that of two the later one is the greater.
    """
    every = (slice(None),) * axis
    if all(tap.places == slice(0, y.shape[axis]) for tap in laps):
        best = columns_of(x, axis, laps[0].pixels, "first")
        held: Any = None if won is None else number(laps[0])
        laps = laps[1:]
        if not laps:
            y[...] = best
            if won is not None:
                won[...] = held
    else:
        best, held = y, won
        y.fill(lowest(y.dtype))
        if won is not None:
            for tap in reversed(laps):
                won[(*every, tap.places)] = number(tap)
    for tap in laps:
        here = (*every, tap.places)
        some = columns_of(x, axis, tap.pixels, "some")
        before = best[here] if best is y else best
        if won is not None:
            beats = shards.scratch("beats", some.shape, np.bool_)
            np.greater(some, before, out=beats)
            if nans:
                beats |= np.isnan(some)
            if held is won:
                new = shards.scratch("new", some.shape, won.dtype)
                np.multiply(beats.view(np.uint8), number(tap), out=new, casting="unsafe")
                np.maximum(won[here], new, out=won[here])
            else:
                np.multiply(beats.view(np.uint8), number(tap), out=won, casting="unsafe")
                if held.__class__ is np.ndarray or held:
                    np.maximum(won, held, out=won)
        np.maximum(before, some, out=y[here])
        best, held = y, won


def columns_of(x: Any, axis: int, pixels: slice, purpose: str) -> Any:
    """x (n, H, W, C) at `pixels` along `axis`.

    Every s-th column is copied: pixels that lie apart cost an inner loop each, which a copy of whole pixels saves.
    """
    if axis == 1:
        return x[:, pixels]
    some = x[:, :, pixels]
    if pixels.step == 1 or some.shape[2] < 2:
        return some
    copied = shards.scratch(purpose, some.shape, x.dtype)
    copy_pixels(copied, some)
    return copied


def number_type(window: Window) -> Any:
    """The smallest dtype that holds the numbers of all taps, and `none_of`."""
    return np.min_scalar_type(none_of(window))


def lowest(dtype: Any) -> Any:
    """What every pixel beats, or equals."""
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def uncovered(laps: list[Tap], count: int) -> list[int]:
    """The places along an axis at which no tap is on a pixel; a dilated window can step over an image."""
    left = set(range(count))
    for tap in laps:
        left.difference_update(range(tap.places.start, tap.places.stop))
    return sorted(left)
