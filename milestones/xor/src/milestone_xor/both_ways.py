"""The same step with the gradient called by hand and through the tape, and whether both are the same bits.

Importing this module imports tt_autograd, which puts the tape in its place: from here on, what is computed is
recorded unless `no_grad` says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milestone_xor.training import CASES, TARGETS, History
from tt_autograd import no_grad
from tt_nn import BCEWithLogitsLoss, Module
from tt_optim import SGD
from tt_tensor import Tensor, tensor

__all__ = ["Comparison", "Way", "by_hand", "by_tape", "compared", "descent", "trained"]

Way = Callable[[Module, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(model, inputs, targets) → (logits, loss), with the gradient added to `.grad` of every parameter."""


def by_hand(model: Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Nothing is recorded: the loss gives the gradient at the logits, the model walks back from there."""
    loss_of = BCEWithLogitsLoss()
    with no_grad():
        logits = model(inputs)
        loss = loss_of(logits, targets)
        model.backward(loss_of.backward())
    return logits, loss


def by_tape(model: Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """What was computed was recorded: the loss itself knows the way back."""
    logits = model(inputs)
    loss = BCEWithLogitsLoss()(logits, targets)
    loss.backward()
    return logits, loss


def descent(
    model: Module, way: Way, steps: int, lr: float, inputs: npt.ArrayLike = CASES
) -> Iterator[tuple[npt.NDArray[np.floating], float]]:
    """Full-batch gradient descent on binary cross-entropy, stopping to be looked at: (logits (4,), loss).

    It stops before each step and after the last one, `steps` + 1 times, with the gradient of that moment in
    `.grad` of the parameters.
    """
    x, targets = tensor(np.asarray(inputs, np.float32)), tensor(TARGETS[:, None])  # (4, inputs), (4, 1)
    optimizer = SGD(model.parameters(), lr=lr)
    for step in range(steps + 1):
        optimizer.zero_grad()
        logits, loss = way(model, x, targets)
        yield logits.numpy()[:, 0], loss.item()
        if step < steps:
            optimizer.step()


def trained(model: Module, way: Way, steps: int, lr: float, inputs: npt.ArrayLike = CASES) -> History:
    """`descent` to its end."""
    logits, losses = zip(*descent(model, way, steps, lr, inputs), strict=True)
    return History(np.array(logits, float), np.array(losses))


@dataclass
class Comparison:
    """How many gradients were compared, how many were equal to the last bit, and how far apart the others were."""

    number: int = 0
    equal: int = 0
    largest: float = 0.0
    """The largest |by hand - by tape| of any number; infinite where one has no gradient, or one of another kind."""
    first: str = ""
    """Where the first two were that differ."""

    def add(self, where: str, hand: Tensor | None, tape: Tensor | None) -> None:
        """Compare two gradients of one parameter."""
        self.number += 1
        if hand is not None and tape is not None:
            a, b = hand.numpy(), tape.numpy()
            if a.dtype == b.dtype and a.shape == b.shape:
                if a.tobytes() == b.tobytes():
                    self.equal += 1
                    return
                apart = float(np.abs(a.astype(float) - b).max())
                # Other bits that are no other number: 0 and -0, or two NaN.
                self.largest = max(self.largest, math.inf if math.isnan(apart) else apart)
            else:
                self.largest = math.inf
        else:
            self.largest = math.inf
        self.first = self.first or where


def compared(hand: Module, tape: Module, steps: int, lr: float, comparison: Comparison) -> History:
    """Train two equal networks side by side, one by hand and one by tape; every gradient goes into `comparison`.

    Returns the history of the one by tape.
    """
    pairs = [
        (name, own, other)
        for (name, own), other in zip(hand.named_parameters(), tape.parameters(), strict=True)
    ]
    logits, losses = np.empty((steps + 1, len(CASES))), np.empty(steps + 1)
    side_by_side = zip(descent(hand, by_hand, steps, lr), descent(tape, by_tape, steps, lr), strict=True)
    for step, (_, (logits[step], losses[step])) in enumerate(side_by_side):
        for name, own, other in pairs:
            comparison.add(f"{name} at step {step}", own.grad, other.grad)
    return History(logits, losses)
