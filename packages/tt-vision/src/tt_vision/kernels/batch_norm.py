"""Batch normalisation: the loops that define it, then all channels at once, then block by block.

x is (N, C, P), P pixels of N images. All kernels have one signature:

    batch_norm(x, weight, bias, eps, given=None) -> y, mean, variance
    batch_norm_backward(grad, x, weight, mean, scale, through, needs) -> dx, dweight, dbias

`given` is (mean, variance) to normalise with in place of the batch's own, and `through` says that the batch's own were
used, so that a part of the gradient goes through them. Mean, variance and scale = 1 / √(variance + eps) are float64.
What `needs` does not ask for is None. Weight and bias may be None.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_vision.kernels.long_rows import LongRows
from tt_vision.kernels.rows import empty, far

__all__ = [
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_backward_blocked",
    "batch_norm_backward_loops",
    "batch_norm_backward_whole",
    "batch_norm_blocked",
    "batch_norm_loops",
    "batch_norm_whole",
    "center_of",
    "inverse_root",
]

FEW, FEW_ROWS = 1 << 16, 1 << 9
"""Elements and rows up to which all channels at once are quicker than blocks."""

Needs = tuple[bool, bool, bool]


def batch_norm_loops(x: Any, weight: Any, bias: Any, eps: float, given: Any = None) -> tuple[Any, Any, Any]:
    """Channel by channel, over its M = N P values: m = Σ x / M, v = Σ (x - m)² / M.

    y = (x - m) / √(v + eps) · w + b.
    """
    n, c, p = x.shape
    y = np.empty(x.shape, x.dtype)
    mean, variance = np.zeros((2, c)) if given is None else given
    for channel in range(c):
        if given is None:
            values = [float(x[image, channel, pixel]) for image in range(n) for pixel in range(p)]
            mean[channel] = sum(values) / len(values)
            variance[channel] = sum((value - mean[channel]) ** 2 for value in values) / len(values)
        r = float(inverse_root(variance[channel] + eps))
        w = 1.0 if weight is None else float(weight[channel])
        b = 0.0 if bias is None else float(bias[channel])
        for image in range(n):
            for pixel in range(p):
                y[image, channel, pixel] = (float(x[image, channel, pixel]) - mean[channel]) * r * w + b
    return y, mean, variance


def batch_norm_backward_loops(
    grad: Any, x: Any, weight: Any, mean: Any, scale: Any, through: bool, needs: Needs
) -> tuple[Any, Any, Any]:
    """With x̂ = (x - m) r: dw = Σ g x̂, db = Σ g, dx = w r (g - (db + x̂ dw) / M), or w r g where m and r were given."""
    n, c, p = x.shape
    dx = np.empty(x.shape, x.dtype)
    dw, db = np.zeros((2, c), x.dtype)
    for channel in range(c):
        m, r = float(mean[channel]), float(scale[channel])
        w = 1.0 if weight is None else float(weight[channel])
        along = total = 0.0
        for image in range(n):
            for pixel in range(p):
                g = float(grad[image, channel, pixel])
                total += g
                along += g * (float(x[image, channel, pixel]) - m) * r
        dw[channel], db[channel] = along, total
        for image in range(n):
            for pixel in range(p):
                g = float(grad[image, channel, pixel])
                if through:
                    g -= (total + (float(x[image, channel, pixel]) - m) * r * along) / (n * p)
                dx[image, channel, pixel] = w * r * g
    return dx if needs[0] else None, dw if needs[1] else None, db if needs[2] else None


def batch_norm_whole(x: Any, weight: Any, bias: Any, eps: float, given: Any = None) -> tuple[Any, Any, Any]:
    """All channels at once: the mean goes first, and what a rounded mean leaves over goes after it."""
    n, c, p = x.shape
    y, share = rows_of(x), 1 / (n * p)
    if given is None:
        near = np.add.reduce(y, 0) * share
        y = y - near
        rest = np.add.reduce(y, 0) * share
        y -= rest
        mean = near.astype(np.float64) + rest
        variance = (np.einsum("ij,ij->j", y, y) * share).astype(np.float64)
    else:
        mean, variance = given
        near = mean.astype(x.dtype)
        y = y - near
        y -= (mean - near).astype(x.dtype)
    factor = inverse_root(variance + eps)
    y *= (factor if weight is None else factor * weight).astype(x.dtype)
    if bias is not None:
        y += bias.astype(x.dtype)
    return y.reshape(n, p, c).transpose(0, 2, 1), mean, variance


def batch_norm_backward_whole(
    grad: Any, x: Any, weight: Any, mean: Any, scale: Any, through: bool, needs: Needs
) -> tuple[Any, Any, Any]:
    """All channels at once."""
    n, c, p = x.shape
    g, y, share = rows_of(grad), rows_of(x), 1 / (n * p)
    near = mean.astype(x.dtype)
    y = y - near
    y -= (mean - near).astype(x.dtype)
    y *= scale.astype(x.dtype)
    db, dw = np.add.reduce(g, 0), np.einsum("ij,ij->j", g, y)
    dx = None
    if needs[0]:
        if through:
            y *= dw * share
            y += db * share
            np.subtract(g, y, y)
        else:
            y[...] = g
        y *= (scale if weight is None else scale * weight).astype(x.dtype)
        dx = y.reshape(n, p, c).transpose(0, 2, 1)
    return dx, dw if needs[1] else None, db if needs[2] else None


def rows_of(x: Any) -> Any:
    """(N, C, P) as a C-contiguous (N P, C)."""
    n, c, p = x.shape
    return np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(n * p, c)


def batch_norm_blocked(x: Any, weight: Any, bias: Any, eps: float, given: Any = None) -> tuple[Any, Any, Any]:
    """Sums, then y = x a + c with a = w r and c = b - m a, which is two passes over x.

    Σ x and Σ x² give the variance where the mean is not far from 0. Where it is, their difference would lose its
    digits: then the sums are taken again, block by block in float64, and the mean is taken off before x is multiplied.
    """
    n, c, p = x.shape
    rows = LongRows(x)
    if given is None:
        total, squares = rows.totals()
        mean = total / rows.count
        variance = squares / rows.count - mean * mean
        if far(mean, variance):
            mean, squares = rows.moments()
            variance = squares / rows.count
    else:
        mean, variance = given
    scale = inverse_root(variance + eps)
    center = center_of(mean, scale, x.dtype)
    factor = scale if weight is None else scale * weight
    offset = -(mean if center is None else mean - center) * factor
    offset = offset if bias is None else offset + bias
    y = rows.scaled(empty((n, p, c), x.dtype), factor, offset, center)
    return y.transpose(0, 2, 1), mean, variance


def batch_norm_backward_blocked(
    grad: Any, x: Any, weight: Any, mean: Any, scale: Any, through: bool, needs: Needs
) -> tuple[Any, Any, Any]:
    """The same, as dx = (g + x l + o) k with one l, o and k for each channel: two passes over grad and x."""
    n, c, p = x.shape
    dx = dw = db = None
    center = center_of(mean, scale, x.dtype)
    rest = mean if center is None else mean - center
    k = scale if weight is None else scale * weight
    made = empty((n, p, c), x.dtype) if needs[0] else None
    if needs[1] or needs[2] or through:
        rows = LongRows(grad, x)
        total, along = rows.totals(center)
        along = (along - rest * total) * scale
        dw = along.astype(x.dtype) if needs[1] else None
        db = total.astype(x.dtype) if needs[2] else None
        if needs[0] and through:
            share = -scale * along / rows.count
            dx = rows.combined(made, share, -total / rows.count - share * rest, k, center)
    if needs[0] and not through:
        dx = LongRows(grad).scaled(made, k)
    return None if dx is None else dx.transpose(0, 2, 1), dw, db


def center_of(mean: Any, scale: Any, dtype: Any) -> Any:
    """What to take off before multiplying, rounded to `dtype`; None where the mean is near enough to 0."""
    return mean.astype(dtype).astype(np.float64) if far(mean * scale, 1.0) else None


def batch_norm(x: Any, weight: Any, bias: Any, eps: float, given: Any = None) -> tuple[Any, Any, Any]:
    """By the kernel that suits the shape."""
    return (batch_norm_whole if _few(x) else batch_norm_blocked)(x, weight, bias, eps, given)


def batch_norm_backward(
    grad: Any, x: Any, weight: Any, mean: Any, scale: Any, through: bool, needs: Needs
) -> tuple[Any, Any, Any]:
    """By the kernel that suits the shape."""
    kernel = batch_norm_backward_whole if _few(x) else batch_norm_backward_blocked
    return kernel(grad, x, weight, mean, scale, through, needs)


def _few(x: Any) -> bool:
    """Is a loop for each row cheaper than cutting the rows in blocks?"""
    return x.size <= FEW and x.shape[0] * x.shape[2] <= FEW_ROWS


def inverse_root(value: Any) -> Any:
    """1 / √value; infinite for 0, NaN below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 / np.sqrt(value)
