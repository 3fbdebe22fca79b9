# mypy: disable-error-code="no-untyped-def"
"""What Winograd's convolution must know of its pixels: which are zero, and whether some dwarf others.

A tile's results are sums of numbers that hold all of its pixels and cancel where a result does not depend on them, up
to the rounding of the largest. So

* a place that sees nothing but zeros is set to 0 (`windows_seen`), and
* where a row or a column of an image dwarfs another of its tile, another kernel has to do it (`even`).

Images are flat (N, H, W, C), pixels are looked at when a block of them is about to be read. `squares` is (N, H + W),
Σ x² of each row and each column of an image. `there` is (images, H + 4, W + 4) bytes, 1 for a pixel that is not zero,
in a frame of zeros, as wide as the padding that `winograd` takes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import (
    LANES,
    any_at_all,
    front,
    lined_up,
    load,
    load_some,
    pick,
    piece,
    spread,
    store,
    total,
    where_small,
)

__all__ = ["CONTRAST", "FRAME", "even", "squares_of_greatest", "squares_of_pixels", "windows_seen"]

CONTRAST = 1e6
"""How many times the sum of squares of one row or column may be that of another that it is mixed with."""

FRAME = 2
"""Zeros around `there`."""


@piece
def place_in(height: Any, width: Any, image: Any, row: Any, column: Any) -> Any:
    """Of a pixel in `there`."""
    return (image * (height + 2 * FRAME) + row + FRAME) * (width + 2 * FRAME) + column + FRAME


@piece
def hold(columns: Any, column: Any, squares: Any) -> None:
    """Add to what a column has so far."""
    store(columns, column * LANES, load(columns, column * LANES) + squares)


@jit("boolean(float32[::1], int64[::1], int64, int64, int64, int64, float32[::1], uint8[::1])")
def squares_of_pixels(x, shape, first, last, start, stop, squares, there):
    """Look at the rows from start to stop of the images from first to last: are all pixels other than zero?

    `shape` is H, W, C and more. `squares` is zero before, `there` holds the images from first on.
    """
    height, width, c = shape[0], shape[1], shape[2]
    columns = np.empty(width * LANES, np.float32)
    full = True
    for image in range(first, last):
        of_image = image * (height + width)
        columns[:] = 0
        for row in range(start, stop):
            along = spread(np.float32(0))
            place = place_in(height, width, image - first, row, 0)
            for column in range(width):
                at = ((image * height + row) * width + column) * c
                one = spread(np.float32(0))
                for channel in range(0, c, LANES):
                    z = load_some(front(c - channel), x, at + channel)
                    one = one + z * z
                along = along + one
                hold(columns, column, one)
                found = any_at_all(one)
                if not found:  # the square of a tiny number is 0, too
                    for channel in range(c):
                        found = found or x[at + channel] != 0
                    full = full and found
                there[place + column] = found
            squares[of_image + row] = total(along)
        for column in range(width):
            squares[of_image + height + column] += total(load(columns, column * LANES))
    return full


@jit("boolean(float32[::1], uint8[::1], int64[::1], int64, int64, int64, int64, float32[::1], uint8[::1])")
def squares_of_greatest(g, won, shape, first, last, start, stop, squares, there):
    """The same for gradients g (N, H / 2, W / 2, C) of what was pooled, as far as `won` (N, H / 2, W / 2, C') has them.

    `shape` is that before the pooling, start and stop are even.
    """
    height, width, c = shape[0], shape[1], shape[2]
    many = lined_up(c)
    nothing = spread(np.float32(0))
    columns = np.empty(width * LANES, np.float32)
    full = True
    for image in range(first, last):
        of_image = image * (height + width)
        columns[:] = 0
        for row in range(start, stop):
            along = nothing
            place = place_in(height, width, image - first, row, 0)
            for column in range(width):
                pixel = (image * (height // 2) + row // 2) * (width // 2) + column // 2
                way = 2 * (row % 2) + column % 2
                one = nothing
                for channel in range(0, c, LANES):
                    z = load_some(front(c - channel), g, pixel * c + channel)
                    z = pick(where_small(won, pixel * many + channel, way), z, nothing)
                    one = one + z * z
                along = along + one
                hold(columns, column, one)
                found = any_at_all(one)
                if not found:
                    for channel in range(c):
                        found = found or (won[pixel * many + channel] == way and g[pixel * c + channel] != 0)
                    full = full and found
                there[place + column] = found
            squares[of_image + row] = total(along)
        for column in range(width):
            squares[of_image + height + column] += total(load(columns, column * LANES))
    return full


@jit("boolean(uint8[::1], int64, int64, int64, int64, int64, int64, int64, int64, int64, uint8[::1])")
def windows_seen(there, height, width, images, down, right, start, stop, high, wide, seen):
    """Which places (images, H', W') see a pixel (H, W) that is not zero, in the rows from start to stop; not all do?

    Place (i, j) sees those from (i - down, j - right) on, three by three.
    """
    line = width + 2 * FRAME
    every = np.uint8(1)
    for image in range(images):
        for i in range(start, stop):
            from_there = (image * (height + 2 * FRAME) + i + FRAME - down) * line + FRAME - right
            to_seen = (image * high + i) * wide
            for j in range(wide):
                at = from_there + j
                one = (
                    there[at] | there[at + 1] | there[at + 2]
                    | there[at + line] | there[at + line + 1] | there[at + line + 2]
                    | there[at + 2 * line] | there[at + 2 * line + 1] | there[at + 2 * line + 2]
                )  # fmt: skip
                seen[to_seen + j] = one
                every &= one
    return every == 0


@piece
def of_seen(z: Any, seen: Any, at: Any) -> Any:
    """z where that place sees something, else 0."""
    return z if seen[at] != 0 else spread(np.float32(0))


@jit("boolean(float32[:, ::1], int64, int64, int64, int64, float32, float32[::1])")
def contrasts(squares, begin, size, first, reach, most, worst):
    """The greatest square of each image in a tile with another that it dwarfs, to `worst`, else 0; is there one?

    Of squares[:, begin : begin + size], tiles begin at first, first + 4, … and are `reach` long. Zeros do not count.
    """
    some = False
    for image in range(len(squares)):
        worst[image] = 0
        high, low = np.float32(0), np.float32(np.inf)
        for i in range(begin, begin + size):
            one = squares[image, i]
            high = max(high, one)
            if one > 0:
                low = min(low, one)
        if high <= most * low:
            continue  # so it is nearly always
        for tile in range(first, size, 4):
            high, low = np.float32(0), np.float32(np.inf)
            for i in range(max(tile, 0), min(tile + reach, size)):
                one = squares[image, begin + i]
                high = max(high, one)
                if one > 0:
                    low = min(low, one)
            if high > most * low:
                worst[image] = max(worst[image], high)
                some = True
    return some


def even(squares: Any, image: tuple[int, int], first: tuple[int, int], reach: int) -> bool:
    """Does no row, and no column, of an image (H, W) dwarf another of its tile?

    Zeros do not count, nor does one that is tiny beside others as large as most of its image.

    Args:
        squares: (N, H + W).
        first: where the first tile begins, 0 or less; others do so every fourth pixel.
        reach: how long a tile is.
    """
    worst = np.empty(len(squares), np.float32)
    begin = 0
    for size, start in zip(image, first, strict=True):
        if contrasts(squares, begin, size, start, reach, CONTRAST, worst):
            for uneven in np.flatnonzero(worst):
                own = squares[uneven, begin : begin + size]
                if worst[uneven] > CONTRAST * np.median(own[own > 0]):
                    return False
        begin += size
    return True
