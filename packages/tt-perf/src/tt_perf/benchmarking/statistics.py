"""Medians, and how far to trust them.

Measurements stand in an array (G, T): T turns in each of G groups. A group is a process: it has a speed of its own
(addresses, hash seed, luck), so groups are drawn first and turns inside of the drawn groups second.

    paired      r[g, t] = a[g, t] / b[g, t],  ratio = median(r):  what disturbed both turns of a round cancels
    unpaired    ratio = median(a) / median(b):                    for runs at different times

Intervals are percentile bootstrap. Source: Davison and Hinkley, Bootstrap Methods and their Application (1997),
sections 3.8 and 5.3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tt_tensor.errors import ArgumentError

__all__ = ["Estimate", "median_of", "paired_ratio", "ratio_of_medians"]

RESAMPLES = 2000


class Estimate(NamedTuple):
    """A value and the interval around it."""

    value: float
    low: float
    high: float


def median_of(turns: Any, level: float, seed: int) -> Estimate:
    """The median of measurements (G, T)."""
    array = _measured(turns)
    return _estimate(float(np.median(array)), _medians(array, np.random.default_rng(seed)), level)


def paired_ratio(ours: Any, theirs: Any, level: float, seed: int) -> Estimate:
    """The median of ours[g, t] / theirs[g, t], two measurements of the same round.

    Logarithms are what is drawn from, so that a / b and b / a have the same interval, the other way up.
    """
    a, b = _measured(ours), _measured(theirs)
    if a.shape != b.shape:
        raise ArgumentError(f"paired_ratio: rounds of shapes {a.shape} and {b.shape} are no pairs")
    logs = np.log(a / b)
    drawn = _medians(logs, np.random.default_rng(seed))
    # Back to ratios last: between two draws an interval's end is interpolated, and only there are both ways up alike.
    value, low, high = np.exp(_estimate(float(np.median(logs)), drawn, level)).tolist()
    return Estimate(value, low, high)


def ratio_of_medians(ours: Any, theirs: Any, level: float, seed: int) -> Estimate:
    """median(ours) / median(theirs), each drawn by itself; their shapes may differ."""
    a, b = _measured(ours), _measured(theirs)
    rng = np.random.default_rng(seed)
    drawn = _medians(a, rng) / _medians(b, rng)
    return _estimate(float(np.median(a) / np.median(b)), drawn, level)


def _measured(turns: Any) -> npt.NDArray[np.float64]:
    array = np.asarray(turns, np.float64)
    if array.ndim != 2 or not array.size or not np.all((array > 0) & (array < np.inf)):
        raise ArgumentError(
            f"measurements are positive seconds (groups, turns), not {array.dtype} of shape {array.shape} that "
            "holds other values"
        )
    return array


def _medians(array: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The medians of RESAMPLES arrays drawn from this one."""
    groups, turns = array.shape
    chosen = rng.integers(groups, size=(RESAMPLES, groups, 1))
    within = rng.integers(turns, size=(RESAMPLES, groups, turns))
    return np.median(array[chosen, within].reshape(RESAMPLES, -1), axis=1)


def _estimate(value: float, drawn: npt.NDArray[np.float64], level: float) -> Estimate:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, min(float(low), value), max(float(high), value))
