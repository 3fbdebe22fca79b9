"""What is to tell the arms apart: a linear model, and a network with three hidden layers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from milestone_spirals.spirals import ARMS
from tt_autograd import no_grad
from tt_nn import Linear, Module, Sequential, SiLU
from tt_tensor import manual_seed, tensor

__all__ = ["HIDDEN", "NAME", "linear", "network", "probabilities"]

HIDDEN = (64, 64, 64)
NAME = "-".join(map(str, (2, *HIDDEN, ARMS)))


def linear(seed: int) -> Sequential:
    """2-3: three planes over the square, the highest one wins; 9 parameters."""
    manual_seed(seed)
    return Sequential(Linear(2, ARMS))


def network(seed: int) -> Sequential:
    """2-64-64-64-3 with SiLU between the layers, 8,707 parameters."""
    manual_seed(seed)
    layers: list[Module] = []
    for inputs, outputs in pairwise((2, *HIDDEN)):
        layers += [Linear(inputs, outputs), SiLU()]
    return Sequential(*layers, Linear(HIDDEN[-1], ARMS))


def probabilities(model: Module, points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """softmax of the logits at each of the points (N, 2): (N, 3)."""
    with no_grad():
        logits = model(tensor(points.astype(np.float32))).numpy().astype(float)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)
