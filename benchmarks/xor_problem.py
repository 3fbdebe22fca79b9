"""The XOR problem and the start of the 2-8-1 network, as plain lists: every library begins from these."""

from __future__ import annotations

import random
from typing import Any

INPUTS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
TARGETS = [[0.0], [1.0], [1.0], [0.0]]
HIDDEN = 8
LEARNING_RATE = 0.1


def start(seed: int = 1969) -> dict[str, list[Any]]:
    """The state dict of Sequential(Linear(2, 8), Tanh(), Linear(8, 1)): weights (out, in), float32 values."""
    dice = random.Random(seed)

    def drawn(count: int, fan_in: int) -> list[float]:
        bound = fan_in**-0.5
        return [dice.uniform(-bound, bound) for _ in range(count)]

    return {
        "0.weight": [drawn(2, 2) for _ in range(HIDDEN)],
        "0.bias": drawn(HIDDEN, 2),
        "2.weight": [drawn(HIDDEN, HIDDEN)],
        "2.bias": drawn(1, HIDDEN),
    }
