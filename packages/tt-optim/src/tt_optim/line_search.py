"""A step length that is good enough: far enough down, and where it is flatter than at the start.

    f(t) ≤ f(0) + c₁·t·f′(0)  and  |f′(t)| ≤ c₂·|f′(0)|                  the strong Wolfe conditions

First steps grow until one has gone too far; between it and the one before lies a good one, which cubic polynomials
through both find.

Source: Nocedal and Wright, "Numerical Optimization", 2006, algorithms 3.5 and 3.6, with the safeguards of Schmidt's
minFunc, as in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["Point", "cubic_minimum", "strong_wolfe"]

DOWN, FLAT = 1e-4, 0.9
"""c₁ and c₂."""


@dataclass(frozen=True, slots=True)
class Point:
    """A step length, the value there, the slope along the direction, and the gradient."""

    t: float
    value: float
    slope: float
    grad: np.ndarray


def cubic_minimum(a: Point, b: Point, low: float, high: float) -> float:
    """Where the cubic through values and slopes at a and b is least, within [low, high]; the middle if nowhere."""
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    d2 = math.sqrt(square)
    below = b.slope - a.slope + 2 * d2
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / below) if below else math.nan
    return (low + high) / 2 if math.isnan(t) else min(max(t, low), high)


def strong_wolfe(
    at: Callable[[float], Point], start: Point, t: float, largest: float, least: float = 1e-9, most: int = 25
) -> tuple[Point, int]:
    """A point that meets the conditions, or the best that was found, and how often `at` was asked.

    Args:
        at: the Point of a step length.
        start: the one at 0.
        t: the first step length to try.
        largest: the largest number of the direction: a bracket in which no number moves by `least` is not cut further.
        most: so many points at most after the first.
    """

    def too_high(point: Point) -> bool:
        return point.value > start.value + DOWN * point.t * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -FLAT * start.slope

    before, now, asked = start, at(t), 1
    while asked <= most:
        if too_high(now) or (asked > 2 and now.value >= before.value):
            break
        if flat(now):
            return now, asked
        if now.slope >= 0:
            break
        t = cubic_minimum(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10)
        before, now, asked = now, at(t), asked + 1
    else:
        before = start
    low, high = (before, now) if before.value <= now.value else (now, before)
    stuck = False
    while asked <= most and abs(high.t - low.t) * largest >= least:
        left, right = sorted((low.t, high.t))
        t, edge = cubic_minimum(low, high, left, right), 0.1 * (right - left)
        if min(right - t, t - left) < edge:
            # Near an end once may be right; twice, or at the end itself, makes no progress.
            if stuck or t >= right or t <= left:
                t = right - edge if abs(t - right) < abs(t - left) else left + edge
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        now, asked = at(t), asked + 1
        if too_high(now) or now.value >= low.value:
            high = now
            if high.value < low.value:
                low, high = high, low
        elif flat(now):
            return now, asked
        else:
            if now.slope * (high.t - low.t) >= 0:
                high = low
            low = now
    return low, asked
