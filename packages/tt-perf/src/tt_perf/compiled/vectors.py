"""Wide: numba's compiler, with loops vectorised in the widest registers that the processor has.

LLVM stops at 32 bytes on processors that lowered their clock when they met instructions of 64 bytes, as those of 2017
did. Later ones do not, and the polynomials of `mathematics` run 1.6 times as fast. The preference is an attribute of
each function that is compiled this way; others of the process stay as they are.
"""

from __future__ import annotations

from typing import Any

from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

__all__ = ["Wide"]

WIDEST = '"prefer-vector-width"="512"'


class _Lower(Lower):  # type: ignore[misc]
    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)  # type: ignore[no-untyped-call]
        # llvmlite's own `add` knows some attributes only; it prints all that are in the set.
        set.add(self.function.attributes, WIDEST)


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[misc, no-untyped-call]
class _WideLowering(NativeLowering):  # type: ignore[misc]
    _name = "tt_perf_wide_lowering"

    @property
    def lowering_class(self) -> Any:
        return _Lower


class Wide(CompilerBase):  # type: ignore[misc]
    """numba's usual passes, but the one that writes LLVM's code."""

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)  # type: ignore[no-untyped-call]
        passes.passes[:] = [
            (_WideLowering if one is NativeLowering else one, what) for one, what in passes.passes
        ]
        passes.finalize()
        return [passes]
