"""power_law: the exponent of exact powers comes back, and the interval holds the truth where there is noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_perf.profiling.fit import power_law

SIZES = [16, 32, 64, 128, 256]


@given(exponent=st.floats(-3, 4), constant=st.floats(1e-9, 1e9))
def test_an_exact_power(exponent, constant):
    fit = power_law(SIZES, [constant * n**exponent for n in SIZES])
    assert fit.exponent == pytest.approx(exponent, abs=1e-6)
    assert fit.constant == pytest.approx(constant, rel=1e-5)
    assert fit.low <= fit.exponent <= fit.high
    assert fit.predict(100) == pytest.approx(constant * 100**exponent, rel=1e-5)


def test_the_line_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    values = [n**1.5 * math.exp(rng.normal(0, 0.2)) for n in SIZES]
    slope, intercept = np.polyfit(np.log(SIZES), np.log(values), 1)
    fit = power_law(SIZES, values)
    assert fit.exponent == pytest.approx(slope)
    assert fit.constant == pytest.approx(math.exp(intercept))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        fit = power_law(SIZES, [n**2 * math.exp(rng.normal(0, 0.1)) for n in SIZES])
        hits += fit.low <= 2 <= fit.high
    assert 0.92 <= hits / 400 <= 0.98


@pytest.mark.parametrize(
    ("exponent", "words"),
    [(0.05, "≈ constant"), (1.0, "≈ N"), (2.1, "≈ N²"), (3.0, "≈ N³"), (1.5, "≈ N^1.5"), (-1.0, "≈ N⁻¹")],
)
def test_words(exponent, words):
    assert power_law(SIZES, [n**exponent for n in SIZES]).words == words


def test_noise_is_called_unclear():
    assert power_law(SIZES, [1, 100, 1, 100, 1]).words == "unclear"
    two = power_law([1, 2], [1, 4])
    assert two.exponent == pytest.approx(2)
    assert two.words == "unclear"
    assert two.to_dict()["low"] is None


@pytest.mark.parametrize(("sizes", "values"), [([4, 4], [1, 2]), ([1, 2], [0, 1]), ([1, 2], [1, math.nan])])
def test_what_cannot_be_fitted(sizes, values):
    assert power_law(sizes, values) is None
