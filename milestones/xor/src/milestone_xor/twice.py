"""One layer used twice, and its gradient three ways: by hand, by tape, by central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from milestone_xor.both_ways import Way
from milestone_xor.training import CASES, TARGETS
from tt_autograd import no_grad
from tt_nn import BCEWithLogitsLoss, Linear, Module, Tanh
from tt_tensor import Tensor, manual_seed, tensor

__all__ = ["WIDTH", "Twice", "differences", "error", "gradient", "one_layer_twice", "wide"]

WIDTH = 8
STEP = 1e-5


class Twice(Module):
    """``logit = (W tanh(W x + b) + b)[0]``: a single layer that is its own hidden layer, 72 parameters.

    x (N, 8) → (N, 1).
    """

    def __init__(self) -> None:
        self.layer = Linear(WIDTH, WIDTH)
        self.bend = Tanh()

    def forward(self, x: Tensor) -> Any:
        return self.layer(self.bend(self.layer(x)))[:, :1]  # (N, 1)

    def backward(self, grad: Tensor) -> Any:
        """Back by hand, step for step as `forward` went, and yet wrong: the layer remembers its second use only,
        so the rule of the first use is called with what the second one saw."""
        at_all = np.zeros((len(grad), WIDTH), grad.dtype)
        at_all[:, :1] = grad.numpy()
        return self.layer.backward(self.bend.backward(self.layer.backward(at_all)))


def one_layer_twice(seed: int) -> Twice:
    """The network of that seed."""
    manual_seed(seed)
    return Twice()


def wide(points: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """Points (N, 2) with zeros beside them, (N, 8), because the layer's outputs are its inputs."""
    given = np.asarray(points, float)
    return np.concatenate([given, np.zeros((len(given), WIDTH - given.shape[1]))], axis=1)


def gradient(model: Module, way: Way) -> npt.NDArray[np.float64]:
    """d loss / d parameters on the four cases, all in one row; of a model in float64."""
    for parameter in model.parameters():
        parameter.grad = None
    way(model, tensor(wide(CASES)), tensor(TARGETS[:, None].astype(float)))
    return np.concatenate([np.ravel(np.asarray(parameter.grad)) for parameter in model.parameters()])


def differences(model: Module) -> npt.NDArray[np.float64]:
    """``(loss(p + h) - loss(p - h)) / 2h`` for each number p of the parameters, in the order of `gradient`."""
    inputs, targets = tensor(wide(CASES)), tensor(TARGETS[:, None].astype(float))
    loss_of = BCEWithLogitsLoss()
    found = []
    with no_grad():
        for parameter in model.parameters():
            values = parameter.numpy().copy()
            for place in np.ndindex(values.shape):
                sides = []
                for step in (STEP, -STEP):
                    moved = values.copy()
                    moved[place] += step
                    parameter.write(moved)
                    sides.append(loss_of(model(inputs), targets).item())
                found.append((sides[0] - sides[1]) / (2 * STEP))
            parameter.write(values)
    return np.array(found)


def error(found: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> float:
    """``max |found - right| / max |right|``."""
    return float(np.abs(found - right).max() / np.abs(right).max())
