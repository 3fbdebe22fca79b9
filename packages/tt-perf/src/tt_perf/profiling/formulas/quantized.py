"""Quantized layers: the products of the layers that they were made of; the weights are read as they are stored.

Turning integers into numbers, once a call, does not count: it is no work that was asked for.
"""

from __future__ import annotations

import math
from typing import Any

from tt_perf.profiling.application import Application
from tt_perf.profiling.formulas.formula import Formula

__all__ = ["FORMULAS"]


def _facts(function: Any) -> tuple[int, bool, int]:
    """Weights that each number of the result sees, whether there is a bias, bytes of the stored weight."""
    layer = function.layer
    taps = math.prod(layer.shape[1:])
    return taps, getattr(layer, "bias", None) is not None, int(layer.weight.nbytes)


def _product(a: Application) -> int:
    taps, bias, _ = a.facts
    return int(a.n * (2 * taps + bias))


def _nothing(a: Application) -> int:
    return 0


FORMULAS = {
    "_LinearFunction": Formula(_product, _nothing, facts=_facts, beside=lambda a: int(a.facts[2])),
    "_ConvFunction": Formula(_product, _nothing, facts=_facts, beside=lambda a: int(a.facts[2])),
    # A scale for each number that is read.
    "_EmbeddingFunction": Formula(lambda a: a.n, _nothing, "move"),
}
