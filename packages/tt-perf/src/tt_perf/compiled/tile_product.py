# mypy: disable-error-code="untyped-decorator, no-untyped-call, no-any-return"
"""A product of two strips of matrices with all its sums in registers: what all compiled products are made of."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from tt_perf.compiled.atomics import intrinsic
from tt_perf.compiled.lanes import LANES, NUMBER, VECTOR, place_of, splat

__all__ = ["tile_product"]


def tile_product(rows: int, columns: int) -> Any:
    """A piece that multiplies a strip of one matrix with a strip of another, all sums in registers.

        tile(a, i, down, along, b, j, width, depth, c, k, wide, onto)

    adds up over d < depth the products a[i + r down + d along] · b[j + d width : … + 16 columns], for each of `rows`
    rows r, and stores the sums at c[k + r wide : …], or with `onto` adds them to what stands there. Arrays are flat.
    """

    @intrinsic
    def tile(
        typing: Any,
        a: Any,
        i: Any,
        down: Any,
        along: Any,
        b: Any,
        j: Any,
        width: Any,
        depth: Any,
        c: Any,
        k: Any,
        wide: Any,
        onto: Any,
    ) -> Any:
        def make(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
            a, i, down, along, b, j, width, depth, c, k, wide, onto = values
            size = ir.IntType(64)
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(VECTOR, [VECTOR] * 3), "llvm.fma.v16f32"
            )
            zeros = ir.Constant(VECTOR, [0.0] * LANES)
            sums = [[cgutils.alloca_once_value(builder, zeros) for _ in range(columns)] for _ in range(rows)]

            def number(index: int) -> Any:
                return ir.Constant(size, index)

            def at(row: int, column: int) -> Any:
                start = builder.add(k, builder.mul(number(row), wide))
                return place_of(
                    context, builder, kinds.args[8], c, builder.add(start, number(LANES * column))
                )

            for row in sums:
                for one in row:
                    builder.store(zeros, one)
            with builder.if_then(onto):
                for r, row in enumerate(sums):
                    for s, one in enumerate(row):
                        before = builder.load(at(r, s))
                        before.align = 4
                        builder.store(before, one)
            with cgutils.for_range(builder, depth) as loop:
                right = []
                for s in range(columns):
                    start = builder.add(j, builder.mul(loop.index, width))
                    strip = builder.load(
                        place_of(context, builder, kinds.args[4], b, builder.add(start, number(LANES * s)))
                    )
                    strip.align = 4
                    right.append(strip)
                first = builder.add(i, builder.mul(loop.index, along))
                for r, row in enumerate(sums):
                    place = builder.add(first, builder.mul(number(r), down))
                    left = splat(
                        builder, builder.load(place_of(context, builder, kinds.args[0], a, place, NUMBER))
                    )
                    for s, one in enumerate(row):
                        builder.store(builder.call(fma, [left, right[s], builder.load(one)]), one)
            for r, row in enumerate(sums):
                for s, one in enumerate(row):
                    builder.store(builder.load(one), at(r, s)).align = 4
            return context.get_dummy_value()

        n = types.intp
        return types.void(a, n, n, n, b, n, n, n, c, n, n, types.boolean), make

    return tile
