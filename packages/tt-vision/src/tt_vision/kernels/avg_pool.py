"""Average pooling: the sum of what is under each window, over a count.

Which pixels a place sums is said by its row's and its column's entries, so windows may be of any sizes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_vision.axis_map import AxisMap
from tt_vision.kernels.separable import divided

__all__ = ["avg_pool2d", "avg_pool2d_backward", "avg_pool2d_backward_loops", "avg_pool2d_loops"]


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
    """The same along rows and columns apart."""
    return divided(x, rows, columns, after=_divisor(counts, x.dtype))


def avg_pool2d_backward(grad: Any, rows: AxisMap, columns: AxisMap, counts: Any) -> Any:
    """The same along rows and columns apart."""
    return divided(grad, rows.transposed, columns.transposed, before=_divisor(counts, grad.dtype))


def _divisor(counts: Any, dtype: Any) -> Any:
    """The counts as what (n, H', W', C) is divided by; one number where they are all the same."""
    if counts.size and (counts == counts[0, 0]).all():
        return np.array(counts[0, 0], dtype)
    return counts[:, :, None].astype(dtype)
