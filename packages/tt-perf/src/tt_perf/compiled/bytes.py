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

__all__ = ["WIDTH", "dot", "dot_four"]

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

AHEAD = 4096
"""Bytes ahead of their use that weights are asked for: rows lie one behind the other, so each is, once."""

_llvm: Any = cgutils
_types: Any = types

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _sums(context: Any, builder: Any, signature: Any, given: Any, rows: int) -> list[Any]:
    """Σ over n bytes of p[i + …] · q[j + row · stride + …], for so many rows, n a multiple of WIDTH."""
    lanes = WIDTH // 4
    vector, loaded = ir.VectorType(_I32, lanes), ir.VectorType(ir.IntType(8), WIDTH)
    codes, i, weights, j, stride, n = given
    p = builder.gep(context.make_array(signature.args[0])(context, builder, codes).data, [i])
    q = builder.gep(context.make_array(signature.args[2])(context, builder, weights).data, [j])
    multiply = _llvm.get_or_insert_function(
        builder.module,
        ir.FunctionType(vector, [vector, vector, vector]),
        f"llvm.x86.avx512.vpdpbusd.{8 * WIDTH}",
    )
    add = _llvm.get_or_insert_function(
        builder.module, ir.FunctionType(_I32, [vector]), f"llvm.vector.reduce.add.v{lanes}i32"
    )
    byte = ir.IntType(8).as_pointer()
    fetch = _llvm.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32]), "llvm.prefetch.p0i8"
    )
    sums = [
        _llvm.alloca_once_value(builder, ir.Constant(vector, [0] * lanes), f"sum{row}") for row in range(rows)
    ]
    for one in sums:
        builder.store(ir.Constant(vector, [0] * lanes), one)

    def some(pointer: Any, place: Any) -> Any:
        found = builder.load(builder.bitcast(builder.gep(pointer, [place]), loaded.as_pointer()))
        found.align = 1
        return builder.bitcast(found, vector)

    steps = builder.udiv(n, ir.Constant(_I64, WIDTH))
    with _llvm.for_range(builder, steps, intp=_I64) as loop:
        place = builder.mul(loop.index, ir.Constant(_I64, WIDTH))
        x = some(p, place)
        for row, one in enumerate(sums):
            here = builder.add(place, builder.mul(stride, ir.Constant(_I64, row)))
            # The rows after the next ones: rows end often, and what the processor foresees by itself ends with them.
            later = builder.gep(q, [builder.add(here, ir.Constant(_I64, AHEAD))])
            builder.call(fetch, [later, *(ir.Constant(_I32, hint) for hint in (0, 3, 1))])
            w = some(q, here)
            builder.store(builder.call(multiply, [builder.load(one), x, w]), one)
    return [builder.call(add, [builder.load(one)]) for one in sums]


def _dot(rows: int) -> Any:
    @intrinsic
    def summed(typing: Any, codes: Any, i: Any, weights: Any, j: Any, stride: Any, n: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            found = _sums(context, builder, signature, given, rows)
            return context.make_tuple(builder, signature.return_type, found)

        kind = _types.UniTuple(types.int32, rows)
        return kind(codes, types.int64, weights, types.int64, types.int64, types.int64), make

    return summed


if WIDTH:
    _one, _four = _dot(1), _dot(4)

    @inline
    def dot(codes: Any, i: Any, weights: Any, j: Any, n: Any) -> Any:
        """Σ codes[i + k] · weights[j + k] over k < n: flat arrays of uint8 and int8."""
        whole = n - n % WIDTH
        total = np.int64(_one(codes, i, weights, j, 0, whole)[0])
        for k in range(whole, n):
            total += np.int64(codes[i + k]) * np.int64(weights[j + k])
        return total

    @inline
    def dot_four(codes: Any, i: Any, weights: Any, j: Any, stride: Any, n: Any) -> Any:
        """The same for four rows of weights, which begin at j, j + stride, …"""
        whole = n - n % WIDTH
        a, b, c, d = _four(codes, i, weights, j, stride, whole)
        for k in range(whole, n):
            x = np.int32(codes[i + k])
            a += x * np.int32(weights[j + k])
            b += x * np.int32(weights[j + stride + k])
            c += x * np.int32(weights[j + 2 * stride + k])
            d += x * np.int32(weights[j + 3 * stride + k])
        return np.int64(a), np.int64(b), np.int64(c), np.int64(d)

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
    def dot_four(codes: Any, i: Any, weights: Any, j: Any, stride: Any, n: Any) -> Any:
        """The same for four rows of weights, which begin at j, j + stride, …"""
        return (
            dot(codes, i, weights, j, n),
            dot(codes, i, weights, j + stride, n),
            dot(codes, i, weights, j + 2 * stride, n),
            dot(codes, i, weights, j + 3 * stride, n),
        )
