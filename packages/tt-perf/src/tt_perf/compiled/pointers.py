# mypy: disable-error-code="untyped-decorator, no-untyped-call, no-any-return"
"""Pointers: arrays that compiled code is given by their addresses.

A kernel takes arrays one by one, which for a hundred of them costs more than the numbers of a small model. A table of
addresses is one array. Who makes it holds what it points to for as long as the kernel runs.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from tt_perf.compiled.jit import inline

__all__ = ["carray", "floats", "pointer_to", "vector"]

carray: Any = numba.carray  # type: ignore[attr-defined]


def pointer_to(kind: Any, llvm: Any) -> Any:
    """A function of compiled code: an address as a pointer to such numbers."""

    def pointer(_: Any, place: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            return builder.inttoptr(given[0], llvm.as_pointer())

        return types.CPointer(kind)(types.int64), code

    made: Any = intrinsic(pointer)
    return made


floats: Any = pointer_to(types.float32, ir.FloatType())


@inline
def vector(place: Any, length: Any) -> Any:
    """So many float32 at that address; none where there is no address."""
    return carray(floats(place), length if place else 0)
