# mypy: disable-error-code="no-untyped-def"
"""Filters at the points of Winograd's convolution, and the gradients there back at the filters, sixteen at once.

A filter gᵢ at the point p is Σ gᵢ pⁱ / Π (p - other points), along its rows and along its columns: G g Gᵀ, and the way
back is Gᵀ S G. Both are a part of a percent of the products, so they are not worth BLAS and its threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import LANES, lined_up, load, piece, spread, store, total
from tt_perf.compiled.points import A2, AB, B2, A, B

__all__ = ["points_to_taps", "taps_to_points"]

KA, KB = 1 / (2 * A2 * (A2 - B2)), 1 / (2 * B2 * (B2 - A2))
ONE = 1 / AB
KAA, KAA2, KBB, KBB2 = KA * A, KA * A2, KB * B, KB * B2


@piece
def filter_to_points(g0: Any, g1: Any, g2: Any) -> Any:
    """G g: three taps at the six points."""
    p, q = KA * g0 + KAA2 * g2, KAA * g1
    r, s = KB * g0 + KBB2 * g2, KBB * g1
    return ONE * g0, p + q, p - q, r + s, r - s, g2


@piece
def filter_from_points(x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    """Gᵀ x: what the three taps get of the points."""
    p, q, r, s = x1 + x2, x1 - x2, x3 + x4, x3 - x4
    return ONE * x0 + KA * p + KB * r, KAA * q + KBB * s, KAA2 * p + KBB2 * r + x5


@jit("void(float32[::1], int64, int64, int64, int64, float32[::1], int64)")
def taps_to_points(weight, depth, across, many, along, points, plane):
    """G g Gᵀ of depth · many filters, to planes (depth, many filled up to a multiple of 16) of points.

    The nine taps of the filter (d, j) begin at d · across + j · along of `weight`.
    """
    wide = lined_up(many)
    taps, some = np.zeros(9 * wide, np.float32), np.empty(18 * LANES, np.float32)
    for d in range(depth):
        for j in range(many):
            here = d * across + j * along
            for tap in range(9):
                taps[tap * wide + j] = weight[here + tap]
        for at in range(0, wide, LANES):
            for j in range(3):
                here = j * wide + at
                z0, z1, z2, z3, z4, z5 = filter_to_points(
                    load(taps, here), load(taps, here + 3 * wide), load(taps, here + 6 * wide)
                )
                store(some, j * LANES, z0)
                store(some, (3 + j) * LANES, z1)
                store(some, (6 + j) * LANES, z2)
                store(some, (9 + j) * LANES, z3)
                store(some, (12 + j) * LANES, z4)
                store(some, (15 + j) * LANES, z5)
            for k in range(6):
                here = 3 * k * LANES
                z0, z1, z2, z3, z4, z5 = filter_to_points(
                    load(some, here), load(some, here + LANES), load(some, here + 2 * LANES)
                )
                out = 6 * k * plane + d * wide + at
                store(points, out, z0)
                store(points, out + plane, z1)
                store(points, out + 2 * plane, z2)
                store(points, out + 3 * plane, z3)
                store(points, out + 4 * plane, z4)
                store(points, out + 5 * plane, z5)


@jit("boolean(float32[::1], int64, int64, int64, int64, float32[::1])")
def points_to_taps(points, parts, plane, c, o, weight):
    """Gᵀ S G to weight (O, C, 3, 3), S the sum of so many `parts` of 36 planes (C, O'); is all of it finite?"""
    wide = lined_up(o)
    some, sums = np.empty(18 * LANES, np.float32), np.empty(36 * LANES, np.float32)
    taps = np.empty(9 * wide, np.float32)
    check = spread(np.float32(0))
    for d in range(c):
        for at in range(0, wide, LANES):
            for k in range(36):
                one = spread(np.float32(0))
                for part in range(parts):
                    one = one + load(points, (36 * part + k) * plane + d * wide + at)
                store(sums, k * LANES, one)
            for j in range(6):
                here = j * LANES
                z0, z1, z2 = filter_from_points(
                    load(sums, here),
                    load(sums, here + 6 * LANES),
                    load(sums, here + 12 * LANES),
                    load(sums, here + 18 * LANES),
                    load(sums, here + 24 * LANES),
                    load(sums, here + 30 * LANES),
                )
                store(some, j * LANES, z0)
                store(some, (6 + j) * LANES, z1)
                store(some, (12 + j) * LANES, z2)
            for k in range(3):
                here = 6 * k * LANES
                z0, z1, z2 = filter_from_points(
                    load(some, here),
                    load(some, here + LANES),
                    load(some, here + 2 * LANES),
                    load(some, here + 3 * LANES),
                    load(some, here + 4 * LANES),
                    load(some, here + 5 * LANES),
                )
                check = check + (z0 * 0.0 + z1 * 0.0) + z2 * 0.0
                out = 3 * k * wide + at
                store(taps, out, z0)
                store(taps, out + wide, z1)
                store(taps, out + 2 * wide, z2)
        for j in range(o):
            here = (j * c + d) * 9
            for tap in range(9):
                weight[here + tap] = taps[tap * wide + j]
    return total(check) == 0
