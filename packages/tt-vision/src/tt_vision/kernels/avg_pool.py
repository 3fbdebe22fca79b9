"""Average pooling: the sum of what is under each window, over a count.

Which pixels a place sums is said by its row's and its column's entries, so windows may be of any sizes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_vision.axis_map import AxisMap
from tt_vision.channels import channels_first
from tt_vision.kernels.separable import divided
from tt_vision.kernels.taps import block_of, least

__all__ = ["avg_pool2d", "avg_pool2d_backward", "avg_pool2d_backward_loops", "avg_pool2d_loops"]

BLOCK = 1 << 19
"""Bytes of a block of images where each is one window."""

RUN = 256
"""So many pixels are added up in one go."""


def avg_pool2d_loops(x: Any, rows: AxisMap, columns: AxisMap, counts: Any) -> Any:
    """y[n, c, h, w] = Σ x[n, c, i, j] / counts[h, w] over the pixels (i, j) of place (h, w)."""
    y = np.zeros((*x.shape[:2], rows.places, columns.places), x.dtype)
    for image in range(x.shape[0]):
        for channel in range(x.shape[1]):
            for h in range(rows.places):
                for w in range(columns.places):
                    total = 0.0
                    for i in _pixels(rows, h):
                        for j in _pixels(columns, w):
                            total += float(x[image, channel, i, j])
                    y[image, channel, h, w] = total / float(counts[h, w])
    return y


def avg_pool2d_backward_loops(grad: Any, rows: AxisMap, columns: AxisMap, counts: Any) -> Any:
    """dx[n, c, i, j] = Σ grad[n, c, h, w] / counts[h, w] over the places (h, w) that sum the pixel (i, j)."""
    dx = np.zeros((*grad.shape[:2], rows.pixels, columns.pixels))
    for image in range(grad.shape[0]):
        for channel in range(grad.shape[1]):
            for h in range(rows.places):
                for w in range(columns.places):
                    share = float(grad[image, channel, h, w]) / float(counts[h, w])
                    for i in _pixels(rows, h):
                        for j in _pixels(columns, w):
                            dx[image, channel, i, j] += share
    return dx.astype(grad.dtype)


def _pixels(axis_map: AxisMap, place: int) -> list[int]:
    return [pixel for at, pixel, _ in axis_map.entries if at == place]


def avg_pool2d(x: Any, rows: AxisMap, columns: AxisMap, counts: Any) -> Any:
    """The same along rows and columns apart; a window that is the whole image is one product with ones."""
    if not (_is_all(rows) and _is_all(columns) and x.size):
        return divided(x, rows, columns, after=_divisor(counts, x.dtype))
    n, c, height, width = x.shape
    images = x.transpose(0, 2, 3, 1)
    y = np.empty((n, 1, 1, c), x.dtype)
    pixels = height * width
    step = max(1, BLOCK // (pixels * c * x.itemsize))

    def body(start: int, stop: int, part: int) -> None:
        for a in range(start, stop, step):
            some = block_of(images, a, min(a + step, stop), slice(None), "images").reshape(-1, pixels, c)
            y[a : a + len(some), 0, 0] = _sums(some) / counts[0, 0]

    shards.run(body, n, least((height, width), c))
    return channels_first(y)


def _sums(rows: Any) -> Any:
    """Σ over the pixels of (n, pixels, C), in float64.

    A product with ones adds up a run in BLAS, in one pass and without a temporary; a short one loses no digits.
    """
    n, pixels, c = rows.shape
    whole = pixels - pixels % RUN
    ones = np.ones((1, RUN), rows.dtype)
    sums = np.matmul(ones[:, : pixels - whole], rows[:, whole:])[:, 0].astype(np.float64)
    if whole:
        runs = rows[:, :whole].reshape(n, whole // RUN, RUN, c)
        sums += np.matmul(ones, runs).sum(axis=(1, 2), dtype=np.float64)
    return sums


def avg_pool2d_backward(grad: Any, rows: AxisMap, columns: AxisMap, counts: Any) -> Any:
    """The same along rows and columns apart."""
    divisor = _divisor(counts, grad.dtype)
    if not (_is_all(rows) and _is_all(columns) and grad.size):
        return divided(grad, rows.transposed, columns.transposed, before=divisor)
    n, c = grad.shape[:2]
    dx = np.empty((n, rows.pixels, columns.pixels, c), grad.dtype)
    shares = np.ascontiguousarray(grad[:, :, 0, 0]) / divisor.reshape(())

    def body(start: int, stop: int, part: int) -> None:
        for a in range(start, stop):
            row = np.tile(shares[a], columns.pixels)
            dx[a].reshape(rows.pixels, row.size)[...] = row

    shards.run(body, n, least((rows.pixels, columns.pixels), c))
    return channels_first(dx)


def _is_all(axis_map: AxisMap) -> bool:
    """Does one place sum every pixel?"""
    return axis_map.places == 1 and len(axis_map.entries) == axis_map.pixels


def _divisor(counts: Any, dtype: Any) -> Any:
    """The counts as what (n, H', W', C) is divided by; one number where they are all the same."""
    if counts.size and (counts == counts[0, 0]).all():
        return np.array(counts[0, 0], dtype)
    return counts[:, :, None].astype(dtype)
