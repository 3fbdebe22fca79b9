"""The matrix product of two 256 × 256 matrices, from three loops in Python to BLAS."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from milestone_speedup.rung import Ladder, Rung, median_time
from tt_perf import matmul_ladder

__all__ = ["SIZE", "WORDS", "climb"]

SIZE = 256

WORDS = {
    "lists": "three loops in Python",
    "dots": "n² dot products in NumPy",
    "rows": "rows times numbers in NumPy",
    "ijk": "three loops, compiled",
    "ikj": "loops in the order of memory, compiled",
    "blocked": "blocks for caches and registers, compiled",
    "threads": "the same on all cores",
    "blas": "BLAS, by @",
}


def climb(budget: float, seed: int, say: Callable[[Ladder, Rung], None]) -> Ladder:
    """Time every rung on the same two matrices; each product is compared with the one by three loops."""
    random = np.random.default_rng(seed)
    x, y = (random.standard_normal((SIZE, SIZE), np.float32) for _ in range(2))
    ladder = Ladder(f"matrix product {SIZE} × {SIZE}", "product", tolerance=1e-5)
    expected = None
    for name, rung in matmul_ladder().items():
        z = rung(x, y)
        error = None
        if expected is None:
            expected = z
        else:
            error = float(np.abs(z - expected).max() / np.abs(expected).max())
        seconds = median_time(lambda rung=rung: rung(x, y), budget)  # type: ignore[misc]
        ladder.rungs.append(Rung(WORDS[name], seconds, error))
        say(ladder, ladder.rungs[-1])
    return ladder
