"""Ceilings: the most that this machine does, measured: arithmetic by a matrix product, bandwidth by a copy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from numbers import Real
from time import perf_counter
from typing import Any

import numpy as np

from tt_nn import shards
from tt_tensor.errors import ArgumentError

__all__ = ["Ceilings", "measure_ceilings"]

SIDE = 2048
"""Of the matrices: large enough that a product is limited by arithmetic only."""
COPIED = 1 << 27
"""Bytes that are copied: more than caches hold."""


@dataclass(frozen=True)
class Ceilings:
    """What a program can reach at most.

    flops: float32 operations a second. bandwidth: bytes a second, read and written ones together.
    """

    flops: float
    bandwidth: float

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, Real) or not float(value) > 0:
                raise ArgumentError(f"Ceilings: {name} must be a number above 0, not {value!r}")

    @property
    def ridge(self) -> float:
        """FLOPs a byte from which on arithmetic is the limit, not memory."""
        return self.flops / self.bandwidth

    def reachable(self, intensity: float) -> float:
        """FLOPs a second at so many FLOPs a byte: min(flops, intensity · bandwidth), the roofline."""
        return min(self.flops, intensity * self.bandwidth)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        return {**asdict(self), "ridge": self.ridge}


def measure_ceilings(seconds: float = 1.5) -> Ceilings:
    """Take the best of several matrix products (float32, all threads of BLAS) and copies (a thread a core).

    Args:
        seconds: about how long it may take.

    Raises ArgumentError for a time that is not above 0. Source of the model: Williams, Waterman, Patterson,
    "Roofline: An Insightful Visual Performance Model", 2009.
    """
    if not isinstance(seconds, int | float) or not seconds > 0:
        raise ArgumentError(f"measure_ceilings: seconds must be a number above 0, not {seconds!r}")
    a = np.ones((SIDE, SIDE), np.float32)
    b, out = np.ones_like(a), np.empty_like(a)
    source = np.ones(COPIED // 4, np.float32)
    target = np.ones_like(source)

    def copy(start: int, stop: int, part: int) -> None:
        np.copyto(target[start:stop], source[start:stop])

    flops = 2 * SIDE**3 / _best(lambda: np.matmul(a, b, out=out), seconds / 2)
    bandwidth = 2 * source.nbytes / _best(lambda: shards.run(copy, source.size), seconds / 2)
    return Ceilings(flops, bandwidth)


def _best(run: Any, seconds: float) -> float:
    """The shortest of as many runs as fit, at least three."""
    run()
    begun, best, runs = perf_counter(), float("inf"), 0
    while runs < 3 or perf_counter() - begun < seconds:
        started = perf_counter()
        run()
        best, runs = min(best, perf_counter() - started), runs + 1
    return best
