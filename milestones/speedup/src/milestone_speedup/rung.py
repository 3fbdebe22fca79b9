"""A ladder: ways to do one thing, the slowest first, each timed and checked against the first."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Ladder", "Rung", "median_time", "seconds_of"]

FEWEST = 5
"""Rounds of which the median is taken."""


@dataclass(frozen=True)
class Rung:
    """One way, and what it came to."""

    name: str
    seconds: float
    """For one unit: a product, an image, a token."""
    error: float | None
    """The greatest difference from the first rung's outcome, relative to the greatest number in it; None for the
    first."""
    note: str = ""


@dataclass
class Ladder:
    """The rungs of one task."""

    title: str
    unit: str
    tolerance: float
    """The greatest error that a rung may have."""
    rungs: list[Rung] = field(default_factory=list)

    def factor(self, rung: Rung) -> float:
        """How many times faster than the first."""
        return self.rungs[0].seconds / rung.seconds

    @property
    def best(self) -> Rung:
        """The fastest."""
        return min(self.rungs, key=lambda rung: rung.seconds)

    @property
    def worst_error(self) -> float:
        """Of all rungs. NaN where one of them is NaN."""
        errors = [rung.error for rung in self.rungs if rung.error is not None]
        return max(errors, key=lambda error: float("inf") if error != error else error, default=0.0)


def seconds_of(run: Callable[[], object]) -> float:
    """One call on the clock."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def median_time(run: Callable[[], object], budget: float, fewest: int = FEWEST) -> float:
    """The median of calls that take about `budget` seconds together, at least `fewest`; the first call is not counted.

    The median, since a machine that does other things too makes some of them slow, but none fast.
    """
    first = seconds_of(run)
    if first > budget:
        return first  # so slow that it needs no warm-up
    times: list[float] = []
    spent = 0.0
    while len(times) < fewest or spent < budget:
        times.append(seconds_of(run))
        spent += times[-1]
    return statistics.median(times)
