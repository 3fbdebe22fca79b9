"""Σ x² in float64 in one pass, without a copy: for the norm of all gradients.

As exact as the float64 sum of NumPy's squares: to 1e-12 of the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tt_perf.compiled.arrays import suit
from tt_perf.compiled.jit import jit
from tt_perf.compiled.many import square_all
from tt_perf.compiled.table import fallback

__all__ = ["SumOfSquares", "sum_of_squares"]


@jit("float64(float32[::1])")
def _sum_of_squares(x: Any) -> float:
    total = 0.0
    for i in range(x.size):
        value = np.float64(x[i])
        total += value * value
    return total


class SumOfSquares:
    """The operation "sum_of_squares" of tt_optim.clip."""

    def __call__(self, chunk: Any) -> float:
        """Σ x² of a chunk of shape (n,)."""
        found = _sum_of_squares(chunk) if suit(chunk) else fallback("sum_of_squares")(chunk)
        return float(found)

    def of_many(self, arrays: Sequence[Any]) -> float | None:
        """Σ x² over the numbers of all arrays, of any shape, in one pass; None where they do not suit."""
        return square_all(arrays)


sum_of_squares = SumOfSquares()
