# mypy: disable-error-code="no-untyped-def, no-any-return"
"""Batch normalisation, compiled: alone, with the ReLU after it, and with the pooling by two by two after that.

    z = (x - m) f + o,  y = max(z, 0),  and of each four pixels the greatest y

where m is the mean rounded to float32, f = w / √(variance + eps), and o makes up for the rounding and adds the bias.
Forward goes over x twice: for the sums, and to write y. Backward does, too, and works out anew from x which z were
positive, and which of four was the greatest, so nothing is kept but x: see tt_vision.kernels.batch_norm for the
formulas.

The sums are taken of x - x[first pixel], in float32 for 64 pixels, then in float64. Where the mean is many deviations
away from that pixel, or not finite, NumPy's kernel does it all.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import shards
from tt_perf.compiled.arrays import whole
from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import LANES, greater, higher, load, pick, piece, spread, store
from tt_perf.compiled.table import fallback

__all__ = ["batch_norm", "batch_norm_backward", "batch_norm_relu", "batch_norm_relu_backward"]

RUN = 64
"""Rows that are summed in float32."""

WORTH = 1 << 18
"""Numbers that are worth a thread."""

FAR = 16.0
"""(mean - pixel)² / variance up to which the difference of the sums loses no digits that matter."""


@piece
def positive(z: Any, floor: Any) -> Any:
    """max(z, floor), NaN where z is."""
    return pick(greater(floor, z), floor, z)


@piece
def let_through(z: Any, floor: Any, g: Any) -> Any:
    """g where z > floor or z is NaN, else 0."""
    return pick(higher(z, floor), g, spread(np.float32(0)))


@jit("void(float32[::1], int64, int64, int64, float32[::1], float64[:, ::1])")
def sums(x, c, start, stop, near, out):
    """Σ (x - near) and Σ (x - near)² for each channel, over the rows from start to stop; added to out (2, C)."""
    some = np.empty(2 * LANES, np.float32)
    for first in range(start, stop, RUN):
        last = min(first + RUN, stop)
        for channel in range(0, c, LANES):
            off = load(near, channel)
            a0, a1 = spread(np.float32(0)), spread(np.float32(0))
            b0, b1 = a0, a1
            for row in range(first, last - 1, 2):
                d0 = load(x, row * c + channel) - off
                d1 = load(x, row * c + c + channel) - off
                a0, a1 = a0 + d0, a1 + d1
                b0, b1 = b0 + d0 * d0, b1 + d1 * d1
            if (last - first) % 2:
                d0 = load(x, (last - 1) * c + channel) - off
                a0, b0 = a0 + d0, b0 + d0 * d0
            store(some, 0, a0 + a1)
            store(some, LANES, b0 + b1)
            for i in range(LANES):
                out[0, channel + i] += some[i]
                out[1, channel + i] += some[LANES + i]


@jit("void(float32[::1], int64, int64, int64, float32[:, ::1], float32, float32[::1])")
def apply(x, c, start, stop, by, least, y):
    """y = max((x - m) f + o, least) for the rows from start to stop; `by` is m, f, o."""
    floor = spread(least)
    flat = by.reshape(-1)
    for row in range(start, stop):
        for channel in range(0, c, LANES):
            m, f, o = load(flat, channel), load(flat, c + channel), load(flat, 2 * c + channel)
            z = (load(x, row * c + channel) - m) * f + o
            store(y, row * c + channel, positive(z, floor))


@jit("void(float32[::1], float32[::1], int64, int64, int64, float32[:, ::1], float32, float64[:, ::1])")
def backward_sums(g, x, c, start, stop, by, least, out):
    """Σ h and Σ h (x - m), h the gradient g where (x - m) f + o > least, else 0; added to out (2, C)."""
    floor = spread(least)
    flat = by.reshape(-1)
    some = np.empty(2 * LANES, np.float32)
    for first in range(start, stop, RUN):
        last = min(first + RUN, stop)
        for channel in range(0, c, LANES):
            m, f, o = load(flat, channel), load(flat, c + channel), load(flat, 2 * c + channel)
            a0, a1 = spread(np.float32(0)), spread(np.float32(0))
            b0, b1 = a0, a1
            for row in range(first, last - 1, 2):
                d0 = load(x, row * c + channel) - m
                d1 = load(x, row * c + c + channel) - m
                h0 = let_through(d0 * f + o, floor, load(g, row * c + channel))
                h1 = let_through(d1 * f + o, floor, load(g, row * c + c + channel))
                a0, a1 = a0 + h0, a1 + h1
                b0, b1 = b0 + h0 * d0, b1 + h1 * d1
            if (last - first) % 2:
                d0 = load(x, (last - 1) * c + channel) - m
                h0 = let_through(d0 * f + o, floor, load(g, (last - 1) * c + channel))
                a0, b0 = a0 + h0, b0 + h0 * d0
            store(some, 0, a0 + a1)
            store(some, LANES, b0 + b1)
            for i in range(LANES):
                out[0, channel + i] += some[i]
                out[1, channel + i] += some[LANES + i]


@jit("void(float32[::1], float32[::1], int64, int64, int64, float32[:, ::1], float32, float32[::1])")
def backward(g, x, c, start, stop, by, least, dx):
    """dx = h k + (x - m) slope + n, h as above; `by` is m, f, o, k, slope, n."""
    floor = spread(least)
    flat = by.reshape(-1)
    for row in range(start, stop):
        for channel in range(0, c, LANES):
            m, f, o = load(flat, channel), load(flat, c + channel), load(flat, 2 * c + channel)
            k, slope, n = (
                load(flat, 3 * c + channel),
                load(flat, 4 * c + channel),
                load(flat, 5 * c + channel),
            )
            d = load(x, row * c + channel) - m
            h = let_through(d * f + o, floor, load(g, row * c + channel))
            store(dx, row * c + channel, h * k + d * slope + n)


@jit("void(float32[::1], int64, int64, int64, int64, float32[:, ::1], float32[::1])")
def apply_pooled(x, width, c, start, stop, by, y):
    """y = max(0, the greatest (x - m) f + o of four pixels), for the rows of places from start to stop.

    x is a flat (rows, W, C), a place's row has two of them.
    """
    flat = by.reshape(-1)
    nothing = spread(np.float32(0))
    line = width * c
    half = width // 2
    for row in range(start, stop):
        for column in range(half):
            for channel in range(0, c, LANES):
                m, f, o = load(flat, channel), load(flat, c + channel), load(flat, 2 * c + channel)
                at = 2 * row * line + 2 * column * c + channel
                best = (load(x, at) - m) * f + o
                z = (load(x, at + c) - m) * f + o
                best = pick(higher(z, best), z, best)
                z = (load(x, at + line) - m) * f + o
                best = pick(higher(z, best), z, best)
                z = (load(x, at + line + c) - m) * f + o
                best = pick(higher(z, best), z, best)
                store(y, (row * half + column) * c + channel, positive(best, nothing))


@jit("void(float32[::1], float32[::1], int64, int64, int64, int64, float32[:, ::1], float64[:, ::1])")
def backward_sums_pooled(g, x, width, c, start, stop, by, out):
    """`backward_sums` for the greatest of each four pixels; of equals the first."""
    flat = by.reshape(-1)
    nothing = spread(np.float32(0))
    some = np.empty(2 * LANES, np.float32)
    line = width * c
    half = width // 2
    for row in range(start, stop):
        for channel in range(0, c, LANES):
            m, f, o = load(flat, channel), load(flat, c + channel), load(flat, 2 * c + channel)
            a, b = nothing, nothing
            for column in range(half):
                at = 2 * row * line + 2 * column * c + channel
                far = load(x, at) - m
                best = far * f + o
                d = load(x, at + c) - m
                z = d * f + o
                more = higher(z, best)
                best, far = pick(more, z, best), pick(more, d, far)
                d = load(x, at + line) - m
                z = d * f + o
                more = higher(z, best)
                best, far = pick(more, z, best), pick(more, d, far)
                d = load(x, at + line + c) - m
                z = d * f + o
                more = higher(z, best)
                best, far = pick(more, z, best), pick(more, d, far)
                h = let_through(best, nothing, load(g, (row * half + column) * c + channel))
                a, b = a + h, b + h * far
            store(some, 0, a)
            store(some, LANES, b)
            for i in range(LANES):
                out[0, channel + i] += some[i]
                out[1, channel + i] += some[LANES + i]


@jit("void(float32[::1], float32[::1], int64, int64, int64, int64, float32[:, ::1], float32[::1])")
def backward_pooled(g, x, width, c, start, stop, by, dx):
    """`backward` for the greatest of each four pixels; of equals the first."""
    flat = by.reshape(-1)
    nothing = spread(np.float32(0))
    line = width * c
    half = width // 2
    for row in range(start, stop):
        for column in range(half):
            for channel in range(0, c, LANES):
                m, f, o = load(flat, channel), load(flat, c + channel), load(flat, 2 * c + channel)
                k, slope, n = (
                    load(flat, 3 * c + channel),
                    load(flat, 4 * c + channel),
                    load(flat, 5 * c + channel),
                )
                at = 2 * row * line + 2 * column * c + channel
                d0 = load(x, at) - m
                d1 = load(x, at + c) - m
                d2 = load(x, at + line) - m
                d3 = load(x, at + line + c) - m
                z0, z1, z2, z3 = d0 * f + o, d1 * f + o, d2 * f + o, d3 * f + o
                right = higher(z1, z0)
                best = pick(right, z1, z0)
                below = higher(z2, best)
                best = pick(below, z2, best)
                last = higher(z3, best)
                best = pick(last, z3, best)
                h = let_through(best, nothing, load(g, (row * half + column) * c + channel)) * k
                store(dx, at + line + c, pick(last, h, nothing) + d3 * slope + n)
                h = pick(last, nothing, h)
                store(dx, at + line, pick(below, h, nothing) + d2 * slope + n)
                h = pick(below, nothing, h)
                store(dx, at + c, pick(right, h, nothing) + d1 * slope + n)
                store(dx, at, pick(right, nothing, h) + d0 * slope + n)


def batch_norm(x: Any, weight: Any, bias: Any, eps: float, given: Any = None) -> tuple[Any, Any, Any]:
    """See tt_vision.kernels.batch_norm. x (N, C, P) → y, mean, variance."""
    if _suits(x):
        found = _forward(x.transpose(0, 2, 1), weight, bias, eps, given, -math.inf, 0)
        if found is not None:
            y, mean, variance = found
            return y.transpose(0, 2, 1), mean, variance
    return fallback("batch_norm")(x, weight, bias, eps, given)


def batch_norm_backward(
    grad: Any, x: Any, weight: Any, mean: Any, scale: Any, through: bool, needs: tuple[bool, bool, bool]
) -> tuple[Any, Any, Any]:
    """See tt_vision.kernels.batch_norm: dx, dweight, dbias, None for what is not asked for."""
    if _suits(x) and _suits(grad):
        g, images = grad.transpose(0, 2, 1), x.transpose(0, 2, 1)
        found = _backward(g, images, weight, None, mean, scale, through, needs, -math.inf, 0)
        if found is not None:
            dx, dw, db = found
            return None if dx is None else dx.transpose(0, 2, 1), dw, db
    return fallback("batch_norm_backward")(grad, x, weight, mean, scale, through, needs)


def batch_norm_relu(x: Any, weight: Any, bias: Any, eps: float, pool: bool) -> tuple[Any, Any, Any, Any]:
    """See tt_vision.kernels.batch_norm_relu. x (N, C, H, W) → y, mean, variance, and nothing kept."""
    if _suits(x) and not (pool and (x.shape[2] % 2 or x.shape[3] % 2)):
        found = _forward(x.transpose(0, 2, 3, 1), weight, bias, eps, None, 0.0, x.shape[3] if pool else 0)
        if found is not None:
            y, mean, variance = found
            return y.transpose(0, 3, 1, 2), mean, variance, None
    return fallback("batch_norm_relu")(x, weight, bias, eps, pool)


def batch_norm_relu_backward(
    grad: Any, x: Any, weight: Any, bias: Any, mean: Any, scale: Any, pool: bool, kept: Any, needs: Any
) -> tuple[Any, Any, Any]:
    """See tt_vision.kernels.batch_norm_relu: dx, dweight, dbias, None for what is not asked for."""
    if kept is None:
        g, images = grad.transpose(0, 2, 3, 1), x.transpose(0, 2, 3, 1)
        wide = x.shape[3] if pool else 0
        found = _backward(g, images, weight, bias, mean, scale, True, needs, 0.0, wide)
        if found is not None:
            dx, dw, db = found
            return None if dx is None else dx.transpose(0, 3, 1, 2), dw, db
    return fallback("batch_norm_relu_backward")(grad, x, weight, bias, mean, scale, pool, kept, needs)


def _suits(x: Any) -> bool:
    return bool(x.dtype == np.float32 and x.shape[1] % LANES == 0 and x.size >= 1 << 12)


def _far(distance: Any, variance: Any) -> bool:
    most = FAR * variance
    return not bool(((distance * distance <= most) & (most < math.inf)).all())


def _vectors(mean: Any, scale: Any, weight: Any, bias: Any) -> list[Any]:
    """m, f and o."""
    near = mean.astype(np.float32)
    factor = scale if weight is None else scale * weight
    offset = (near - mean) * factor
    return [near, factor, offset if bias is None else offset + bias]


def _forward(
    images: Any, weight: Any, bias: Any, eps: float, given: Any, least: float, wide: int
) -> tuple[Any, Any, Any] | None:
    """y, mean, variance of (N, …, C), pooled where `wide` is their width; None where the numbers do not suit."""
    x = whole(images)
    c = x.shape[-1]
    flat, rows = x.reshape(-1), x.size // c
    if given is None:
        near = flat[:c].copy()
        cut = shards.parts(rows, max(1, WORTH // c))
        parts = np.zeros((len(cut), 2, c))

        def add(start: int, stop: int, part: int) -> None:
            sums(flat, c, start, stop, near, parts[part])

        shards.run_parts(add, cut)
        distance, squares = parts.sum(axis=0) / rows
        variance = squares - distance * distance
        if _far(distance, variance):
            return None
        mean = near + distance
    else:
        mean, variance = given
        if not np.isfinite(mean).all():
            return None
    by = np.array(_vectors(mean, 1 / np.sqrt(variance + eps), weight, bias), np.float32)
    if not np.isfinite(by).all():
        return None
    if not wide:
        y = np.empty(x.shape, np.float32)

        def body(start: int, stop: int, part: int) -> None:
            apply(flat, c, start, stop, by, least, y.reshape(-1))

        shards.run(body, rows, max(1, WORTH // c))
        return y, mean, variance
    n, height = x.shape[:2]
    y = np.empty((n, height // 2, wide // 2, c), np.float32)

    def pooled(start: int, stop: int, part: int) -> None:
        apply_pooled(flat, wide, c, start, stop, by, y.reshape(-1))

    shards.run(pooled, n * height // 2, max(1, WORTH // (2 * wide * c)))
    return y, mean, variance


def _backward(
    grad: Any,
    images: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    scale: Any,
    through: bool,
    needs: Any,
    least: float,
    wide: int,
) -> tuple[Any, Any, Any] | None:
    """dx, dweight, dbias of gradients (N, …, C); None where the numbers do not suit."""
    x, g = whole(images), whole(grad)
    c = x.shape[-1]
    flat, back, rows = x.reshape(-1), g.reshape(-1), x.size // c
    vectors = _vectors(mean, scale, weight, bias)
    by = np.array(vectors, np.float32)
    if not np.isfinite(by).all():
        return None
    lines, worth = (rows // (2 * wide), WORTH // (2 * wide * c)) if wide else (rows, WORTH // c)
    dx = dw = db = None
    total = along = np.zeros(c)
    if needs[1] or needs[2] or through:
        cut = shards.parts(lines, max(1, worth))
        parts = np.zeros((len(cut), 2, c))

        def add(start: int, stop: int, part: int) -> None:
            if wide:
                backward_sums_pooled(back, flat, wide, c, start, stop, by, parts[part])
            else:
                backward_sums(back, flat, c, start, stop, by, least, parts[part])

        shards.run_parts(add, cut)
        total, along = parts.sum(axis=0)
        if not np.isfinite(along).all():
            return None  # an infinite x is no gradient's affair, but here it would be
        # The sum was taken with the rounded mean.
        along = (along - (mean - vectors[0]) * total) * scale
        dw = along.astype(np.float32) if needs[1] else None
        db = total.astype(np.float32) if needs[2] else None
    if needs[0] and not through:
        # Not by `backward`, where what is infinite would meet a slope of 0.
        dx = np.empty(x.shape, np.float32)
        sent, pixels = g.reshape(rows, c), dx.reshape(rows, c)

        def scaled(start: int, stop: int, part: int) -> None:
            np.multiply(sent[start:stop], by[1], pixels[start:stop])

        shards.run(scaled, rows, max(1, WORTH // c))
    elif needs[0]:
        k = vectors[1]
        slope = -scale * along / rows * k
        level = -total / rows * k + slope * (vectors[0] - mean)
        by = np.array([*vectors, k, slope, level], np.float32)
        dx = np.empty(x.shape, np.float32)

        def body(start: int, stop: int, part: int) -> None:
            if wide:
                backward_pooled(back, flat, wide, c, start, stop, by, dx.reshape(-1))
            else:
                backward(back, flat, c, start, stop, by, least, dx.reshape(-1))

        shards.run(body, lines, max(1, worth))
    return dx, dw, db
