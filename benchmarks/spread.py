"""Medians, and how far to trust a comparison of two of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from operator import truediv
from statistics import median

Rounds = Sequence[Sequence[float]]


def pooled_median(rounds: Rounds) -> float:
    return median(seconds for turns in rounds for seconds in turns)


def compared(
    ours: Rounds,
    theirs: Rounds,
    how: Callable[[float, float], float] = truediv,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """how(median(ours), median(theirs)) and the bootstrap interval around it: ``(value, low, high)``.

    Percentile bootstrap in two stages. A process has a speed of its own (hash seed, addresses, luck), so
    rounds, each with fresh processes, are drawn first, and turns inside the drawn rounds second. Processes
    of one round do not share that luck, so rounds are drawn for each side by itself.
    Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8.
    """
    dice = random.Random(seed)

    def redrawn(rounds: Rounds) -> float:
        drawn = dice.choices(rounds, k=len(rounds))
        return median(seconds for turns in drawn for seconds in dice.choices(turns, k=len(turns)))

    values = sorted(how(redrawn(ours), redrawn(theirs)) for _ in range(resamples))
    cut = (1 - level) / 2
    low, high = values[int(cut * (resamples - 1))], values[round((1 - cut) * (resamples - 1))]
    return how(pooled_median(ours), pooled_median(theirs)), low, high
