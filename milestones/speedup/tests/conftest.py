"""A network so small that the loops need a moment only."""

from __future__ import annotations

import numpy as np
import pytest

from milestone_speedup.tasks import Task
from tt_nn import Linear, ReLU, Sequential
from tt_nn.functional import cross_entropy
from tt_optim import SGD
from tt_tensor import manual_seed


@pytest.fixture
def small():
    def make():
        manual_seed(5)
        model = Sequential(Linear(6, 5), ReLU(), Linear(5, 3))
        return model, SGD(model.parameters(), lr=0.1)

    random = np.random.default_rng(5)
    x = random.standard_normal((8, 6), np.float32)
    y = random.integers(0, 3, 8)
    return Task("a small step", "row", 1, make, lambda model, x, y: cross_entropy(model(x), y), x, y, True)
