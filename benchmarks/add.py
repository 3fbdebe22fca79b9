"""a + b for two float32 arrays of shape (32, 64), without gradient: what one small operation costs.

Bar: at most 1.0 times PyTorch's time.
"""

from __future__ import annotations

import sys

import duel
from resident import Step

SHAPE = (32, 64)


def rows(offset: float) -> list[list[float]]:
    height, width = SHAPE
    return [[offset + i / 8 - j / 16 for j in range(width)] for i in range(height)]


def tt() -> Step:
    import tt_tensor

    a, b = tt_tensor.Tensor(rows(0.5)), tt_tensor.Tensor(rows(-0.25))
    return lambda: a + b


def numpy() -> Step:
    import numpy as np

    a, b = np.array(rows(0.5), np.float32), np.array(rows(-0.25), np.float32)
    return lambda: a + b


def torch() -> Step:
    import torch

    a, b = torch.tensor(rows(0.5)), torch.tensor(rows(-0.25))
    return lambda: a + b


DUEL = duel.Duel(
    title="add: (32, 64) + (32, 64), float32, no gradient",
    contenders={
        "tt": duel.Contender(tt),
        "numpy": duel.Contender(numpy),
        "torch": duel.Contender(torch, peer=True),
    },
    ours="tt",
    reference="torch",
    bar=1.0,
    rtol=0.0,
    atol=0.0,
)

if __name__ == "__main__":
    sys.exit(duel.main(DUEL))
