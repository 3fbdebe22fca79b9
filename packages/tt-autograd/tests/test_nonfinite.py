"""What messages say about arrays with NaN and Inf."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import tt_tensor as tt
from tt_autograd.nonfinite import described, first_bad, has, is_finite, range_of

ARRAYS = npst.arrays(
    st.sampled_from([np.float16, np.float32, np.float64]),
    npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    elements=st.sampled_from([0.0, 1.0, -2.0, np.inf, -np.inf, np.nan]),
)


@given(ARRAYS)
def test_finite_means_no_number_is_nan_or_infinite(x):
    for given_as in (x, tt.tensor(x)):
        assert is_finite(given_as) == all(np.isfinite(v) for v in x.ravel().tolist())
        assert has(np.isnan, given_as) == any(v != v for v in x.ravel().tolist())


@given(ARRAYS)
def test_the_first_bad_value_is_the_first_in_order(x):
    bad = [(at, v) for at, v in np.ndenumerate(x) if not np.isfinite(v)]
    if bad and x.ndim:
        at, value = bad[0]
        assert first_bad(x).startswith(f"{value} at {list(at)} (")
        assert x.size == 1 or f"({len(bad)} of {x.size} values are not finite)" in first_bad(x)


@pytest.mark.parametrize(
    ("x", "yes"),
    [
        (np.inf, True), (1.5, False), (3, False), (True, False), (None, False), ("inf", False),
        ([1.0, [2.0, np.inf]], True), ((np.float32(np.inf),), True), (np.array([1, 2]), False), ([], False),
    ],
)  # fmt: skip
def test_numbers_and_nestings_are_looked_into(x, yes):
    assert has(np.isinf, x) == yes


def test_ranges_and_operands():
    assert range_of(np.array([2.0, -1.0])) == "(-1.0 to 2.0)"
    assert range_of(np.ones((2, 2))) == "(all 1.0)"
    assert range_of(np.array([1.0, np.inf])) == "(1.0 to inf)"
    assert described(tt.zeros((0, 3))) == "(0, 3) float32 (empty)"
    assert described(2.5) == "2.5"
