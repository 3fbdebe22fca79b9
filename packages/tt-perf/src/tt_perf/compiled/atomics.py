# mypy: disable-error-code="untyped-decorator, no-untyped-call, no-any-return"
"""Atomics: numbers in memory that other threads change meanwhile, and how compiled code waits for them.

    add(state, 3, 1)                        # state[3] += 1 in one go; gives what it was
    while load(state, 0) == before:         # read anew each time
        breathe()

Arrays are int64 and flat. Each access is sequentially consistent: what a thread wrote before, who sees it finds there.
"""

from __future__ import annotations

import os
import platform
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import extending, types
from numba.core import cgutils

__all__ = [
    "add",
    "address_of",
    "ask_for",
    "breathe",
    "intrinsic",
    "load",
    "prefetch",
    "step_aside",
    "store",
    "swap",
]

intrinsic: Any = extending.intrinsic

_I64 = ir.IntType(64)


def prefetch(builder: Any, place: Any, level: int) -> None:
    """Let the memory at a pointer be fetched into the caches from `level` (3: the nearest) outwards."""
    byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
    fetch = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), [byte, word, word, word]), "llvm.prefetch.p0i8"
    )
    builder.call(fetch, [place, *(ir.Constant(word, hint) for hint in (0, level, 1))])


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(builder.bitcast(data, _I64.as_pointer()), [index])


@intrinsic
def load(_: Any, array: Any, index: Any) -> Any:
    """array[index], read anew each time."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.load_atomic(
            _place(context, builder, signature.args[0], given[0], given[1]), "seq_cst", 8
        )

    return types.int64(array, types.int64), code


@intrinsic
def store(_: Any, array: Any, index: Any, value: Any) -> Any:
    """array[index] = value; what was written before is there for who sees it."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature.args[0], given[0], given[1])
        builder.store_atomic(given[2], place, "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), code


@intrinsic
def add(_: Any, array: Any, index: Any, value: Any) -> Any:
    """array[index] += value in one go; what it was."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature.args[0], given[0], given[1])
        return builder.atomic_rmw("add", place, given[2], "seq_cst")

    return types.int64(array, types.int64, types.int64), code


@intrinsic
def swap(_: Any, array: Any, index: Any, old: Any, new: Any) -> Any:
    """array[index] = new if it is `old`, in one go; whether it was."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, signature.args[0], given[0], given[1])
        return builder.extract_value(builder.cmpxchg(place, given[2], given[3], "seq_cst", "seq_cst"), 1)

    return types.boolean(array, types.int64, types.int64, types.int64), code


@intrinsic
def address_of(_: Any, array: Any) -> Any:
    """Where the numbers of an array stand."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.ptrtoint(_place(context, builder, signature.args[0], given[0], _I64(0)), _I64)

    return types.int64(array), code


@intrinsic
def ask_for(_: Any, address: Any) -> Any:
    """Let the memory at that address be fetched into this core's caches; whatever is there, and if it is nothing."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        prefetch(builder, builder.inttoptr(given[0], ir.IntType(8).as_pointer()), 3)
        return context.get_dummy_value()

    return types.void(types.int64), code


@intrinsic
def breathe(_: Any) -> Any:
    """Let the core know that this is a loop which waits; some 50 ns."""
    machine = platform.machine().lower()

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        if machine in ("x86_64", "amd64"):
            hint = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, hint, "llvm.x86.sse2.pause"), [])
        elif machine in ("aarch64", "arm64"):
            hint = ir.FunctionType(ir.VoidType(), [ir.IntType(32)])
            rest = cgutils.get_or_insert_function(builder.module, hint, "llvm.aarch64.hint")
            builder.call(rest, [ir.Constant(ir.IntType(32), 1)])
        return context.get_dummy_value()

    return types.void(), code


if hasattr(os, "sched_yield"):
    step_aside = types.ExternalFunction("sched_yield", types.int32())
    """Let another thread have this core, if one wants it; some 500 ns if none does."""
else:
    step_aside = breathe
