"""How many floating-point operations each Function takes, forward and backward, from its shapes.

Conventions:

- +, -, x, / and a comparison count one each, a multiply-add two; so does each of exp, log, tanh, sqrt, erf, pow,
  whatever a processor makes of it.
- The formula counts, as it stands in the docstring of the Function, not the way a kernel takes: Winograd's trick, the
  scores that attention computes again for its gradient, the padding of a block are no work that was asked for.
- Zeros of padding count as pixels do. A score that a causal mask or a window rules out does not count.
- Backward counts the gradients that were asked for only, and the sums that undo broadcasting.
- Copies, gathers, casts and views count nothing; their bytes do.
"""

from __future__ import annotations

from tt_perf.profiling.formulas import (
    attention,
    elementwise,
    images,
    inverting,
    losses,
    moves,
    normalization,
    products,
    quantized,
    recurrent,
    reductions,
)
from tt_perf.profiling.formulas.formula import Formula

__all__ = ["FORMULAS", "Formula"]

FORMULAS: dict[str, Formula] = {
    **elementwise.FORMULAS,
    **reductions.FORMULAS,
    **products.FORMULAS,
    **inverting.FORMULAS,
    **moves.FORMULAS,
    **normalization.FORMULAS,
    **losses.FORMULAS,
    **images.FORMULAS,
    **attention.FORMULAS,
    **recurrent.FORMULAS,
    **quantized.FORMULAS,
}
"""Class of Function → its formula, for the Functions of all tt wheels."""
