# mypy: disable-error-code="no-untyped-def"
"""The 36 matrix products of Winograd's convolution, one for each point, with all sums in registers.

They are too small for a BLAS, which copies both matrices first; here they are read where they lie, in the cache.
"""

from __future__ import annotations

from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import LANES
from tt_perf.compiled.tile_product import tile_product

__all__ = ["multiply"]

_multiply = {
    (rows, columns): tile_product(rows, columns) for rows, columns in ((12, 2), (8, 3), (8, 2), (8, 1))
}
_twelve_by_two, _eight_by_three = _multiply[12, 2], _multiply[8, 3]
_eight_by_two, _eight_by_one = _multiply[8, 2], _multiply[8, 1]


@jit(
    "void(float32[::1], int64, int64, int64, int64, float32[::1], int64, int64, float32[::1], int64, int64, boolean)"
)
def multiply(a, a_plane, rows, down, along, b, b_plane, depth, c, c_plane, wide, onto):
    """c = a b, or c += a b with `onto`, for each of the 36 planes. b is (depth, wide), c (rows, wide).

    Element (r, d) of a is at r · down + d · along of its plane. `rows` is a multiple of 8, `wide` of 16: strips of 48
    columns where that leaves no single 16, as these fill the registers worst.
    """
    for p in range(36):
        start = 0
        while start < wide:
            left, j = wide - start, p * b_plane + start
            i, k = p * a_plane, p * c_plane + start
            if wide % 48 == 0 or (left >= 48 and left % 32 != 0):
                for r in range(0, rows, 8):
                    _eight_by_three(
                        a, i + r * down, down, along, b, j, wide, depth, c, k + r * wide, wide, onto
                    )
                start += 3 * LANES
            elif left >= 32 and rows % 12 == 0:
                for r in range(0, rows, 12):
                    _twelve_by_two(
                        a, i + r * down, down, along, b, j, wide, depth, c, k + r * wide, wide, onto
                    )
                start += 2 * LANES
            elif left >= 32:
                for r in range(0, rows, 8):
                    _eight_by_two(
                        a, i + r * down, down, along, b, j, wide, depth, c, k + r * wide, wide, onto
                    )
                start += 2 * LANES
            else:
                for r in range(0, rows, 8):
                    _eight_by_one(
                        a, i + r * down, down, along, b, j, wide, depth, c, k + r * wide, wide, onto
                    )
                start += LANES
