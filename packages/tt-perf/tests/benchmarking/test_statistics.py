"""Medians and intervals: against plain loops, and by how often they hold what is true."""

import random
from statistics import median

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tt_perf.benchmarking.statistics import median_of, paired_ratio, ratio_of_medians
from tt_tensor.errors import ArgumentError

seconds = st.floats(1e-9, 1e3)


@given(st.lists(seconds, min_size=1, max_size=9), st.integers(0, 5))
def test_the_median_is_the_median(turns, seed):
    found = median_of([turns], 0.99, seed)
    assert found.value == pytest.approx(median(turns))
    assert min(turns) <= found.low <= found.value <= found.high <= max(turns)


@given(st.lists(st.tuples(seconds, seconds), min_size=1, max_size=9), st.integers(0, 5))
@example(
    [(1.0, 1.0), (1.0, 2.0), (1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 1.0)], 5
)  # an end between two draws
def test_a_pair_and_its_inverse_have_one_interval(pairs, seed):
    a, b = ([pair[side] for pair in pairs] for side in (0, 1))
    one, other = paired_ratio([a], [b], 0.99, seed), paired_ratio([b], [a], 0.99, seed)
    assert one.value * other.value == pytest.approx(1)
    assert one.low * other.high == pytest.approx(1, rel=1e-6)


def test_intervals_are_those_of_the_definition():
    """The two-stage bootstrap in plain loops, with other draws."""
    rng = np.random.default_rng(3)
    turns = 1 + rng.random((4, 6)) + np.arange(4)[:, None] / 10
    dice = random.Random(0)
    medians = sorted(
        median(second for row in dice.choices(turns.tolist(), k=4) for second in dice.choices(row, k=6))
        for _ in range(4000)
    )
    found = median_of(turns, 0.9, 0)
    assert found.low == pytest.approx(medians[200], rel=0.02)
    assert found.high == pytest.approx(medians[3800], rel=0.02)


def test_coverage_of_unpaired_ratios():
    """Intervals of 99 % hold the true ratio in 96 % of 200 or more: the percentile bootstrap is a little narrow."""
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        a, b = 2 * np.exp(rng.normal(0, 0.1, (1, 21))), np.exp(rng.normal(0, 0.1, (1, 21)))
        found = ratio_of_medians(a, b, 0.99, seed)
        held += found.low <= 2 <= found.high
    assert held >= 192


def test_processes_with_a_speed_of_their_own_widen_the_interval():
    luck = np.array([[1.0], [1.2], [0.9]])
    inside = 1 + np.random.default_rng(0).random((3, 30)) / 100
    together = median_of((inside * luck).reshape(1, -1), 0.95, 0)
    apart = median_of(inside * luck, 0.95, 0)
    assert apart.low == pytest.approx(0.9, abs=0.02) and apart.high == pytest.approx(1.2, abs=0.02)
    assert together.high - together.low < apart.high - apart.low


def test_shapes_of_two_runs_may_differ_unless_paired():
    assert ratio_of_medians([[2.0, 2.0]], [[1.0]], 0.9, 0) == (2, 2, 2)
    with pytest.raises(ArgumentError, match=r"shapes \(1, 2\) and \(1, 1\) are no pairs"):
        paired_ratio([[2.0, 2.0]], [[1.0]], 0.9, 0)


@pytest.mark.parametrize(
    "turns", [[[]], [], [1.0], [[0.0]], [[-1.0]], [[float("nan")]], [[float("inf")]]], ids=str
)
def test_what_is_no_measurement(turns):
    with pytest.raises(ArgumentError, match="positive seconds"):
        median_of(turns, 0.9, 0)
