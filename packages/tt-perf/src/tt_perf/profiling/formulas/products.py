"""Matrix products: 2 operations for each pair of numbers that meet."""

from __future__ import annotations

import math

from tt_perf.profiling.application import Application
from tt_perf.profiling.formulas.formula import Formula

__all__ = ["FORMULAS"]


def _matmul(a: Application) -> int:
    """z[…, i, j] = Σₖ x[…, i, k] y[…, k, j]: 2 m K."""
    return 2 * a.n * (a.shape()[-1] if a.shape() else 1)


def _matmul_back(a: Application) -> int:
    return _matmul(a) * (a.wants(0) + a.wants(1))


def _linear(a: Application) -> int:
    """y = x Wᵀ + b: 2 · rows · in · out, and rows · out for the bias."""
    return 2 * a.n * a.shape(0)[-1] + (a.n if a.has(2) else 0)


def _linear_back(a: Application) -> int:
    """dx = grad W and dW = gradᵀ x are as much as the product; db is a sum."""
    return 2 * a.n * a.shape(0)[-1] * (a.wants(0) + a.wants(1)) + (a.n if a.wants(2) else 0)


def _einsum(a: Application) -> int:
    """Over all index tuples: k - 1 products of the k operands, and an addition where a label is summed."""
    tuples, summed = a.facts
    return tuples * (max(len(a.inputs) - 1, 0) + summed)


def _einsum_back(a: Application) -> int:
    """For each operand: the product of the gradient and all others, summed."""
    tuples, _ = a.facts
    wanted = sum(a.wants(i) for i in range(len(a.inputs)))
    return 0 if len(a.inputs) == 1 else tuples * len(a.inputs) * wanted


def _labels(function: object) -> tuple[int, bool]:
    """How many index tuples there are, and whether a label is summed over."""
    sizes: dict[str, int] = function.sizes  # type: ignore[attr-defined]
    return math.prod(sizes.values()), len(set(function.out)) < len(sizes)  # type: ignore[attr-defined]


FORMULAS = {
    "MatMul": Formula(_matmul, _matmul_back),
    "LinearFunction": Formula(_linear, _linear_back),
    "Einsum": Formula(_einsum, _einsum_back, facts=_labels),
}
