"""Sums of products of bytes, by the instruction that processors have for them.

VPDPBUSD multiplies 64 unsigned bytes by 64 signed ones and adds each four neighbours to an int32: four times what the
same register does in float32. LLVM does not make it from a loop, so it is asked for by its name here, where the
processor has it. Elsewhere, products are added up in float32, in which they are exact up to 2²⁴.

Source: Intel, "Architecture Instruction Set Extensions", AVX512_VNNI (64 bytes) and AVX-VNNI (32).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tt_perf.compiled.jit import inline

__all__ = ["STREAMS", "WIDTH", "dot", "far_dots", "far_sums"]

EXACT = 512
"""Products of bytes, 255 · 127 at most, that add up exactly in float32."""


def _width() -> int:
    """Bytes that one instruction takes; 0 where there is none."""
    config: Any = numba.config
    if config.CPU_FEATURES is not None:
        having = set(config.CPU_FEATURES.replace(",", " ").split())
    elif config.CPU_NAME not in (None, "host"):
        having = set()
    else:
        having = {"+" + name for name, there in binding.get_host_cpu_features().items() if there}
    if {"+avx512vnni", "+avx512bw"} <= having:
        return 64
    return 32 if "+avxvnni" in having else 0


WIDTH = _width()

STREAMS = 8 if WIDTH == 64 else 4
"""Rows of weights that go by at once, as many as there are registers for."""

AHEAD = 1536
"""Bytes ahead of their use that weights are asked for, in each of the runs of memory that are read side by side."""

_llvm: Any = cgutils
_types: Any = types

_I8, _I32, _I64, _F32 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
_LANES = max(WIDTH // 4, 1)
_INTS, _FLOATS = ir.VectorType(_I32, _LANES), ir.VectorType(_F32, _LANES)
_BYTES = ir.VectorType(_I8, max(WIDTH, 1))
_LOOSE = ("contract", "reassoc", "nsz")


def _function(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    return _llvm.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


class _Rows:
    """Sums of products of bytes for some rows of weights that are `stride` bytes apart: code that LLVM compiles.

    Activations have `planes` bytes each, those of a plane `between` bytes behind those of the one before. Each weight
    is read once for all planes.
    """

    def __init__(
        self, builder: Any, codes: Any, between: Any, weights: Any, stride: Any, rows: int, planes: int
    ) -> None:
        self.builder, self.codes, self.weights, self.planes = builder, codes, weights, planes
        self.offsets = [builder.mul(stride, ir.Constant(_I64, row)) for row in range(rows)]
        self.behind = [builder.mul(between, ir.Constant(_I64, plane)) for plane in range(planes)]
        self.zeros = ir.Constant(_INTS, [0] * _LANES)
        self.sums = [
            [_llvm.alloca_once_value(builder, self.zeros) for _ in range(planes)] for _ in range(rows)
        ]
        self.multiply = _function(
            builder, f"llvm.x86.avx512.vpdpbusd.{8 * WIDTH}", _INTS, _INTS, _INTS, _INTS
        )
        self.fetch = _function(
            builder, "llvm.prefetch.p0i8", ir.VoidType(), _I8.as_pointer(), _I32, _I32, _I32
        )

    def clear(self) -> None:
        """All sums are 0."""
        for row in self.sums:
            for one in row:
                self.builder.store(self.zeros, one)

    def some(self, pointer: Any, place: Any) -> Any:
        """WIDTH bytes from there on."""
        builder = self.builder
        found = builder.load(builder.bitcast(builder.gep(pointer, [place]), _BYTES.as_pointer()))
        found.align = 1
        return builder.bitcast(found, _INTS)

    def add(self, first: Any, steps: Any) -> None:
        """The products of `steps` times WIDTH columns from `first` on."""
        builder = self.builder
        with _llvm.for_range(builder, steps, intp=_I64) as loop:
            place = builder.add(first, builder.mul(loop.index, ir.Constant(_I64, WIDTH)))
            x = [self.some(self.codes, builder.add(place, behind)) for behind in self.behind]
            for offset, sums in zip(self.offsets, self.sums, strict=True):
                here = builder.add(place, offset)
                # What the processor foresees by itself ends with a page, and comes late for runs as short as rows.
                later = builder.gep(self.weights, [builder.add(here, ir.Constant(_I64, AHEAD))])
                builder.call(self.fetch, [later, *(ir.Constant(_I32, hint) for hint in (0, 3, 1))])
                w = self.some(self.weights, here)
                for plane, one in zip(x, sums, strict=True):
                    builder.store(builder.call(self.multiply, [builder.load(one), plane, w]), one)

    def integers(self) -> list[Any]:
        """Each sum as an int32, for each row those of its planes."""
        add = _function(self.builder, f"llvm.vector.reduce.add.v{_LANES}i32", _I32, _INTS)
        return [self.builder.call(add, [self.builder.load(one)]) for row in self.sums for one in row]

    def floats(self) -> list[Any]:
        """The sums of each row as one of float32, still in lanes."""
        builder, found = self.builder, []
        for row in self.sums:
            whole = builder.sitofp(builder.load(row[0]), _FLOATS)
            for one in row[1:]:
                high = builder.fmul(whole, ir.Constant(_FLOATS, [256.0] * _LANES), flags=_LOOSE)
                whole = builder.fadd(high, builder.sitofp(builder.load(one), _FLOATS), flags=_LOOSE)
            found.append(whole)
        return found


def _rows(context: Any, builder: Any, signature: Any, given: Any, rows: int, planes: int) -> _Rows:
    """For arguments that begin codes, i, between, weights, j, stride."""
    codes, i, between, weights, j, stride = given[:6]
    p = builder.gep(context.make_array(signature.args[0])(context, builder, codes).data, [i])
    q = builder.gep(context.make_array(signature.args[3])(context, builder, weights).data, [j])
    return _Rows(builder, p, between, q, stride, rows, planes)


def _exact(rows: int, planes: int) -> Any:
    @intrinsic
    def summed(
        typing: Any, codes: Any, i: Any, between: Any, weights: Any, j: Any, stride: Any, n: Any
    ) -> Any:
        def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            found = _rows(context, builder, signature, given, rows, planes)
            found.add(ir.Constant(_I64, 0), builder.udiv(given[6], ir.Constant(_I64, WIDTH)))
            return context.make_tuple(builder, signature.return_type, found.integers())

        kind = _types.UniTuple(types.int32, rows * planes)
        return kind(codes, *[types.int64] * 2, weights, *[types.int64] * 3), make

    return summed


def _scaled(rows: int, planes: int) -> Any:
    @intrinsic
    def summed(
        typing: Any, codes: Any, i: Any, between: Any, weights: Any, j: Any, stride: Any, n: Any, size: Any,
        scale: Any, at: Any, apart: Any,
    ) -> Any:  # fmt: skip
        def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            found = _rows(context, builder, signature, given, rows, planes)
            n, size, scale, at, apart = given[6:]
            s = builder.gep(context.make_array(signature.args[8])(context, builder, scale).data, [at])
            nothing = ir.Constant(_FLOATS, [0.0] * _LANES)
            totals = [_llvm.alloca_once_value(builder, nothing) for _ in range(rows)]
            for total in totals:
                builder.store(nothing, total)
            groups = builder.udiv(builder.add(n, builder.sub(size, ir.Constant(_I64, 1))), size)
            with _llvm.for_range(builder, groups, intp=_I64) as loop:
                first = builder.mul(loop.index, size)
                rest = builder.sub(n, first)
                length = builder.select(builder.icmp_signed("<", rest, size), rest, size)
                found.clear()
                found.add(first, builder.udiv(length, ir.Constant(_I64, WIDTH)))
                for row, (total, whole) in enumerate(zip(totals, found.floats(), strict=True)):
                    place = builder.add(loop.index, builder.mul(apart, ir.Constant(_I64, row)))
                    one = builder.insert_element(
                        ir.Constant(_FLOATS, ir.Undefined),
                        builder.load(builder.gep(s, [place])),
                        ir.Constant(_I32, 0),
                    )
                    all_of_them = builder.shuffle_vector(
                        one,
                        ir.Constant(_FLOATS, ir.Undefined),
                        ir.Constant(ir.VectorType(_I32, _LANES), [0] * _LANES),
                    )
                    part = builder.fmul(whole, all_of_them, flags=_LOOSE)
                    builder.store(builder.fadd(builder.load(total), part, flags=_LOOSE), total)
            add = _function(builder, f"llvm.vector.reduce.fadd.v{_LANES}f32", _F32, _F32, _FLOATS)
            sums = [
                builder.call(add, [ir.Constant(_F32, 0.0), builder.load(total)], fastmath=_LOOSE)
                for total in totals
            ]
            return context.make_tuple(builder, signature.return_type, sums)

        kind = _types.UniTuple(types.float32, rows)
        given = codes, *[types.int64] * 2, weights, *[types.int64] * 4, scale, *[types.int64] * 2
        return kind(*given), make

    return summed


if WIDTH:
    _one, _far, _far_two = _exact(1, 1), _exact(STREAMS, 1), _exact(STREAMS, 2)
    far_scaled, far_two_scaled = _scaled(STREAMS, 1), _scaled(STREAMS, 2)

    @inline
    def dot(codes: Any, i: Any, weights: Any, j: Any, n: Any) -> Any:
        """Σ codes[i + k] · weights[j + k] over k < n: flat arrays of uint8 and int8."""
        whole = n - n % WIDTH
        total = np.int64(_one(codes, i, 0, weights, j, 0, whole)[0])
        for k in range(whole, n):
            total += np.int64(codes[i + k]) * np.int64(weights[j + k])
        return total

    @inline
    def far_dots(
        codes: Any, i: Any, planes: Any, weights: Any, j: Any, stride: Any, n: Any, found: Any
    ) -> None:
        """found[s] = the same for STREAMS rows of weights, which begin at j, j + stride, …, for each plane of n codes.

        Of two planes the first are the higher bytes: 256 times theirs, and the other's.
        """
        whole = n - n % WIDTH
        if planes == 1:
            sums = _far(codes, i, n, weights, j, stride, whole)
            for s in range(STREAMS):
                found[s] = np.int64(sums[s])
        else:
            both = _far_two(codes, i, n, weights, j, stride, whole)
            for s in range(STREAMS):
                found[s] = 256 * np.int64(both[2 * s]) + np.int64(both[2 * s + 1])
        for k in range(whole, n):
            x = np.int64(codes[i + k])
            if planes == 2:
                x = 256 * x + np.int64(codes[i + n + k])
            for s in range(STREAMS):
                found[s] += x * np.int64(weights[j + s * stride + k])

    @inline
    def far_sums(
        codes: Any, i: Any, planes: Any, weights: Any, j: Any, stride: Any, n: Any, size: Any, scale: Any, at: Any,
        apart: Any, found: Any,
    ) -> None:  # fmt: skip
        """found[s] = Σ scale · Σ over groups of `size` columns; both n and size are multiples of WIDTH.

        The scales of row s begin at `at` + s · `apart`.
        """
        if planes == 1:
            sums = far_scaled(codes, i, n, weights, j, stride, n, size, scale, at, apart)
            for s in range(STREAMS):
                found[s] = sums[s]
        else:
            sums = far_two_scaled(codes, i, n, weights, j, stride, n, size, scale, at, apart)
            for s in range(STREAMS):
                found[s] = sums[s]

else:

    @inline
    def dot(codes: Any, i: Any, weights: Any, j: Any, n: Any) -> Any:
        """Σ codes[i + k] · weights[j + k] over k < n: flat arrays of uint8 and int8."""
        total = np.int64(0)
        for start in range(0, n, EXACT):
            part = np.float32(0)
            for k in range(start, min(start + EXACT, n)):
                part += np.float32(codes[i + k]) * np.float32(weights[j + k])
            total += np.int64(part)
        return total

    @inline
    def far_dots(
        codes: Any, i: Any, planes: Any, weights: Any, j: Any, stride: Any, n: Any, found: Any
    ) -> None:
        """found[s] = the same for STREAMS rows of weights, which begin at j, j + stride, …; see above."""
        for s in range(STREAMS):
            total = dot(codes, i, weights, j + s * stride, n)
            found[s] = 256 * total + dot(codes, i + n, weights, j + s * stride, n) if planes == 2 else total

    @inline
    def far_sums(
        codes: Any, i: Any, planes: Any, weights: Any, j: Any, stride: Any, n: Any, size: Any, scale: Any, at: Any,
        apart: Any, found: Any,
    ) -> None:  # fmt: skip
        """Never called where WIDTH is 0."""
        found[:] = np.nan
