"""The points: three spirals, each in the gaps of the others, with noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ARMS", "NOISE", "TURNS", "Points", "Problem", "arm", "draw", "nearest_arm", "problem"]

ARMS = 3
TURNS = 2.0
INNER, OUTER = 0.06, 1.0
NOISE = 0.02
"""Standard deviation, in x and in y. Neighbouring arms are (OUTER - INNER) / (TURNS * ARMS) = 0.157 apart."""

TRAIN, CHOOSE, HELD_OUT = 1000, 100, 1000
"""How many points of each arm: to learn from, to choose the weights by, never shown."""


@dataclass(frozen=True)
class Points:
    """places (N, 2) in float32 and the arm that each comes from, (N,) of 0, 1, 2."""

    places: npt.NDArray[np.float32]
    arms: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.arms)


@dataclass(frozen=True)
class Problem:
    """Three draws from the same distribution: to learn from, to choose the best weights by, and held out."""

    train: Points
    choose: Points
    held_out: Points


def arm(number: int, along: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Arm `number` at ``along`` from 0, inside, to 1: (N,) → (N, 2).

    An Archimedean spiral: the radius r grows evenly with the angle, 2 pi (TURNS * (r - INNER) + number / ARMS).
    """
    radius = INNER + (OUTER - INNER) * np.asarray(along, float)
    angle = 2 * math.pi * (TURNS * np.asarray(along, float) + number / ARMS)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)


def draw(each: int, generator: np.random.Generator, noise: float = NOISE) -> Points:
    """`each` points of every arm, evenly along it (an arm's length grows with the square of the radius)."""
    places = np.concatenate([arm(number, np.sqrt(generator.random(each))) for number in range(ARMS)])
    places += generator.normal(0, noise, places.shape)
    return Points(places.astype(np.float32), np.repeat(np.arange(ARMS), each))


def problem(seed: int) -> Problem:
    """The three parts for a seed, each from random numbers of its own."""
    sizes = (TRAIN, CHOOSE, HELD_OUT)
    train, choose, held_out = (
        draw(each, np.random.default_rng([seed, part])) for part, each in enumerate(sizes)
    )
    return Problem(train, choose, held_out)


def nearest_arm(places: npt.NDArray[np.floating], samples: int = 600) -> npt.NDArray[np.int64]:
    """The arm that each point (N, 2) lies nearest to: the answer of one who knows the arms, (N,)."""
    along = np.linspace(0, 1, samples)
    distances = []
    for number in range(ARMS):
        curve = arm(number, along)  # (samples, 2)
        # |p - c|^2 without |p|^2, which is the same for all arms.
        distances.append(((curve**2).sum(1) - 2 * places.astype(float) @ curve.T).min(axis=1))
    return np.argmin(distances, axis=0)
