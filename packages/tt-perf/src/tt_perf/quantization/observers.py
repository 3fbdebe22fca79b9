"""Observers: which range the activations of a layer have, found by watching data go by.

    minmax      all that was seen
    percentile  what 99.9 % of it is within
    mse         the range whose integers have the least squared error over what was seen

Weights are all there at once, so `ranges.row_ranges` does the same for them exactly; here a histogram stands for the
numbers that went by.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_perf.quantization.ranges import OBSERVERS, PERCENTILE, SHRINKS
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError

__all__ = ["HistogramObserver", "MSEObserver", "MinMaxObserver", "Observer", "PercentileObserver", "observer"]

BINS = 4096
"""Bins of a histogram, over -reach … reach. The reach doubles when something falls outside."""

LEVELS = 255
"""Steps of an activation: 0 … 255."""


class Observer:
    """Watches numbers go by: `observe` them, then ask for the `range` (low ≤ 0, high ≥ 0)."""

    def __init__(self) -> None:
        self.low, self.high, self.count = 0.0, 0.0, 0

    def observe(self, numbers: Any) -> None:
        """Take note of an array or Tensor. NaN and infinities have no place in a range: ArgumentError."""
        x = numbers.array if isinstance(numbers, Tensor) else np.asarray(numbers)
        if not x.size:
            return
        low, high = float(x.min()), float(x.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ArgumentError(
                f"{type(self).__name__}: NaN or infinity among the {x.size} numbers of an activation; a range cannot "
                "hold it"
            )
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.count += x.size
        self.note(x)

    def note(self, x: Any) -> None:
        """What a subclass keeps of finite numbers."""

    def range(self) -> tuple[float, float]:
        """(low, high). Raises ArgumentError before anything was observed."""
        if not self.count:
            raise ArgumentError(f"{type(self).__name__}: nothing was observed yet")
        return self.found()

    def found(self) -> tuple[float, float]:
        """The range, once something was observed."""
        return self.low, self.high

    def scale(self) -> tuple[float, int]:
        """(scale, zero point) of integers 0 … 255 over the range: x ≈ scale · (q - zero)."""
        low, high = self.range()
        scale = (
            float(np.float32(max((high - low) / LEVELS, float(np.finfo(np.float32).tiny))))
            if high > low
            else 1.0
        )
        return scale, int(np.clip(np.rint(-low / scale), 0, LEVELS))


class MinMaxObserver(Observer):
    """From the least to the greatest number seen."""


class HistogramObserver(Observer):
    """Counts how often numbers fall into each of 4096 bins; what the finer observers share."""

    def __init__(self) -> None:
        super().__init__()
        self.reach = 0.0
        self.counts = np.zeros(BINS, np.int64)

    def note(self, x: Any) -> None:
        greatest = float(np.abs(x).max())
        if greatest == 0:
            # Zeros lie on the edge of the two bins in the middle, whatever the reach.
            self.counts[BINS // 2] += x.size
            return
        if self.reach == 0:
            self.reach = 2.0 ** math.ceil(math.log2(greatest))
        while greatest > self.reach:
            # Two bins become one: what was seen stays where it was.
            pairs = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.concatenate(
                [np.zeros(BINS // 4, np.int64), pairs, np.zeros(BINS // 4, np.int64)]
            )
            self.reach *= 2
        places = ((x.astype(np.float64) / self.reach + 1) * (BINS // 2)).astype(np.int64).reshape(-1)
        self.counts += np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS)

    def centres(self) -> Any:
        """The middle of each bin."""
        return ((np.arange(BINS) + 0.5) / (BINS // 2) - 1) * self.reach


class PercentileObserver(HistogramObserver):
    """The range that leaves out (100 - percentile) / 2 of 100 numbers at either end, as fine as the bins are.

    Raises ArgumentError for a percentile outside of 50 … 100.
    """

    def __init__(self, percentile: float = PERCENTILE) -> None:
        super().__init__()
        if not 50 <= percentile <= 100:
            raise ArgumentError(f"PercentileObserver: percentile is from 50 to 100, not {percentile!r}")
        self.percentile = float(percentile)

    def found(self) -> tuple[float, float]:
        tail = (100 - self.percentile) / 200 * self.count
        up_to = np.cumsum(self.counts)
        width = self.reach / (BINS // 2)
        # The edges of the bins in which the tails end.
        first, last = (
            int(np.searchsorted(up_to, tail, "right")),
            int(np.searchsorted(up_to, self.count - tail)),
        )
        low, high = first * width - self.reach, (min(last, BINS - 1) + 1) * width - self.reach
        return min(max(low, self.low), 0.0), max(min(high, self.high), 0.0)


class MSEObserver(HistogramObserver):
    """Of parts of the whole range, cut at either end, the one of the least Σ (x - x̂)² over the histogram."""

    def found(self) -> tuple[float, float]:
        if self.reach == 0:
            return self.low, self.high
        there = self.counts > 0
        centres, counts = self.centres()[there], self.counts[there]
        best, found = math.inf, (self.low, self.high)
        for below in SHRINKS[::3]:
            for above in SHRINKS[::3]:
                low, high = self.low * below, self.high * above
                scale = (high - low) / LEVELS
                zero = np.rint(-low / scale)
                q = np.clip(np.rint(centres / scale) + zero, 0, LEVELS)
                error = float((counts * (scale * (q - zero) - centres) ** 2).sum())
                if error < best:
                    best, found = error, (low, high)
        return found


def observer(name: str) -> Observer:
    """A new observer of that name. Raises ArgumentError for another."""
    kinds = {"minmax": MinMaxObserver, "percentile": PercentileObserver, "mse": MSEObserver}
    if name not in kinds:
        raise ArgumentError(f"observer: none is called {name!r}; there are {', '.join(OBSERVERS)}")
    return kinds[name]()
