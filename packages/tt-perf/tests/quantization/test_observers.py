"""Observers: what they remember of numbers that went by."""

from __future__ import annotations

import numpy as np
import pytest

from tt_perf.quantization import MinMaxObserver, MSEObserver, PercentileObserver
from tt_tensor.errors import ArgumentError

KINDS = (MinMaxObserver, PercentileObserver, MSEObserver)


def watched(observer, arrays):  # type: ignore[no-untyped-def]
    for array in arrays:
        observer.observe(np.asarray(array, np.float32))
    return observer


def error(numbers: np.ndarray, low: float, high: float) -> float:
    """Σ (x - x̂)², by the definition."""
    scale = (high - low) / 255
    zero = round(-low / scale)
    q = np.clip(np.rint(numbers / scale) + zero, 0, 255)
    return float(((scale * (q - zero) - numbers) ** 2).sum())


def test_minmax_is_all_that_was_seen() -> None:
    assert watched(MinMaxObserver(), [[1, 2], [-3, 0.5], []]).range() == (-3, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_ranges_hold_zero(kind: type) -> None:
    low, high = watched(kind(), [np.linspace(2, 3, 1000)]).range()
    assert low == 0 and 0 < high <= 3
    low, high = watched(kind(), [-np.linspace(2, 3, 1000)]).range()
    assert high == 0 and -3 <= low < 0


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_have_scale_one(kind: type) -> None:
    assert watched(kind(), [np.zeros(5)]).scale() == (1.0, 0)


@pytest.mark.parametrize("split", [1, 7, 100])
def test_percentile_is_that_of_all_numbers(split: int) -> None:
    numbers = np.random.default_rng(0).normal(size=20000)
    # Grown from small to large, so that the histogram must widen several times.
    order = np.argsort(np.abs(numbers))
    low, high = watched(PercentileObserver(99), np.array_split(numbers[order], split)).range()
    width = 2 * 8 / 4096
    np.testing.assert_allclose([low, high], np.percentile(numbers, [0.5, 99.5]), atol=2 * width)


def test_mse_errs_less_than_minmax_and_percentile_where_there_are_outliers() -> None:
    numbers = np.concatenate([np.random.default_rng(1).normal(size=200000), [9.0, -7.0]]).astype(np.float32)
    errors = {kind: error(numbers, *watched(kind(), [numbers]).range()) for kind in KINDS}
    assert errors[MSEObserver] < 0.8 * errors[MinMaxObserver]
    assert errors[MSEObserver] <= errors[PercentileObserver]


def test_scale_and_zero_point_cover_the_range() -> None:
    scale, zero = watched(MinMaxObserver(), [[-1.0, 3.0]]).scale()
    assert scale == pytest.approx(4 / 255) and zero == round(1 / scale)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_observed_and_no_numbers_are_refused(kind: type) -> None:
    with pytest.raises(ArgumentError, match="nothing was observed"):
        kind().range()
    with pytest.raises(ArgumentError, match="NaN or infinity"):
        kind().observe(np.array([1, np.nan], np.float32))
    with pytest.raises(ArgumentError, match="NaN or infinity"):
        kind().observe(np.array([np.inf], np.float32))


def test_a_percentile_is_from_50_to_100() -> None:
    with pytest.raises(ArgumentError, match="101"):
        PercentileObserver(101)
