"""A clock that moves when a contender says so, and noise that is like a shared machine's."""

from collections.abc import Callable

import numpy as np
import pytest


class Clock:
    """Time that only `work` moves on."""

    def __init__(self, seed: int = 0) -> None:
        self.now = 0.0
        self.rng = np.random.default_rng(seed)
        self.drift = 1.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float, noise: float = 0.0) -> Callable[[], None]:
        """A function that takes about so many seconds: the machine drifts, and now and then it is busy elsewhere."""

        def step() -> None:
            self.drift *= float(np.exp(self.rng.normal(0, noise / 10)))
            delay = abs(float(self.rng.standard_t(3)))
            self.now += seconds * self.drift * float(np.exp(noise * delay))

        return step


@pytest.fixture
def clocks() -> Callable[[int], Clock]:
    return Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()
