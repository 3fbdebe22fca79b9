# mypy: disable-error-code="untyped-decorator"
"""Tiles: products and transposes of small matrices, in pieces that stay in registers.

    C = A B:  for each 8 × 32 numbers of C:  s = 0;  for x in depth: s += a column of 8 of A · a row of 32 of B

BLAS packs both matrices before it multiplies, which pays when they are large. The matrices of one head of attention are
as small as 64 × 32; they are multiplied from where they are.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from tt_perf.compiled.atomics import intrinsic
from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import LANES
from tt_perf.compiled.tile_product import tile_product

__all__ = ["product", "turn", "turned"]


_eight_by_two, _eight_by_one = tile_product(8, 2), tile_product(8, 1)
_sixteen_by_one = tile_product(16, 1)

_FLAT, _INT = types.Array(types.float32, 1, "C"), types.int64


@jit(types.void(_FLAT, *3 * [_INT], _FLAT, *2 * [_INT], _FLAT, *5 * [_INT], types.boolean))
def product(
    a: Any, a0: Any, a_row: Any, a_column: Any, b: Any, b0: Any, b_row: Any,
    c: Any, c0: Any, c_row: Any, rows: Any, depth: Any, width: Any, add: Any,
) -> None:  # fmt: skip
    """C = A B, or C += A B, of matrices in flat arrays, from a place on, with rows and columns so many numbers apart.

    C has `rows`, a multiple of 8, and `width`, a multiple of 16; A has `depth` columns.
    """
    for j in range(0, width - 16, 32):
        for i in range(0, rows, 8):
            _eight_by_two(
                a, a0 + i * a_row, a_row, a_column, b, b0 + j, b_row, depth, c, c0 + i * c_row + j, c_row, add
            )
    if width % 32:
        j = width - 16
        for i in range(0, rows // 16 * 16, 16):
            _sixteen_by_one(
                a, a0 + i * a_row, a_row, a_column, b, b0 + j, b_row, depth, c, c0 + i * c_row + j, c_row, add
            )
        if rows % 16:
            i = rows - 8
            _eight_by_one(
                a, a0 + i * a_row, a_row, a_column, b, b0 + j, b_row, depth, c, c0 + i * c_row + j, c_row, add
            )


@intrinsic
def turn(typing: Any, source: Any, at: Any, row: Any, to: Any, into: Any, to_row: Any) -> Any:
    """Exchange rows and columns of 16 × 16 numbers, from source[at:], rows `row` apart, to to[into:], `to_row` apart.

    In four steps of pairs of rows: halves of 8 change places between rows 8 apart, then quarters of 4 between rows 4
    apart, and so on.
    """

    def make(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), LANES)
        index = ir.VectorType(ir.IntType(32), LANES)
        source, at, row, to, into, to_row = values

        def pointer(kind: Any, array: Any, first: Any, step: Any, i: int) -> Any:
            data = context.make_array(kind)(context, builder, array).data
            place = builder.add(first, builder.mul(step, ir.Constant(step.type, i)))
            return builder.bitcast(builder.gep(data, [place], inbounds=True), vector.as_pointer())

        rows = []
        for i in range(LANES):
            found = builder.load(pointer(kinds.args[0], source, at, row, i))
            found.align = 4
            rows.append(found)
        half = LANES // 2
        while half:
            for i in range(LANES):
                if i & half:
                    continue
                a, b = rows[i], rows[i + half]
                upper = [p - half + LANES if p & half else p for p in range(LANES)]
                lower = [p + LANES if p & half else p + half for p in range(LANES)]
                rows[i] = builder.shuffle_vector(a, b, ir.Constant(index, upper))
                rows[i + half] = builder.shuffle_vector(a, b, ir.Constant(index, lower))
            half //= 2
        for i, found in enumerate(rows):
            builder.store(found, pointer(kinds.args[3], to, into, to_row, i)).align = 4
        return context.get_dummy_value()

    place = types.intp
    return types.void(source, place, place, to, place, place), make


@jit(types.void(_FLAT, _INT, _INT, _FLAT))
def turned(matrix: Any, rows: Any, width: Any, to: Any) -> None:
    """A flat matrix with rows and columns exchanged; both sizes are multiples of 16."""
    for i in range(0, rows, 16):
        for j in range(0, width, 16):
            turn(matrix, i * width + j, width, to, j * rows + i, rows)
