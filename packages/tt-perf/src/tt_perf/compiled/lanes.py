# mypy: disable-error-code="untyped-decorator, no-untyped-call, no-any-return"
"""Lanes: sixteen float32 at once, as a type that compiled kernels can name.

    a = load(x, i)                # x[i : i + 16] of a flat array
    store(y, i, 2.0 * a + b)      # + - * of lanes, and with a number

A loop over a short row of channels is not worth the checks that LLVM puts before it (may these seven arrays overlap?).
A kernel that works on lanes has no such loop: it says itself what goes into a register of the processor, and when it
is written. Where a register holds less than 16 numbers, LLVM takes several.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

from tt_perf.compiled.atomics import intrinsic, prefetch
from tt_perf.compiled.jit import FAST

__all__ = [
    "LANES",
    "NUMBER",
    "VECTOR",
    "any_at_all",
    "ask_for",
    "at_least",
    "choose",
    "front",
    "front_of",
    "greater",
    "higher",
    "lined_up",
    "load",
    "load_some",
    "pick",
    "piece",
    "place_of",
    "some_at",
    "splat",
    "spread",
    "store",
    "store_small",
    "store_some",
    "total",
    "total_of",
    "where",
    "where_small",
]

LANES = 16
"""How many numbers: those of the widest registers that there are, 64 bytes."""

NUMBER = ir.FloatType()
VECTOR = ir.VectorType(NUMBER, LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)
_BYTES = ir.VectorType(ir.IntType(8), LANES)
_FLAGS = tuple(sorted(FAST))


class _Lanes(types.Type):
    pass


lanes = _Lanes("lanes")
mask = _Lanes("mask")
small = _Lanes("small")
_STORED = {"lanes": VECTOR, "mask": _MASK, "small": _BYTES}


@register_model(_Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _STORED[kind.name])


def piece(function: Callable[..., Any]) -> Any:
    """A function of lanes that becomes a part of each kernel that calls it."""
    return numba.njit(nogil=True, fastmath=FAST, error_model="numpy", forceinline=True)(function)


def splat(builder: Any, number: Any) -> Any:
    some = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(some, ir.Constant(VECTOR, ir.Undefined), order)


def _operation(function: Any, name: str) -> None:
    """`function` (operator.add, …) for lanes and lanes, lanes and a number, a number and lanes."""

    @infer_global(function)
    class _Template(ConcreteTemplate):  # type: ignore[misc]
        cases = [
            signature(lanes, lanes, lanes),
            signature(lanes, lanes, types.float64),
            signature(lanes, types.float64, lanes),
        ]

    def lower(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        a, b = (
            value if kind == lanes else splat(builder, builder.fptrunc(value, NUMBER))
            for kind, value in zip(kinds.args, values, strict=True)
        )
        return getattr(builder, name)(a, b, flags=_FLAGS)

    for kinds in ((lanes, lanes), (lanes, types.float64), (types.float64, lanes)):
        lower_builtin(function, *kinds)(lower)


_operation(operator.add, "fadd")
_operation(operator.sub, "fsub")
_operation(operator.mul, "fmul")


def place_of(context: Any, builder: Any, kind: Any, array: Any, index: Any, vector: Any = VECTOR) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index], inbounds=True), vector.as_pointer())


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """array[index : index + 16] of a flat float32 array."""

    def make(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        found = builder.load(place_of(context, builder, kinds.args[0], *values))
        found.align = 4
        return found

    return lanes(array, types.intp), make


@intrinsic
def front(typing: Any, count: Any) -> Any:
    """The first `count` lanes, all of them where that is 16 or more: a mask."""

    def make(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        return front_of(builder, context.cast(builder, values[0], kinds.args[0], types.int64))

    return mask(count), make


def front_of(builder: Any, count: Any) -> Any:
    """The code of `front`, for an int64."""
    word = ir.VectorType(ir.IntType(32), LANES)
    numbers = ir.Constant(word, list(range(LANES)))
    count = builder.trunc(count, ir.IntType(32))
    some = builder.insert_element(ir.Constant(word, ir.Undefined), count, ir.Constant(ir.IntType(32), 0))
    order = ir.Constant(word, [0] * LANES)
    return builder.icmp_signed("<", numbers, builder.shuffle_vector(some, some, order))


@intrinsic
def where(typing: Any, there: Any, some: Any) -> Any:
    """`some`, a mask, where `there`, else none."""

    def make(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        return builder.select(*values, ir.Constant(_MASK, [0] * LANES))

    return mask(types.boolean, mask), make


@intrinsic
def load_some(typing: Any, some: Any, array: Any, index: Any) -> Any:
    """The lanes of array[index : index + 16] in the mask, else zeros; the others are not read."""

    def make(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        some, array, index = values
        return some_at(builder, some, place_of(context, builder, kinds.args[1], array, index))

    return lanes(mask, array, types.intp), make


def some_at(builder: Any, some: Any, place: Any) -> Any:
    """The code of `load_some`, for a place in memory."""
    kind = ir.FunctionType(VECTOR, [place.type, ir.IntType(32), _MASK, VECTOR])
    read = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.load.v16f32.p0v16f32")
    return builder.call(
        read, [place, ir.Constant(ir.IntType(32), 4), some, ir.Constant(VECTOR, [0.0] * LANES)]
    )


@intrinsic
def store_some(typing: Any, some: Any, array: Any, index: Any, values: Any) -> Any:
    """The lanes in the mask to array[index : index + 16]; the others are not touched."""

    def make(context: Any, builder: Any, kinds: Any, given: Any) -> Any:
        some, array, index, value = given
        place = place_of(context, builder, kinds.args[1], array, index)
        kind = ir.FunctionType(ir.VoidType(), [VECTOR, place.type, ir.IntType(32), _MASK])
        write = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.store.v16f32.p0v16f32")
        builder.call(write, [value, place, ir.Constant(ir.IntType(32), 4), some])
        return context.get_dummy_value()

    return types.void(mask, array, types.intp, lanes), make


@intrinsic
def ask_for(typing: Any, array: Any, index: Any) -> Any:
    """Let the processor fetch array[index] and what is beside it into its level-2 cache; beyond the end it may be."""

    def make(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        data = context.make_array(kinds.args[0])(context, builder, values[0]).data
        place = builder.bitcast(builder.gep(data, [values[1]]), ir.IntType(8).as_pointer())
        prefetch(builder, place, 2)
        return context.get_dummy_value()

    return types.void(array, types.intp), make


@intrinsic
def store(typing: Any, array: Any, index: Any, values: Any) -> Any:
    """array[index : index + 16] = values."""

    def make(context: Any, builder: Any, kinds: Any, given: Any) -> Any:
        array, index, value = given
        builder.store(value, place_of(context, builder, kinds.args[0], array, index)).align = 4
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), make


@intrinsic
def spread(typing: Any, number: Any) -> Any:
    """One number in all lanes."""

    def make(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        return splat(builder, context.cast(builder, values[0], kinds.args[0], types.float32))

    return lanes(number), make


@intrinsic
def total(typing: Any, values: Any) -> Any:
    """The sum of the lanes, a number."""

    def make(context: Any, builder: Any, kinds: Any, given: Any) -> Any:
        return total_of(builder, given[0])

    return types.float32(lanes), make


def total_of(builder: Any, values: Any) -> Any:
    """The code of `total`."""
    add = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(NUMBER, [NUMBER, VECTOR]), "llvm.vector.reduce.fadd.v16f32"
    )
    return builder.call(add, [ir.Constant(NUMBER, -0.0), values], fastmath=_FLAGS)


@intrinsic
def choose(typing: Any, where: Any, a: Any, b: Any) -> Any:
    """The small number a where the mask is set, else b: small numbers, or one of them, in 16 bytes."""
    return small(where, a, b), lambda context, builder, kinds, values: builder.select(
        values[0],
        *(_small(builder, kind, value) for kind, value in zip(kinds.args[1:], values[1:], strict=True)),
    )


def _small(builder: Any, kind: Any, value: Any) -> Any:
    if kind == small:
        return value
    some = builder.insert_element(
        ir.Constant(_BYTES, ir.Undefined), builder.trunc(value, ir.IntType(8)), ir.Constant(ir.IntType(32), 0)
    )
    order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(some, ir.Constant(_BYTES, ir.Undefined), order)


@intrinsic
def store_small(typing: Any, array: Any, index: Any, values: Any) -> Any:
    """array[index : index + 16] = values, of a flat uint8 array."""

    def make(context: Any, builder: Any, kinds: Any, given: Any) -> Any:
        array, index, value = given
        builder.store(value, place_of(context, builder, kinds.args[0], array, index, _BYTES)).align = 1
        return context.get_dummy_value()

    return types.void(array, types.intp, small), make


@intrinsic
def where_small(typing: Any, array: Any, index: Any, number: Any) -> Any:
    """Where array[index : index + 16], of a flat uint8 array, is `number`: a mask."""

    def make(context: Any, builder: Any, kinds: Any, given: Any) -> Any:
        array, index, number = given
        found = builder.load(place_of(context, builder, kinds.args[0], array, index, _BYTES))
        found.align = 1
        return builder.icmp_unsigned("==", found, _small(builder, kinds.args[2], number))

    return mask(array, types.intp, types.int64), make


@intrinsic
def any_at_all(typing: Any, values: Any) -> Any:
    """Is a lane other than zero? NaN is."""

    def make(context: Any, builder: Any, kinds: Any, given: Any) -> Any:
        found = builder.fcmp_unordered("!=", given[0], ir.Constant(VECTOR, [0.0] * LANES))
        bits = builder.bitcast(found, ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(lanes), make


@intrinsic
def greater(typing: Any, a: Any, b: Any) -> Any:
    """Where a > b: a mask."""

    def make(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        return builder.fcmp_ordered(">", *values)

    return mask(lanes, lanes), make


@intrinsic
def higher(typing: Any, a: Any, b: Any) -> Any:
    """Where a > b, or a is NaN: a mask."""

    def make(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        # not (a <= b) would be true for a NaN in b, too.
        more = builder.fcmp_ordered(">", *values)
        return builder.or_(more, builder.fcmp_unordered("uno", values[0], values[0]))

    return mask(lanes, lanes), make


@intrinsic
def pick(typing: Any, where: Any, a: Any, b: Any) -> Any:
    """a where the mask is set, else b."""

    def make(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
        return builder.select(*values)

    return lanes(mask, lanes, lanes), make


@piece
def at_least(z: Any, least: Any) -> Any:
    """max(z, least), NaN where z is."""
    return pick(higher(z, least), z, least)


@piece
def lined_up(size: Any) -> Any:
    """The next multiple of 16."""
    return (size + LANES - 1) // LANES * LANES
