"""Rows and columns apart: y = R x Cᵀ for every image and channel, with two sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.axis_map import AxisMap, Piece
from tt_vision.channels import channels_first
from tt_vision.kernels.taps import block_of, copy_pixels, least

__all__ = ["divided", "separable", "separable_loops"]

BLOCK = 1 << 19
"""Bytes of a block of images, before or after, whichever is more."""

STRETCH = 32
"""So many pixels are added up in one go."""


def separable_loops(x: Any, rows: AxisMap, columns: AxisMap) -> Any:
    """y[n, c, h, w] = Σ a · b · x[n, c, i, j] over the entries (h, i, a) of the rows and (w, j, b) of the columns."""
    y = np.zeros((*x.shape[:2], rows.places, columns.places), x.dtype)
    for image in range(x.shape[0]):
        for channel in range(x.shape[1]):
            for h, i, a in rows.entries:
                for w, j, b in columns.entries:
                    factor = a * b
                    value = x[image, channel, i, j]
                    y[image, channel, h, w] += value if factor == 1 else factor * float(value)
    return y


def separable(x: Any, rows: AxisMap, columns: AxisMap) -> Any:
    """The same in pieces along each axis, block by block; first along the axis that leaves less to do."""
    return divided(x, rows, columns)


def divided(x: Any, rows: AxisMap, columns: AxisMap, before: Any = None, after: Any = None) -> Any:
    """`separable`, with x divided by `before` and y by `after`: numbers, or one for each pixel or place (H, W, 1)."""
    n, c, height, width = x.shape
    images = x.transpose(0, 2, 3, 1)
    y = np.empty((n, rows.places, columns.places, c), x.dtype)
    size = max(height * width, rows.places * columns.places) * c * x.itemsize
    step = max(1, BLOCK // max(size, 1))

    def body(start: int, stop: int, part: int) -> None:
        for a in range(start, stop, step):
            some = block_of(images, a, min(a + step, stop), slice(None), "images")
            if before is not None:
                some = np.divide(some, before, out=shards.scratch("divided", some.shape, x.dtype))
            made = y[a : a + len(some)]
            _both(some, rows, columns, made)
            if after is not None:
                made /= after

    if y.size and x.size:
        shards.run(body, n, least((height + rows.places, width + columns.places), c))
    else:
        y.fill(0)
    return channels_first(y)


def _both(x: Any, rows: AxisMap, columns: AxisMap, y: Any) -> None:
    """y (n, H', W', C) of x (n, H, W, C)."""
    n, height, width, c = x.shape
    if rows.cut is not None:
        _along(x[:, rows.cut], columns, 2, y)
    elif rows.places <= rows.pixels:
        between = shards.scratch("between", (n, rows.places, width, c), x.dtype)
        _along(x, rows, 1, between)
        _along(between, columns, 2, y)
    else:
        pieces, zero = rows.pieces
        if pieces and pieces[0].pixels == slice(0, height, 1) and all(map(_is_copy, pieces)):
            # Some rows of y are all rows of the image; each other one is like one of them.
            every_row = y[:, pieces[0].places]
            _along(x, columns, 2, every_row)
            for places in zero:
                y[:, places] = 0
            for piece in pieces[1:]:
                y[:, piece.places] = every_row[:, piece.pixels]
            return
        between = shards.scratch("between", (n, height, columns.places, c), x.dtype)
        _along(x, columns, 2, between)
        _along(between, rows, 1, y)


def _along(x: Any, axis_map: AxisMap, axis: int, y: Any) -> None:
    """y = the map's matrix · x along `axis` (1 or 2) of images (n, H, W, C)."""
    every = (slice(None),) * axis
    if axis_map.sums is not None:
        for place, pixels in enumerate(axis_map.sums):
            _sum(x, axis, pixels, y[(*every, place)])
        return
    copied = axis_map.transposed.sums
    if copied is not None:
        borders = [
            0,
            *(border for places in copied for border in (places.start, places.stop)),
            axis_map.places,
        ]
        once = borders[::2] == borders[1::2]  # each begins where the one before ends
        if not once:
            y.fill(0)
        for pixel, places in enumerate(copied):
            target, some = y[(*every, places)], x[(*every, slice(pixel, pixel + 1))]
            if once:
                target[...] = some
            else:
                target += some
        return
    pieces, zero = axis_map.pieces
    for places in zero:
        y[(*every, places)] = 0
    waiting = None
    for index, piece in enumerate(pieces):
        after = pieces[index + 1] if index + 1 < len(pieces) else None
        some = _part(x, piece, axis, "second" if waiting is not None else "first")
        target = y[(*every, piece.places)]
        if waiting is not None:
            np.add(waiting, some, out=target)
            waiting = None
        elif _is_sum(piece, after):
            waiting = some
        elif piece.places.__class__ is not slice:
            y[(*every, piece.places)] = target + some if piece.adds else some
        elif piece.adds:
            target += some
        elif axis == 2 and piece.places.step > 1:
            copy_pixels(target, some)
        else:
            target[...] = some


def _sum(x: Any, axis: int, pixels: slice, out: Any) -> None:
    """out = Σ of x at `pixels` along `axis`: stretch by stretch, as one long sum would lose digits."""
    for first in range(pixels.start, pixels.stop, STRETCH):
        some = x[(slice(None),) * axis + (slice(first, min(first + STRETCH, pixels.stop)),)]
        if axis == 1:
            # BLAS adds up rows in one pass.
            n, height, width, c = some.shape
            rows = some.reshape(n, height, width * c)
            total = np.matmul(np.ones((1, height), x.dtype), rows).reshape(out.shape)
        else:
            total = np.add.reduce(some, axis)
        if first == pixels.start:
            out[...] = total
        else:
            out += total


def _part(x: Any, piece: Piece, axis: int, purpose: str) -> Any:
    """weight · x at the pixels of the piece.

    Columns that lie apart are copied: an inner loop for each would cost more than a copy of whole pixels.
    """
    some = x[(slice(None),) * axis + (piece.pixels,)]
    if axis == 2 and piece.pixels.__class__ is slice and piece.pixels.step > 1:
        together = shards.scratch(purpose, some.shape, x.dtype)
        copy_pixels(together, some)
        some = together
    weight = piece.weight
    if weight is None:
        return some
    if weight.__class__ is np.ndarray:
        weight = weight.astype(x.dtype).reshape(-1, *(1,) * (3 - axis))
    return np.multiply(some, weight, out=shards.scratch(purpose, some.shape, x.dtype))


def _is_copy(piece: Piece) -> bool:
    return piece.weight is None and not piece.adds and piece.places.__class__ is slice


def _is_sum(piece: Piece, after: Piece | None) -> bool:
    """Do the two make a plain sum, so that nothing need be stored in between?"""
    return (
        after is not None
        and after.adds
        and not piece.adds
        and piece.places.__class__ is slice
        and after.places.__class__ is slice
        and piece.places == after.places
    )
