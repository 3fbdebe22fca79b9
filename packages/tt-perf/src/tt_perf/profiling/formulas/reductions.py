"""Reductions, softmax, sorting: n elements go in, m come out."""

from __future__ import annotations

import math

import numpy as np

from tt_perf.profiling.application import Application
from tt_perf.profiling.formulas.formula import Formula
from tt_tensor import Function

__all__ = ["FORMULAS"]


def _reduced(into: int, out: int, back_in: int, back_out: int) -> Formula:
    """So many operations for each element that goes in, and for each that comes out; then those of the rule."""
    return Formula(
        lambda a: into * a.size() + out * a.n,
        lambda a: back_in * a.size() + back_out * a.n if a.wants(0) else 0,
    )


def _sorted(a: Application) -> int:
    """n log₂ n comparisons along an axis, whose length is what `facts` says."""
    length: int = a.facts
    return a.size() * max(math.ceil(math.log2(length)), 0) if length > 1 else 0


FORMULAS = {
    "Sum": _reduced(1, 0, 0, 0),
    "Mean": _reduced(1, 1, 0, 1),
    "Prod": _reduced(1, 0, 2, 0),  # grad y / x
    "Max": _reduced(1, 0, 2, 0),  # is x the greatest? times grad
    "Min": _reduced(1, 0, 2, 0),
    "Var": _reduced(4, 2, 2, 2),  # Σ x, - mean, square, Σ; the mean and the result are divided
    "Std": _reduced(4, 3, 2, 3),
    "Norm": _reduced(2, 1, 1, 1),  # square, Σ; root
    "LogSumExp": _reduced(4, 2, 3, 0),  # max, -, exp, Σ; log, + max. Back: exp(x - y) grad
    "Softmax": _reduced(5, 0, 4, 0),  # max, -, exp, Σ, /. Back: grad y, Σ, -, times y
    "LogSoftmax": _reduced(
        5, 0, 4, 0
    ),  # max, -, exp, Σ, -, the logs of rows left out. Back: Σ grad, exp, times, -
    "Sort": Formula(_sorted, lambda a: 0, facts=lambda function: _length(function)),
    "TopK": Formula(_sorted, lambda a: a.n, facts=lambda function: _length(function)),
}


def _length(function: Function) -> int:
    """How long the axis is along which a Function sorts: all of the input where it has none of its own."""
    x = function.inputs[0]
    shape = x.output_shape if isinstance(x, Function) else np.shape(getattr(x, "array", x))
    axis = getattr(function, "axis", -1)
    return shape[axis] if shape and isinstance(axis, int) else math.prod(shape)
