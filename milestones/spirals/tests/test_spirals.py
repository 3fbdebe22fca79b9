"""The points lie where they should, and the held-out ones are others."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from milestone_spirals.spirals import (
    ARMS,
    INNER,
    NOISE,
    OUTER,
    TURNS,
    arm,
    draw,
    nearest_arm,
    problem,
)


def test_an_arm_turns_evenly_from_the_inner_to_the_outer_radius():
    along = np.linspace(0, 1, 2001)
    places = arm(0, along)
    radius = np.hypot(*places.T)
    np.testing.assert_allclose(radius, INNER + (OUTER - INNER) * along, rtol=1e-12)
    angle = np.unwrap(np.arctan2(places[:, 1], places[:, 0]))
    np.testing.assert_allclose(angle, 2 * math.pi * TURNS * along, atol=1e-9)


@pytest.mark.parametrize("number", range(ARMS))
def test_the_arms_are_one_arm_turned(number):
    along = np.linspace(0, 1, 50)
    angle = 2 * math.pi * number / ARMS
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    np.testing.assert_allclose(arm(number, along), arm(0, along) @ turn.T, atol=1e-12)


def test_a_ray_from_the_centre_meets_the_arms_in_turn():
    """Outwards, at even distances, whatever the direction: that is what makes it hard."""
    along = np.linspace(0, 1, 200_001)
    for direction in (0.3, 2.0, 4.4):
        met = []
        for number in range(ARMS):
            places = arm(number, along)
            off = np.angle(np.exp(1j * (np.arctan2(places[:, 1], places[:, 0]) - direction)))
            crossing = np.flatnonzero((off[:-1] < 0) & (off[1:] >= 0) & (np.abs(off[:-1]) < 1))
            met += [(float(np.hypot(*places[at])), number) for at in crossing]
        radii, order = zip(*sorted(met), strict=True)
        assert len(radii) == ARMS * TURNS
        np.testing.assert_allclose(np.diff(radii), (OUTER - INNER) / (ARMS * TURNS), rtol=1e-3)
        assert all((b - a) % ARMS == (order[1] - order[0]) % ARMS != 0 for a, b in pairwise(order))


def test_without_noise_every_point_is_on_its_arm():
    points = draw(300, np.random.default_rng(1), noise=0.0)
    np.testing.assert_array_equal(nearest_arm(points.places), points.arms)
    curve = arm(1, np.linspace(0, 1, 20_000))
    mine = points.places[points.arms == 1]
    assert np.abs(mine[:, None] - curve[None]).sum(-1).min(axis=1).max() < 1e-3


def test_noise_is_what_it_says():
    clean, noisy = (draw(4000, np.random.default_rng(2), noise=noise) for noise in (0.0, NOISE))
    off = noisy.places - clean.places
    assert abs(off.std() / NOISE - 1) < 0.02
    assert abs(off.mean()) < 4 * NOISE / math.sqrt(off.size)


def test_points_lie_evenly_along_the_arm():
    """As many on the outer half of an arm's length as on the inner half."""
    line = arm(0, np.linspace(0, 1, 10_001))
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    halfway = np.interp(length[-1] / 2, length, np.linspace(INNER, OUTER, 10_001))
    radius = np.hypot(*draw(4000, np.random.default_rng(3), noise=0.0).places.T)
    assert abs((radius > halfway).mean() - 0.5) < 0.04


def test_the_parts_have_their_sizes_and_kinds(points):
    for part, each in ((points.train, 1000), (points.choose, 100), (points.held_out, 1000)):
        assert len(part) == ARMS * each
        assert np.bincount(part.arms).tolist() == [each] * ARMS
        assert (part.places.dtype, part.arms.dtype) == (np.float32, np.int64)


def test_no_held_out_point_is_among_those_that_are_shown(points):
    shown = {place.tobytes() for part in (points.train, points.choose) for place in part.places}
    assert len(shown) == len(points.train) + len(points.choose)
    assert not any(place.tobytes() in shown for place in points.held_out.places)


def test_all_parts_are_of_one_distribution(points):
    """The mean and the spread of each arm agree within five standard errors."""
    for number in range(ARMS):
        one, other = (part.places[part.arms == number] for part in (points.train, points.held_out))
        error = np.sqrt(one.var(0) / len(one) + other.var(0) / len(other))
        assert (np.abs(one.mean(0) - other.mean(0)) < 5 * error).all()
        assert (np.abs(one.std(0) / other.std(0) - 1) < 0.15).all()


def test_a_seed_is_a_problem(points):
    same, other = problem(0), problem(1)
    for part in ("train", "choose", "held_out"):
        np.testing.assert_array_equal(getattr(points, part).places, getattr(same, part).places)
        assert not np.array_equal(getattr(points, part).places, getattr(other, part).places)


def test_nearest_arm_is_the_naive_search(points):
    places = points.held_out.places[::50]
    curves = [arm(number, np.linspace(0, 1, 600)) for number in range(ARMS)]
    expected = [min(range(ARMS), key=lambda k: np.hypot(*(curves[k] - place).T).min()) for place in places]
    assert nearest_arm(places).tolist() == expected
