"""Recurrent networks: T steps of N sequences, I numbers in, H in a state, G gates.

There, at each step: W_ih x and W_hh h, 2 G H (I + H); their sum 1 for each of G H, and 1 for each of two biases; then
what `_Kind` says for each number of the state.

Back, at each step: the gradient at the sums, as `_Kind` says; W_hhᵀ times it, 2 G H H, and what is carried beside it,
to the step before, so the first step only does that where the gradient of the initial state is asked for. All
steps but the last add what came so to their own gradient. dx and dW_ih are 2 G H I each, dW_hh 2 G H H, db G H.
What the way there has found, as tanh c, is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tt_perf.profiling.application import Application
from tt_perf.profiling.formulas.formula import Formula

__all__ = ["FORMULAS"]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Operations for each number of the state at a step."""

    there: int
    back: int
    carried: int = 0
    """What goes to the step before beside W_hhᵀ da."""
    states: int = 1
    one_sum: bool = True
    """Whether both biases get the same gradient."""


# tanh, or the positive part; back dh (1 - h h), or dh where h is positive.
_RNN = {False: _Kind(1, 3), True: _Kind(1, 1)}
# Three σ and tanh; c = f c + i g; o tanh(c).
# Back: dc + dh o (1 - t t) with t = tanh c; dc g i (1 - i), dc c f (1 - f), dc i (1 - g g), dh t o (1 - o).
# Carried: f dc.
_LSTM = _Kind(4 + 4 + 1 + 4 + 3 + 2, 5 + 4 * 4, carried=1, states=2)
# Two σ; tanh(a + r b), whose sum every gate has; (1 - z) n + z h.
# Back: dh (1 - z) (1 - n n); dh (h - n) z (1 - z), of which 1 - z is there; daₙ b r (1 - r); daₙ r. Carried: + z dh.
_GRU = _Kind(4 + 4 + 2 + 4, 5 + 4 + 4 + 1, carried=2, one_sum=False)


def _sizes(a: Application, kind: _Kind) -> tuple[int, int, int, int, int]:
    """Steps, sequences, I, G · H, H."""
    steps, batch, features = a.shape()
    wide, size = a.shape(2 + kind.states)
    return steps, batch, features, wide, size


def _there(kind_of: Callable[[Application], _Kind]) -> Callable[[Application], int]:
    def forward(a: Application) -> int:
        kind = kind_of(a)
        steps, batch, features, wide, size = _sizes(a, kind)
        biases = a.has(3 + kind.states) + a.has(4 + kind.states)
        return steps * batch * (wide * (2 * features + 2 * size + 1 + biases) + kind.there * size)

    return forward


def _back(kind_of: Callable[[Application], _Kind]) -> Callable[[Application], int]:
    def backward(a: Application) -> int:
        kind = kind_of(a)
        steps, batch, features, wide, size = _sizes(a, kind)
        if not steps or not any(a.wants(i) for i in range(len(a.inputs))):
            return 0
        x, (of_ih, of_hh, *of_biases) = a.wants(0), [a.wants(1 + kind.states + i) for i in range(4)]
        sums = min(sum(of_biases), 1) if kind.one_sum else sum(of_biases)
        found = steps * batch * wide * (2 * features * (x + of_ih) + 2 * size * of_hh + sums)
        found += steps * batch * size * kind.back
        found += (steps - 1 + a.wants(1)) * batch * 2 * wide * size
        found += (steps - 1 + a.wants(kind.states)) * batch * size * kind.carried
        return found + (steps - 1) * batch * size

    return backward


def _formula(kind_of: Callable[[Application], _Kind], facts: Callable[[Any], Any] | None = None) -> Formula:
    return Formula(_there(kind_of), _back(kind_of), facts=facts)


FORMULAS = {
    "RNNFunction": _formula(lambda a: _RNN[a.facts], lambda function: function.relu),
    "LSTMFunction": _formula(lambda a: _LSTM),
    "GRUFunction": _formula(lambda a: _GRU),
}
