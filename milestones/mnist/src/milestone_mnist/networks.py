"""The two networks: one for which an image is a row of numbers, one for which it is an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milestone_mnist.images import EVALUATED, Problem
from tt_autograd import no_grad
from tt_nn import Flatten, Linear, Module, ReLU, Sequential
from tt_tensor import manual_seed, tensor
from tt_vision import BatchNorm2d, Conv2d, MaxPool2d
from tt_vision.models import lenet5, mlp

__all__ = ["Network", "cnn_of", "logits", "mlp_of", "small_cnn"]


@dataclass(frozen=True)
class Network:
    """What can be trained: `make(seed)` gives it with fresh weights."""

    kind: str
    """"MLP" or "CNN"."""
    name: str
    make_any: Callable[[], Module]

    def make(self, seed: int) -> Module:
        """With the weights that `seed` draws."""
        manual_seed(seed)
        return self.make_any()


def mlp_of(problem: Problem) -> Network:
    """Two hidden layers of ReLU over all pixels, in no order that it could know of."""
    hidden = (512, 256) if problem.name == "mnist" else (256, 128)
    name = "MLP " + "-".join(map(str, (problem.pixels, *hidden, 10)))
    return Network("MLP", name, lambda: mlp(problem.pixels, hidden, 10))


def cnn_of(problem: Problem) -> Network:
    """LeNet-5 for MNIST; for images of 8×8, of which its 5×5 windows see nearly all, `small_cnn`."""
    if problem.name == "mnist":
        return Network("CNN", "LeNet-5", lenet5)
    return Network("CNN", "CNN 32-64", lambda: small_cnn(problem.side))


def small_cnn(side: int) -> Sequential:
    """32@3×3 – pool – BN – ReLU – 64@3×3 – pool – BN – ReLU – 10.

    What is pooled first has a quarter of the values to normalise, and the maximum is the same before and after ReLU.
    """
    return Sequential(
        Conv2d(1, 32, 3, padding=1, bias=False),  # (N, 32, side, side)
        MaxPool2d(2),
        BatchNorm2d(32),
        ReLU(),
        Conv2d(32, 64, 3, padding=1, bias=False),  # (N, 64, side / 2, side / 2)
        MaxPool2d(2),
        BatchNorm2d(64),
        ReLU(),
        Flatten(),  # (N, 64 · side / 4 · side / 4)
        Linear(64 * (side // 4) ** 2, 10),
    )


def logits(model: Module, problem: Problem, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What `model`, in eval mode meanwhile, says of the images (N, 1, H, W): (N, 10)."""
    training = model.training
    model.eval()
    try:
        with no_grad():
            parts = [
                model(tensor(problem.normalise(images[start : start + EVALUATED]))).numpy()
                for start in range(0, len(images), EVALUATED)
            ]
    finally:
        model.train(training)
    return np.concatenate(parts)
