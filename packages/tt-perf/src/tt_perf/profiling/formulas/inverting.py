"""Inverse, solve and determinant of n by n matrices, by elimination; the search for a pivot does not count.

Factors x = l u: at each of n pivots the m below are divided by it, then m² numbers get a multiply-add: 2/3 n³ in all.
A column of a solution goes through l and u: n (n - 1) multiply-adds, and n divisions.
Inverse in place, by Gauss and Jordan: at each pivot 1 / p, its row times that, (n - 1)² multiply-adds, and its column
times -1 / p: 2 n³ in all.
"""

from __future__ import annotations

import math

from tt_perf.profiling.application import Application
from tt_perf.profiling.formulas.formula import Formula

__all__ = ["FORMULAS"]


def _matrices(a: Application) -> tuple[int, int]:
    """How many matrices go in, and n."""
    shape = a.shape()
    return math.prod(shape[:-2]), shape[-1]


def _factors(n: int) -> int:
    """Σ of m + 2 m² over m = 0, …, n - 1."""
    return n * (n - 1) * (4 * n + 1) // 6


def _inverted(n: int) -> int:
    """n pivots: 1 + (n - 1) + 2 (n - 1)² + (n - 1)."""
    return n * (2 * n * n - 2 * n + 1)


def _inverse(a: Application) -> int:
    count, n = _matrices(a)
    return count * _inverted(n)


def _inverse_back(a: Application) -> int:
    """-yᵀ grad yᵀ: two products and the sign."""
    count, n = _matrices(a)
    return count * (4 * n**3 + n * n) if a.wants(0) else 0


def _solve(a: Application) -> int:
    count, n = _matrices(a)
    return count * _factors(n) + a.n * (2 * n - 1)


def _solve_back(a: Application) -> int:
    """db = a⁻ᵀ grad, the factors being kept; da = -db yᵀ: a product and the sign. Then what undoes broadcasting."""
    n = a.shape()[-1]
    found = a.n * (2 * n - 1) if a.wants(0) or a.wants(1) else 0
    if a.wants(0):
        found += 2 * a.n * n + a.size(0)
    return found + (a.n if a.wants(1) and a.size(1) < a.n else 0)


def _det(a: Application) -> int:
    """The factors, then n - 1 products of what stands on the diagonal of u."""
    count, n = _matrices(a)
    return count * (_factors(n) + max(n - 1, 0))


def _det_back(a: Application) -> int:
    """grad y x⁻ᵀ: an inverse, grad y, and that times each of n²."""
    count, n = _matrices(a)
    return count * (_inverted(n) + 1 + n * n) if a.wants(0) else 0


FORMULAS = {
    "Inverse": Formula(_inverse, _inverse_back),
    "Solve": Formula(_solve, _solve_back),
    "Det": Formula(_det, _det_back),
}
