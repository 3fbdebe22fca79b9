"""Group normalisation: the loops that define it, then the one that goes over rows of channels.

x is (N, C, P), P pixels of N images. Both kernels have one signature:

    group_norm(x, groups, weight, bias, eps) -> y, mean, variance
    group_norm_backward(grad, x, groups, weight, mean, scale, needs) -> dx, dweight, dbias

Mean, variance and scale = 1 / √(variance + eps) are float64 arrays (N, groups). What `needs` does not ask for is None.
Weight and bias may be None. With a group for each channel it is an instance norm.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_vision.kernels.batch_norm import Needs, center_of, inverse_root
from tt_vision.kernels.rows import Rows, empty, far

__all__ = ["group_norm", "group_norm_backward", "group_norm_backward_loops", "group_norm_loops"]


def group_norm_loops(x: Any, groups: int, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """Image by image, group by group, over its M = P C / groups values: m = Σ x / M, v = Σ (x - m)² / M.

    y = (x - m) / √(v + eps) · w + b, with w and b of the channel.
    """
    n, c, p = x.shape
    y, size = np.empty(x.shape, x.dtype), c // groups
    mean, variance = np.zeros((2, n, groups))
    for image in range(n):
        for group in range(groups):
            members = range(group * size, (group + 1) * size)
            values = [float(x[image, channel, pixel]) for channel in members for pixel in range(p)]
            m = sum(values) / len(values)
            v = sum((value - m) ** 2 for value in values) / len(values)
            mean[image, group], variance[image, group] = m, v
            r = float(inverse_root(v + eps))
            for channel in members:
                w = 1.0 if weight is None else float(weight[channel])
                b = 0.0 if bias is None else float(bias[channel])
                for pixel in range(p):
                    y[image, channel, pixel] = (float(x[image, channel, pixel]) - m) * r * w + b
    return y, mean, variance


def group_norm_backward_loops(
    grad: Any, x: Any, groups: int, weight: Any, mean: Any, scale: Any, needs: Needs
) -> tuple[Any, Any, Any]:
    """With d = g w and x̂ = (x - m) r: dx = r (d - mean(d) - x̂ mean(d x̂)) over the group, dw = Σ g x̂, db = Σ g."""
    n, c, p = x.shape
    dx, size = np.empty(x.shape, x.dtype), c // groups
    dw, db = np.zeros((2, c))
    for image in range(n):
        for group in range(groups):
            m, r = float(mean[image, group]), float(scale[image, group])
            places = [
                (channel, pixel) for channel in range(group * size, (group + 1) * size) for pixel in range(p)
            ]
            total = along = 0.0
            for channel, pixel in places:
                g, off = float(grad[image, channel, pixel]), (float(x[image, channel, pixel]) - m) * r
                dw[channel] += g * off
                db[channel] += g
                d = g if weight is None else g * float(weight[channel])
                total += d
                along += d * off
            for channel, pixel in places:
                g, off = float(grad[image, channel, pixel]), (float(x[image, channel, pixel]) - m) * r
                d = g if weight is None else g * float(weight[channel])
                dx[image, channel, pixel] = r * (d - (total + off * along) / len(places))
    dtype = x.dtype
    return (
        dx if needs[0] else None,
        dw.astype(dtype) if needs[1] else None,
        db.astype(dtype) if needs[2] else None,
    )


def group_norm(x: Any, groups: int, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """Sums of each channel of an image, sums of those over groups, then y = x a + c: two passes over x.

    As in batch_norm_blocked, a mean that is far from 0 is taken off first.
    """
    n, c, p = x.shape
    size = c // groups
    rows = Rows(x, together=False)
    total, squares = (some.reshape(n, groups, size).sum(axis=2) for some in rows.totals())
    mean = total / (p * size)
    variance = squares / (p * size) - mean * mean
    if far(mean, variance):
        means, squares = (some.reshape(n, groups, size) for some in rows.moments())
        mean = means.mean(axis=2)
        apart = means - mean[:, :, None]
        variance = (squares + p * apart * apart).sum(axis=2) / (p * size)
    scale = inverse_root(variance + eps)
    middle, factor = np.repeat(mean, size, 1), np.repeat(scale, size, 1)
    center = center_of(middle, factor, x.dtype)
    factor = factor if weight is None else factor * weight
    offset = -(middle if center is None else middle - center) * factor
    offset = offset if bias is None else offset + bias
    y = rows.scaled(empty((n, p, c), x.dtype), factor, offset, center)
    return y.transpose(0, 2, 1), mean, variance


def group_norm_backward(
    grad: Any, x: Any, groups: int, weight: Any, mean: Any, scale: Any, needs: Needs
) -> tuple[Any, Any, Any]:
    """The same, as dx = g k + x l + o with one k, l and o for each channel of an image: two passes over grad and x."""
    n, c, p = x.shape
    size = c // groups
    middle, factor = np.repeat(mean, size, 1), np.repeat(scale, size, 1)
    center = center_of(middle, factor, x.dtype)
    rest = middle if center is None else middle - center
    rows = Rows(grad, x, together=False)
    total, along = rows.totals(center)
    along = (along - rest * total) * factor
    dx = dw = db = None
    if needs[1]:
        dw = along.sum(axis=0).astype(x.dtype)
    if needs[2]:
        db = total.sum(axis=0).astype(x.dtype)
    if needs[0]:
        if weight is not None:
            total, along = total * weight, along * weight
        total, along = (
            np.repeat(some.reshape(n, groups, size).sum(axis=2) / (p * size), size, 1)
            for some in (total, along)
        )
        k = factor if weight is None else factor * weight
        of_x = -factor * factor * along
        offset = -factor * total - of_x * rest
        dx = rows.combined(empty((n, p, c), x.dtype), k, of_x, offset, center).transpose(0, 2, 1)
    return dx, dw, db
