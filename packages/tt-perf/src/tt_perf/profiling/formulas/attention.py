"""Attention: P pairs of a query and a key that it may see, heads of D numbers, values of E.

There: q kᵀ 2 P D, scale P, softmax 5 P, times v 2 P E. Back: dv and grad vᵀ 2 P E each, dq and dk 2 P D each, and
p (· - Σ) scale: Σ grad out 2 · queries · E, 3 P. What is computed again instead of being kept does not count.

A causal query sees the keys up to its own position only: of T queries and T keys P is T (T + 1) / 2, half of T².
A mask that is an input counts as seen everywhere, and an addition a pair where it is of numbers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tt_perf.profiling.application import Application
from tt_perf.profiling.formulas.formula import Formula

__all__ = ["FORMULAS", "pairs"]


@lru_cache(maxsize=1024)
def pairs(queries: int, keys: int, causal: bool, offset: int = 0, window: int | None = None) -> int:
    """Pairs of a query and a key in its sight: key j is ahead of query i by j - i - offset."""
    total = 0
    for i in range(queries):
        last = min(keys - 1, i + offset) if causal else keys - 1
        first = 0
        if window is not None:
            first, last = max(0, i + offset - window + 1), min(last, i + offset + window - 1)
        total += max(0, last - first + 1)
    return total


Facts = tuple[int, int, int, int, int, bool, int, int | None, bool]


def _facts(function: Any) -> Facts:
    """Heads of all sequences, queries, keys, D, E, and the form."""
    (n, h, t, d), s, e, form = function.q.shape, function.k.shape[2], function.v.shape[3], function.form
    mask = getattr(function, "mask", None)
    added = mask is not None and mask.dtype.kind == "f"
    return n * h, t, s, d, e, form.causal, form.offset, form.window, added


def _seen(facts: Facts) -> int:
    heads, t, s, _, _, causal, offset, window, _ = facts
    return heads * pairs(t, s, causal, offset, window)


def _there(a: Application) -> int:
    p, d, e, added = _seen(a.facts), a.facts[3], a.facts[4], a.facts[8]
    return p * (2 * d + 6 + 2 * e + added + (2 if a.has(4) else 0))


def _back(a: Application) -> int:
    heads, t, _, d, e = a.facts[:5]
    p = _seen(a.facts)
    return p * (4 * d + 4 * e + 3 + (2 if a.has(4) else 0)) + 2 * heads * t * e


def _turn(a: Application) -> int:
    """(a cos - b sin, a sin + b cos): 6 a pair of the R numbers that turn."""
    width = a.output[-1] if a.output else 1
    return 3 * (a.n // width) * min(int(a.facts), width) if width else 0


FORMULAS = {
    "AttentionFunction": Formula(_there, _back, facts=_facts),
    "PackedAttentionFunction": Formula(_there, _back, facts=_facts),
    "RotaryFunction": Formula(_turn, _turn, facts=lambda function: function.rotation.size),
}
