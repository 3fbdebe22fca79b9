"""Tiles: products and transposes of small matrices, in pieces that stay in registers.

    C = A B:  for each 4 × 32 numbers of C:  s = 0;  for x in depth: s += a column of 4 of A · a row of 32 of B

BLAS packs both matrices before it multiplies, which pays when they are large. The matrices of one head of attention are
as small as 64 × 32; they are multiplied from where they are.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic

from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import LANES, lanes, load, piece, spread, store

__all__ = ["product", "turned", "up"]


@piece
def up(size: Any) -> Any:
    """The next multiple of 16."""
    return (size + 15) // 16 * 16


def _number(typing: Any, array: Any, index: Any) -> Any:
    """array[index] in all lanes; the index counts from the front, so nobody need ask whether it is negative."""

    def make(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        data = context.make_array(kinds.args[0])(context, builder, values[0]).data
        vector, zero = ir.VectorType(ir.FloatType(), LANES), ir.Constant(ir.IntType(32), 0)
        found = builder.load(builder.gep(data, [values[1]], inbounds=True))
        some = builder.insert_element(ir.Constant(vector, ir.Undefined), found, zero)
        order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(some, ir.Constant(vector, ir.Undefined), order)

    return lanes(array, types.intp), make


number: Any = intrinsic(_number)


@piece
def put(c: Any, at: Any, some: Any, add: Any) -> None:
    if add:
        some = some + load(c, at)
    store(c, at, some)


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
        for i in range(0, rows, 4):
            a1 = a0 + i * a_row
            a2, a3, a4 = a1 + a_row, a1 + 2 * a_row, a1 + 3 * a_row
            p, q = c0 + i * c_row + j, b0 + j
            zero = spread(0.0)
            s0, s1, s2, s3, s4, s5, s6, s7 = zero, zero, zero, zero, zero, zero, zero, zero
            for x in range(depth):
                left, right, at = load(b, q), load(b, q + 16), x * a_column
                q += b_row
                value = number(a, a1 + at)
                s0, s1 = s0 + value * left, s1 + value * right
                value = number(a, a2 + at)
                s2, s3 = s2 + value * left, s3 + value * right
                value = number(a, a3 + at)
                s4, s5 = s4 + value * left, s5 + value * right
                value = number(a, a4 + at)
                s6, s7 = s6 + value * left, s7 + value * right
            put(c, p, s0, add)
            put(c, p + 16, s1, add)
            put(c, p + c_row, s2, add)
            put(c, p + c_row + 16, s3, add)
            put(c, p + 2 * c_row, s4, add)
            put(c, p + 2 * c_row + 16, s5, add)
            put(c, p + 3 * c_row, s6, add)
            put(c, p + 3 * c_row + 16, s7, add)
    if width % 32:
        for i in range(0, rows, 8):
            a1 = a0 + i * a_row
            a2, a3, a4, a5 = a1 + a_row, a1 + 2 * a_row, a1 + 3 * a_row, a1 + 4 * a_row
            a6, a7, a8 = a1 + 5 * a_row, a1 + 6 * a_row, a1 + 7 * a_row
            p, q = c0 + i * c_row + width - 16, b0 + width - 16
            zero = spread(0.0)
            s0, s1, s2, s3, s4, s5, s6, s7 = zero, zero, zero, zero, zero, zero, zero, zero
            for x in range(depth):
                some, at = load(b, q), x * a_column
                q += b_row
                s0 = s0 + number(a, a1 + at) * some
                s1 = s1 + number(a, a2 + at) * some
                s2 = s2 + number(a, a3 + at) * some
                s3 = s3 + number(a, a4 + at) * some
                s4 = s4 + number(a, a5 + at) * some
                s5 = s5 + number(a, a6 + at) * some
                s6 = s6 + number(a, a7 + at) * some
                s7 = s7 + number(a, a8 + at) * some
            put(c, p, s0, add)
            put(c, p + c_row, s1, add)
            put(c, p + 2 * c_row, s2, add)
            put(c, p + 3 * c_row, s3, add)
            put(c, p + 4 * c_row, s4, add)
            put(c, p + 5 * c_row, s5, add)
            put(c, p + 6 * c_row, s6, add)
            put(c, p + 7 * c_row, s7, add)


def _turn(typing: Any, source: Any, at: Any, row: Any, to: Any, into: Any, to_row: Any) -> Any:
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


turn: Any = intrinsic(_turn)


@jit(types.void(_FLAT, _INT, _INT, _FLAT))
def turned(matrix: Any, rows: Any, width: Any, to: Any) -> None:
    """A flat matrix with rows and columns exchanged; both sizes are multiples of 16."""
    for i in range(0, rows, 16):
        for j in range(0, width, 16):
            turn(matrix, i * width + j, width, to, j * rows + i, rows)
