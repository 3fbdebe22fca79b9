"""Rows and columns apart: y = R x Cᵀ for every image and channel, with two sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.axis_map import AxisMap
from tt_vision.channels import channels_first
from tt_vision.kernels.taps import block_of, copy_pixels, least

__all__ = ["divided", "separable", "separable_loops"]

BLOCK = 1 << 18
"""Bytes of a block of images, before or after, whichever is more."""


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
    down_first = rows.places <= rows.pixels
    middle = (rows.places, width, c) if down_first else (height, columns.places, c)
    size = max(height * width, rows.places * columns.places) * c * x.itemsize
    step = max(1, BLOCK // max(size, 1))

    def body(start: int, stop: int, part: int) -> None:
        for a in range(start, stop, step):
            b = min(a + step, stop)
            some = block_of(images, a, b, slice(None), "images")
            if before is not None:
                some = np.divide(some, before, out=shards.scratch("divided", some.shape, x.dtype))
            if rows.is_identity:
                _along(some, columns, 2, y[a:b])
            elif columns.is_identity:
                _along(some, rows, 1, y[a:b])
            else:
                between = shards.scratch("between", (b - a, *middle), x.dtype)
                _along(some, rows if down_first else columns, 1 if down_first else 2, between)
                _along(between, columns if down_first else rows, 2 if down_first else 1, y[a:b])
            if after is not None:
                y[a:b] /= after

    if y.size and x.size:
        shards.run(body, n, least((height + rows.places, width + columns.places), c))
    else:
        y.fill(0)
    return channels_first(y)


def _along(x: Any, axis_map: AxisMap, axis: int, y: Any) -> None:
    """y = the map's matrix · x along `axis` (1 or 2) of images (n, H, W, C)."""
    every = (slice(None),) * axis
    pieces, zero = axis_map.pieces
    for places in zero:
        y[(*every, places)] = 0
    for piece in pieces:
        here = (*every, piece.places)
        apart = axis == 2 and (_apart(piece.pixels) or _apart(piece.places))
        some = x[(*every, piece.pixels)]
        weight = piece.weight
        if weight.__class__ is np.ndarray:
            weight = weight.astype(x.dtype).reshape(-1, *(1,) * (3 - axis))
        if apart and _apart(piece.pixels) and piece.pixels.__class__ is slice:
            # An inner loop for each pixel costs more than a copy of whole pixels.
            together = shards.scratch("together", some.shape, x.dtype)
            copy_pixels(together, some)
            some = together
        if weight is not None:
            weighted = shards.scratch("weighted", some.shape, x.dtype)
            some = np.multiply(some, weight, out=weighted)
        if piece.adds:
            y[here] += some
        elif apart and piece.places.__class__ is slice:
            copy_pixels(y[here], some)
        else:
            y[here] = some


def _apart(index: Any) -> bool:
    """Does it name pixels that are not side by side?"""
    return index.__class__ is not slice or index.step != 1
