"""Compiled norms are the loops and NumPy's kernels, forth and back, also for large offsets, NaN and empty arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_nn  # noqa: F401  (its norms enter the table)
from tt_perf.compiled.row_norms import LAYER_NORM, RMS_NORM
from tt_tensor import kernels

NORMS = {"layer_norm": LAYER_NORM, "rms_norm": RMS_NORM}


def drawn(rows, n, seed, offset=0.0):
    rng = np.random.default_rng(seed)
    x, grad = (rng.normal(size=(rows, n)).astype(np.float32) for _ in range(2))
    weight, bias = (rng.normal(size=n).astype(np.float32) for _ in range(2))
    return x + np.float32(offset), grad, weight, bias


def both_ways(kernel, x, grad, weight, bias, eps):
    y, saved = kernel.forward(x, weight, bias, eps)
    return y, *kernel.backward(grad, weight, saved, weight is not None, bias is not None)


def assert_same(found, expected, tolerance):
    for ours, theirs in zip(found, expected, strict=True):
        if theirs is None:
            assert ours is None
            continue
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", sorted(NORMS))
@given(rows=st.integers(0, 9), n=st.integers(0, 70), seed=st.integers(0, 99), parts=st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_the_loops(name, rows, n, seed, parts):
    x, grad, weight, bias = drawn(rows, n, seed, 3.0)
    weight, bias = weight if parts > 0 else None, bias if parts > 1 else None
    found = both_ways(NORMS[name], x, grad, weight, bias, 1e-3)
    assert all(array is None or array.dtype == np.float32 for array in found)
    assert_same(found, both_ways(kernels.kernel(name, "loops"), x, grad, weight, bias, 1e-3), 1e-4)


@pytest.mark.parametrize("name", sorted(NORMS))
@pytest.mark.parametrize(("rows", "n"), [(3000, 64), (70, 1024), (5, 16384), (40_001, 3), (1, 20_000)])
def test_numpy_in_double_precision(name, rows, n):
    x, grad, weight, bias = drawn(rows, n, 0)
    wide = [array.astype(np.float64) for array in (x, grad, weight, bias)]
    expected = both_ways(kernels.kernel(name, "numpy"), *wide, 1e-5)
    for ours, theirs in zip(both_ways(NORMS[name], x, grad, weight, bias, 1e-5), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-6 * np.abs(theirs).max())


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_a_large_offset_costs_no_digits(offset):
    x, grad, weight, bias = drawn(200, 128, 1, offset)
    wide = [array.astype(np.float64) for array in (x, grad, weight, bias)]
    expected = both_ways(kernels.kernel("layer_norm", "numpy"), *wide, 1e-5)
    assert_same(both_ways(LAYER_NORM, x, grad, weight, bias, 1e-5), expected, 3e-5)


@pytest.mark.parametrize("name", sorted(NORMS))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_spoils_its_row_only(name, value):
    x, grad, weight, bias = drawn(5, 33, 2)
    x[2, 7] = value
    with np.errstate(invalid="ignore"):
        found = both_ways(NORMS[name], x, grad, weight, bias, 1e-5)
        expected = both_ways(kernels.kernel(name, "numpy"), x, grad, weight, bias, 1e-5)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))


def test_an_even_row_without_eps():
    x, _, weight, bias = drawn(2, 8, 3)
    x[0] = 4
    with np.errstate(invalid="ignore", divide="ignore"):
        found = LAYER_NORM.forward(x, weight, bias, 0.0)[0]
        expected = kernels.kernel("layer_norm", "numpy").forward(x, weight, bias, 0.0)[0]
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


@pytest.mark.parametrize("name", sorted(NORMS))
def test_what_does_not_suit_goes_to_numpy(name):
    x, grad, weight, bias = drawn(6, 10, 4)
    plain = kernels.kernel(name, "numpy")
    turned = np.asfortranarray(x)
    for arrays in ((turned, grad, weight, bias), [a.astype(np.float64) for a in (x, grad, weight, bias)]):
        for ours, theirs in zip(
            both_ways(NORMS[name], *arrays, 1e-5), both_ways(plain, *arrays, 1e-5), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_a_gradient_that_lies_otherwise_or_is_broadcast():
    x, grad, weight, bias = drawn(6, 10, 5)
    _, saved = LAYER_NORM.forward(x, weight, bias, 1e-5)
    expected = LAYER_NORM.backward(grad, weight, saved, True, True)
    assert_same(LAYER_NORM.backward(np.asfortranarray(grad), weight, saved, True, True), expected, 0)
    one = np.broadcast_to(np.float32(1), x.shape)
    assert_same(
        LAYER_NORM.backward(one, weight, saved, True, True),
        LAYER_NORM.backward(np.ones_like(x), weight, saved, True, True),
        0,
    )
