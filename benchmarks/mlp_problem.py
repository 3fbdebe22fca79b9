"""An MNIST-sized network and batch, as plain lists: every library begins from these. 784-256-128-10, batch 64."""

from __future__ import annotations

import itertools
import random
from typing import Any

SIZES = (784, 256, 128, 10)
BATCH = 64
LEARNING_RATE = 1e-3


def batch(seed: int = 1998) -> tuple[list[list[float]], list[int]]:
    """Pixels in [0, 1), a fifth of them lit, (64, 784), and labels (64,)."""
    dice = random.Random(seed)
    pixels = [[dice.random() if dice.random() < 0.2 else 0.0 for _ in range(SIZES[0])] for _ in range(BATCH)]
    return pixels, [dice.randrange(SIZES[-1]) for _ in range(BATCH)]


def start(seed: int = 1986) -> dict[str, list[Any]]:
    """The state dict of Sequential(Linear, ReLU, Linear, ReLU, Linear)."""
    dice = random.Random(seed)
    state: dict[str, list[Any]] = {}
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(SIZES)):
        bound = fan_in**-0.5
        state[f"{2 * layer}.weight"] = [
            [dice.uniform(-bound, bound) for _ in range(fan_in)] for _ in range(fan_out)
        ]
        state[f"{2 * layer}.bias"] = [dice.uniform(-bound, bound) for _ in range(fan_out)]
    return state
