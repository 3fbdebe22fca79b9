# mypy: disable-error-code="untyped-decorator, no-untyped-call, no-any-return"
"""Products of rows with rows, number by number, all sums in registers: a weight, read once, meets some rows of x."""

from __future__ import annotations

from itertools import chain
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from tt_perf.compiled.atomics import intrinsic
from tt_perf.compiled.lanes import LANES, NUMBER, VECTOR, front_of, place_of, some_at, total_of

__all__ = ["dot_products"]


def dot_products(rows: int, others: int) -> Any:
    """A piece that multiplies rows of one matrix with rows of another.

        dots(a, i, down, b, j, beyond, size, c, k, along, wide)

    stores Σ a[i + r down + d] · b[j + s beyond + d] over d < size at c[k + r along + s wide], for each of `rows` rows r
    and `others` rows s. Places count numbers from the first of an array, whatever its shape. A sum is the same, to the
    last bit, for every number of rows and others.
    """

    @intrinsic
    def dots(
        typing: Any, a: Any, i: Any, down: Any, b: Any, j: Any, beyond: Any, size: Any, c: Any, k: Any, along: Any,
        wide: Any,
    ) -> Any:  # fmt: skip
        def make(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
            a, i, down, b, j, beyond, size, c, k, along, wide = values
            of_a, of_b, of_c = kinds.args[0], kinds.args[3], kinds.args[7]
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(VECTOR, [VECTOR] * 3), "llvm.fma.v16f32"
            )
            zeros = ir.Constant(VECTOR, [0.0] * LANES)
            sums = [[cgutils.alloca_once_value(builder, zeros) for _ in range(others)] for _ in range(rows)]
            for one in chain.from_iterable(sums):
                builder.store(zeros, one)

            def number(index: int) -> Any:
                return ir.Constant(ir.IntType(64), index)

            def further(start: Any, step: Any, times: int) -> Any:
                return builder.add(start, builder.mul(step, number(times)))

            def add(place: Any, some: Any) -> None:
                """The products of 16 numbers from there on, or of those in the mask."""

                def read(kind: Any, array: Any, start: Any) -> Any:
                    at = place_of(context, builder, kind, array, builder.add(start, place))
                    if some is not None:
                        return some_at(builder, some, at)
                    found = builder.load(at)
                    found.align = 4
                    return found

                right = [read(of_b, b, further(j, beyond, s)) for s in range(others)]
                for r, row in enumerate(sums):
                    left = read(of_a, a, further(i, down, r))
                    for one, other in zip(row, right, strict=True):
                        builder.store(builder.call(fma, [left, other, builder.load(one)]), one)

            whole, rest = builder.udiv(size, number(LANES)), builder.urem(size, number(LANES))
            with cgutils.for_range(builder, whole, intp=ir.IntType(64)) as loop:
                add(builder.mul(loop.index, number(LANES)), None)
            with builder.if_then(builder.icmp_unsigned(">", rest, number(0))):
                add(builder.mul(whole, number(LANES)), front_of(builder, rest))
            for r, row in enumerate(sums):
                for s, one in enumerate(row):
                    at = place_of(context, builder, of_c, c, further(further(k, along, r), wide, s), NUMBER)
                    builder.store(total_of(builder, builder.load(one)), at)
            return context.get_dummy_value()

        n = types.int64
        return types.void(a, n, n, b, n, n, n, c, n, n, n), make

    return dots
