"""Rows added by compiled code are those of the loops; ids that repeat, many of them, and none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tt_text  # noqa: F401  (the operation enters the table)
from tt_perf.compiled.add_rows import add_rows
from tt_tensor import kernels


@given(st.integers(0, 300), st.integers(1, 20), st.integers(0, 20), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_loops(count, rows, width, seed):
    rng = np.random.default_rng(seed)
    grad, ids = rng.normal(size=(count, width)).astype(np.float32), rng.integers(0, rows, count)
    found = add_rows(grad, ids, rows)
    assert found.dtype == np.float32
    expected = kernels.kernel("add_rows", "loops")(grad.astype(np.float64), ids, rows)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_row_that_is_met_a_million_times_loses_few_digits():
    grad = np.full((1_000_000, 1), 0.1, np.float32)
    found = add_rows(grad, np.zeros(len(grad), np.int64), 1)
    # One by one it would be 1 % off.
    assert found[0, 0] == pytest.approx(len(grad) * float(np.float32(0.1)), rel=1e-3)


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_other_dtypes_go_to_numpy(dtype):
    grad, ids = np.ones((40, 3), dtype), np.arange(40) % 5
    found = add_rows(grad, ids, 5)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.full((5, 3), 8))


def test_a_gradient_that_lies_otherwise():
    rng = np.random.default_rng(0)
    grad, ids = rng.normal(size=(3, 40)).astype(np.float32).T, rng.integers(0, 5, 40)
    np.testing.assert_allclose(
        add_rows(grad, ids, 5), add_rows(np.ascontiguousarray(grad), ids, 5), rtol=1e-5, atol=1e-6
    )


def test_nan_stays_in_its_row():
    grad, ids = np.ones((10, 2), np.float32), np.arange(10) % 3
    grad[4, 1] = np.nan
    np.testing.assert_array_equal(
        np.isnan(add_rows(grad, ids, 3)), [[False, False], [False, True], [False, False]]
    )
