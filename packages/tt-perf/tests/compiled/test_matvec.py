"""Products with few rows: the loops' results, whatever comes; what does not suit goes to NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="compiled kernels need numba")

from tt_nn import shards
from tt_perf.compiled.matvec import linear_infer
from tt_tensor import kernels

LOOPS = kernels.kernel("linear_infer", "loops")


@pytest.fixture(autouse=True)
def two_threads():
    with shards.threads(2):
        yield


def drawn(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(
    lead=st.sampled_from([(1,), (1, 1), (2,), (3, 2), (0,), (9,), ()]),
    inside=st.integers(0, 70),
    outside=st.integers(0, 40),
    biased=st.booleans(),
)
def test_it_is_what_the_loops_give(lead, inside, outside, biased):
    x, weight = drawn(0, *lead, inside), drawn(1, outside, inside)
    bias = drawn(2, outside) if biased else None
    y = linear_infer(x, weight, bias)
    assert y.dtype == np.float32
    assert y.shape == (*lead, outside)
    np.testing.assert_allclose(y, LOOPS(x, weight, bias), rtol=1e-5, atol=2e-5)


def test_large_ones_are_cut_for_both_cores():
    x, weight, bias = drawn(0, 2, 768), drawn(1, 1001, 768), drawn(2, 1001)
    for _ in range(20):
        y = linear_infer(x, weight, bias)
        np.testing.assert_allclose(y, x @ weight.T + bias, rtol=1e-4, atol=1e-4)


def test_a_row_is_the_same_to_the_last_bit_among_others():
    for inside, outside in ((5, 9), (48, 24), (770, 1001)):
        x, weight, bias = drawn(0, 8, inside), drawn(1, outside, inside), drawn(2, outside)
        wanted = np.concatenate([linear_infer(row[None], weight, bias) for row in x])
        for n in range(2, 9):
            np.testing.assert_array_equal(linear_infer(x[:n], weight, bias), wanted[:n])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_comes_through(bad):
    x, weight = drawn(0, 1, 33), drawn(1, 9, 33)
    weight[4, 7] = bad
    y = linear_infer(x, weight, None)
    expected = x @ weight.T
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    assert np.isfinite(y).sum() == 8


@pytest.mark.parametrize(
    "arrays",
    [
        (drawn(0, 2, 6).astype(np.float64), drawn(1, 4, 6).astype(np.float64), None),
        (drawn(0, 2, 6), drawn(1, 6, 4).T, None),
        (drawn(0, 2, 6), drawn(1, 4, 6), drawn(2, 8)[::2]),
        (drawn(0, 2, 12)[:, ::2], drawn(1, 4, 6), None),
        (drawn(0, 9, 6), drawn(1, 4, 6), drawn(2, 4)),
    ],
    ids=["float64", "transposed", "strided bias", "strided rows", "many rows"],
)
def test_what_does_not_suit_goes_to_numpy(arrays):
    y = linear_infer(*arrays)
    assert y.dtype == arrays[0].dtype
    np.testing.assert_allclose(y, LOOPS(*arrays), rtol=1e-5, atol=1e-6)


def test_weights_that_may_not_be_written_to_suit():
    x, weight = drawn(0, 1, 6), drawn(1, 4, 6)
    weight.flags.writeable = False
    np.testing.assert_allclose(linear_infer(x, weight, None), x @ weight.T, rtol=1e-5, atol=1e-6)
