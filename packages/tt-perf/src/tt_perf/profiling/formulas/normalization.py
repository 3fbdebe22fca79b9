"""Normalisation: x̂ = (x - mean) r over groups of numbers, then a weight and a bias.

There, each number: Σ x, -, square, Σ, times r: 5 (RMS has no mean: square, Σ, times r: 3), 1 for a weight and 1 for a
bias. Each group: the mean and the variance are divided, + eps, 1 / √: 5 (RMS: 4).

Back, each number, d = w · grad: Σ d; d x̂, Σ; d - mean(d); x̂ mean(d x̂), -; times r: 7 (RMS: 5), and 1 for the weight.
dw = Σ grad x̂: 2. db = Σ grad: 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tt_perf.profiling.application import Application
from tt_perf.profiling.formulas.formula import Formula

__all__ = ["FORMULAS"]


def _there(each: int, group: int) -> Callable[[Application], int]:
    """`facts` is the number of groups."""
    return lambda a: a.n * (each + a.has(1) + a.has(2)) + group * a.facts


def _back(each: int) -> Callable[[Application], int]:
    def backward(a: Application) -> int:
        of_x = (each + a.has(1)) * a.wants(0)
        return a.n * (of_x + 2 * a.wants(1) + a.wants(2))

    return backward


def _eval_back(a: Application) -> int:
    """Running statistics are constants: dx = grad (w r). dw = Σ grad (x - mean) r: 4."""
    return a.n * (a.wants(0) + 4 * a.wants(1) + a.wants(2))


def _rows(function: Any) -> int:
    size = 1
    for length in function.output_shape[: len(function.output_shape) - len(function.shape)]:
        size *= length
    return size


def _channels(function: Any) -> int:
    shape = function.output_shape
    return int(shape[1]) if len(shape) > 1 else 1


FORMULAS = {
    "LayerNormFunction": Formula(_there(5, 5), _back(7), facts=_rows),
    "RMSNormFunction": Formula(_there(3, 4), _back(5), facts=_rows),
    "BatchNormFunction": Formula(_there(5, 5), _back(7), facts=_channels),
    # x - mean, times r; r is one number a channel: + eps, 1 / √.
    "BatchNormEvalFunction": Formula(_there(2, 3), _eval_back, facts=_channels),
    "GroupNormFunction": Formula(_there(5, 5), _back(7), facts=lambda f: f.output_shape[0] * f.groups),
}
