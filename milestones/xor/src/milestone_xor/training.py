"""The four cases, the two networks, and one training loop with every gradient called by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tt_nn import BCEWithLogitsLoss, Linear, Sequential, Tanh
from tt_optim import SGD
from tt_tensor import manual_seed, tensor

__all__ = ["CASES", "MARGIN", "TARGETS", "History", "hidden_layer", "probability", "single_layer", "train"]

CASES = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
TARGETS = np.array([0, 1, 1, 0], np.float32)
MARGIN = 0.1
"""A case is right with a margin when ``|probability - target| <= 0.1``."""


def single_layer(seed: int) -> Sequential:
    """2-1: ``logit = w . x + b``, a straight line through the plane."""
    manual_seed(seed)
    return Sequential(Linear(2, 1))


def hidden_layer(seed: int) -> Sequential:
    """2-8-1: ``logit = W2 tanh(W1 x + b1) + b2``, 33 parameters."""
    manual_seed(seed)
    return Sequential(Linear(2, 8), Tanh(), Linear(8, 1))


@dataclass(frozen=True)
class History:
    """What the network said of the four cases before each step and after the last one.

    logits (steps + 1, 4), losses (steps + 1,).
    """

    logits: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]

    @property
    def best_accuracy(self) -> float:
        """The largest share of the four cases that was ever right at once, in percent."""
        right = (self.logits > 0) == (TARGETS > 0.5)  # (steps + 1, 4)
        return float(right.mean(axis=1).max()) * 100

    @property
    def errors(self) -> npt.NDArray[np.float64]:
        """``max |sigmoid(logit) - target|`` over the cases, at each step; NaN where a logit is."""
        wrong_way = np.where(TARGETS > 0.5, -self.logits, self.logits)
        return np.exp(-np.logaddexp(0, -wrong_way)).max(axis=1)

    @property
    def solved(self) -> bool:
        """All four cases right with the margin, at the end."""
        return bool(self.errors[-1] <= MARGIN)

    @property
    def steps_to_solve(self) -> float:
        """The first step with all four right with the margin; infinite if there is none."""
        reached = np.flatnonzero(self.errors <= MARGIN)
        return float(reached[0]) if reached.size else math.inf


def train(
    model: Sequential, steps: int, lr: float, watch: Callable[[int, Sequential], None] | None = None
) -> History:
    """Full-batch gradient descent on binary cross-entropy; `watch(step, model)` is called before each step
    and after the last.

    Nothing works out the gradient behind the scenes: the loss gives its own at the logits, and the model
    walks back through its layers from there.
    """
    inputs, targets = tensor(CASES), tensor(TARGETS[:, None])  # (4, 2), (4, 1)
    loss_of = BCEWithLogitsLoss()
    optimizer = SGD(model.parameters(), lr=lr)
    logits = np.empty((steps + 1, len(CASES)))
    losses = np.empty(steps + 1)
    for step in range(steps + 1):
        if watch is not None:
            watch(step, model)
        prediction = model(inputs)  # (4, 1)
        loss = loss_of(prediction, targets)
        logits[step] = prediction.numpy()[:, 0]
        losses[step] = loss.item()
        if step == steps:
            break
        optimizer.zero_grad()
        model.backward(loss_of.backward())
        optimizer.step()
    return History(logits, losses)


def probability(model: Sequential, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """``sigmoid(logit)`` for each of the points (N, 2), as (N,)."""
    logits = model(tensor(np.asarray(points, np.float32))).numpy()[:, 0].astype(float)
    return np.exp(-np.logaddexp(0, -logits))
