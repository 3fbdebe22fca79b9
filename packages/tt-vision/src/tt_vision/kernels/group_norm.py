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

from tt_nn import shards
from tt_vision.kernels.batch_norm import Needs, center_of, inverse_root
from tt_vision.kernels.image_rows import ImageRows
from tt_vision.kernels.rows import empty, far, folded, sums

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
    """As many images at once as a cache holds: sums of each channel, sums of those over groups, then y = x a + c.

    As in batch_norm_blocked, sums are taken again in float64 where a mean is far from 0, and it is taken off first.
    """
    n, c, p = x.shape
    y, split = empty((n, p, c), x.dtype), ImageRows(x)
    mean, variance = np.empty((2, n, groups))

    def body(start: int, stop: int, part: int) -> None:
        for here in split.blocks(start, stop):
            rows = split.long(x, here, "x")
            mean[here], variance[here] = _moments(split.few(rows), c, groups)
            scale = inverse_root(variance[here] + eps)
            middle, factor = (np.repeat(some, c // groups, 1) for some in (mean[here], scale))
            center = center_of(middle, factor, x.dtype)
            factor = factor if weight is None else factor * weight
            offset = -(middle if center is None else middle - center) * factor
            offset = offset if bias is None else offset + bias
            out = y[here].reshape(rows.shape)
            if center is not None:
                rows = np.subtract(rows, split.repeated(center, x.dtype), out)
            np.multiply(rows, split.repeated(factor, x.dtype), out)
            np.add(out, split.repeated(offset, x.dtype), out)

    shards.run_parts(body, split.cut)
    return y.transpose(0, 2, 1), mean, variance


def group_norm_backward(
    grad: Any, x: Any, groups: int, weight: Any, mean: Any, scale: Any, needs: Needs
) -> tuple[Any, Any, Any]:
    """The same, as dx = g k + x l + o with one k, l and o for each channel of an image."""
    n, c, p = x.shape
    size = c // groups
    split = ImageRows(x)
    made = empty((n, p, c), x.dtype) if needs[0] else None
    found = np.zeros((len(split.cut), 2, c))

    def body(start: int, stop: int, part: int) -> None:
        for here in split.blocks(start, stop):
            rows, g = split.long(x, here, "x"), split.long(grad, here, "grad")
            spare = shards.scratch("group norm", rows.shape, rows.dtype)
            middle, factor = (np.repeat(some[here], size, 1) for some in (mean, scale))
            center = center_of(middle, factor, x.dtype)
            rest = middle if center is None else middle - center
            off = rows if center is None else np.subtract(rows, split.repeated(center, x.dtype), spare)
            total = folded(sums(split.few(g)), c)
            along = folded(np.einsum("kij,kij->kj", split.few(g), split.few(off)), c)
            along = (along - rest * total) * factor
            found[part, 0] += total.sum(axis=0)
            found[part, 1] += along.sum(axis=0)
            if made is None:
                continue
            if weight is not None:
                total, along = total * weight, along * weight
            total, along = (
                np.repeat(some.reshape(-1, groups, size).sum(axis=2) / (p * size), size, 1)
                for some in (total, along)
            )
            k, of_x = factor if weight is None else factor * weight, -factor * factor * along
            out = made[here].reshape(rows.shape)
            np.multiply(off, split.repeated(of_x, x.dtype), out)
            np.add(out, split.repeated(-factor * total - of_x * rest, x.dtype), out)
            np.add(out, np.multiply(g, split.repeated(k, x.dtype), spare), out)

    shards.run_parts(body, split.cut)
    db, dw = np.add.reduce(found, 0).astype(x.dtype)
    return (
        None if made is None else made.transpose(0, 2, 1),
        dw if needs[1] else None,
        db if needs[2] else None,
    )


def _moments(rows: Any, channels: int, groups: int) -> tuple[Any, Any]:
    """Mean and variance of each group of each image, (k, groups)."""
    k, size = len(rows), channels // groups
    count = rows[0].size // groups

    def of_groups(long: Any) -> Any:
        return folded(long, channels).reshape(k, groups, size).sum(axis=2) / count

    # An overflow shows in the sums.
    with np.errstate(over="ignore", invalid="ignore"):
        mean = of_groups(sums(rows))
        variance = of_groups(np.einsum("kij,kij->kj", rows, rows)) - mean * mean
    if far(mean, variance):
        wide = rows.astype(np.float64).reshape(k, -1, groups, size)
        mean = wide.mean(axis=(1, 3))
        wide -= mean[:, None, :, None]
        variance = np.einsum("kpgc,kpgc->kg", wide, wide) / count
    return mean, variance
