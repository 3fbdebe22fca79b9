"""One unit, a weight for each pixel and a bias, and the two ways to train it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tt_nn import BCEWithLogitsLoss, Linear, Sequential
from tt_optim import SGD
from tt_tensor import Tensor, zeros

__all__ = ["Unit", "Watch", "by_gradient", "by_rosenblatt"]

Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class Unit:
    """``fires = weight . x + bias > 0``; weight (pixels,), bias (1,)."""

    weight: Tensor
    bias: Tensor

    def fires(self, images: Tensor) -> np.ndarray:
        """Which of the images (N, pixels) it fires for: bool (N,)."""
        return (images @ self.weight + self.bias).numpy() > 0  # (N,)


def by_rosenblatt(
    images: Tensor, targets: Tensor, epochs: int, generator: np.random.Generator, watch: Watch
) -> Unit:
    """For each image answered wrongly: ``weight += sign * x``, ``bias += sign``; else nothing.

    images (N, pixels), targets (N,) of 0 and 1; sign is +1 where the unit should have fired and -1
    where it should not. From zero, in a new order each epoch, until an epoch makes no mistake or
    `epochs` are over; `watch(epoch, mistakes)` is told the mistakes of each. If a plane separates the
    classes, the rule finds one (A. Novikoff, On convergence proofs on perceptrons, 1962), and stops at
    the first it meets.

    Source: F. Rosenblatt, The perceptron: a probabilistic model for information storage and organization
    in the brain, Psychological Review 65, 1958.
    """
    weight, bias = zeros(images.shape[1]), zeros(1)
    signs = np.where(targets.numpy() > 0.5, 1.0, -1.0).tolist()
    rows = list(images)  # N views of (pixels,)
    for epoch in range(1, epochs + 1):
        mistakes = 0
        for index in generator.permutation(len(rows)).tolist():
            row, sign = rows[index], signs[index]
            if sign * (row @ weight + bias).item() <= 0:
                weight += sign * row
                bias += sign
                mistakes += 1
        watch(epoch, mistakes)
        if mistakes == 0:
            break
    return Unit(weight, bias)


def by_gradient(images: Tensor, targets: Tensor, steps: int, lr: float, watch: Watch) -> Unit:
    """Full-batch gradient descent on ``-t log p - (1 - t) log(1 - p)``, ``p = sigmoid(weight . x + bias)``.

    images (N, pixels), targets (N,) of 0 and 1; `watch(step, mistakes)` is told the mistakes before each
    step. The gradient is called by hand: the loss gives its own at the logits, the model walks back from
    there. Start it with `tt_tensor.manual_seed`.
    """
    model = Sequential(Linear(images.shape[1], 1))
    loss_of = BCEWithLogitsLoss()
    optimizer = SGD(model.parameters(), lr=lr)
    wanted = targets.reshape(-1, 1)  # (N, 1)
    fire = wanted.numpy() > 0.5
    for step in range(steps):
        logits = model(images)  # (N, 1)
        loss_of(logits, wanted)
        watch(step, int(np.count_nonzero((logits.numpy() > 0) != fire)))
        optimizer.zero_grad()
        model.backward(loss_of.backward())
        optimizer.step()
    weight, bias = (parameter.detach() for parameter in model.parameters())  # (1, pixels), (1,)
    return Unit(weight.reshape(-1), bias)
