"""The softmax of all rows at once equals the loops, and neither warns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_tensor.kernels import softmax

LOGITS = st.sampled_from([-np.inf, -1e4, -3.0, 0.0, 0.5, 2.0, 1e4])


@st.composite
def logits(draw):
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=1, max_size=3)))
    size = int(np.prod(shape))
    x = np.array(draw(st.lists(LOGITS, min_size=size, max_size=size)), np.float64).reshape(shape)
    return x, draw(st.integers(0, len(shape) - 1))


@given(logits(), st.sampled_from(["float16", "float32", "float64"]))
def test_numpy_equals_the_loops(case, dtype):
    x, axis = case[0].astype(dtype), case[1]
    wanted = softmax.loops(x, axis)
    tolerance = {"float16": 1e-3, "float32": 1e-6, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(softmax.numpy(x, axis), wanted, tolerance, tolerance, strict=True)
    # A distribution, or nothing at all.
    total = wanted.sum(axis, dtype=np.float64)
    some = np.any(x > -np.inf, axis)
    np.testing.assert_allclose(total, np.where(some, 1.0, 0.0), 5e-3 if dtype == "float16" else 1e-6)


@pytest.mark.parametrize("run", [softmax.loops, softmax.numpy])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_ends_of_the_range(run, dtype):
    lowest, highest = np.finfo(dtype).min, np.finfo(dtype).max
    x = np.array([[lowest, lowest], [highest, lowest], [highest, highest], [-np.inf, lowest]], dtype)
    np.testing.assert_array_equal(run(x, 1), np.array([[0.5, 0.5], [1, 0], [0.5, 0.5], [0, 1]], dtype))


@pytest.mark.parametrize("run", [softmax.loops, softmax.numpy])
def test_a_mistake_upstream_shows_in_its_row_only(run):
    x = np.array([[np.nan, 1.0], [np.inf, 1.0], [np.inf, -np.inf], [0.0, 0.0]])
    np.testing.assert_array_equal(run(x, 1), [[np.nan] * 2, [np.nan] * 2, [np.nan] * 2, [0.5, 0.5]])


@given(logits(), st.sampled_from(["float16", "float32", "float64"]))
def test_logarithms_equal_the_loops(case, dtype):
    x, axis = case[0].astype(dtype), case[1]
    tolerance = {"float16": 1e-3, "float32": 1e-6, "float64": 1e-12}[dtype]
    wanted = softmax.log_loops(x, axis)
    np.testing.assert_allclose(softmax.log_numpy(x, axis), wanted, tolerance, tolerance, strict=True)


@given(logits(), st.sampled_from(["float32", "float64"]))
def test_rules_equal_the_loops(case, dtype):
    x, axis = case[0].astype(dtype), case[1]
    tolerance = {"float32": 3e-6, "float64": 1e-12}[dtype]
    grad = np.cos(np.arange(x.size, dtype=dtype)).reshape(x.shape)
    for forward, fast, loops in (
        (softmax.loops, softmax.numpy_backward, softmax.loops_backward),
        (softmax.log_loops, softmax.log_numpy_backward, softmax.log_loops_backward),
    ):
        y = forward(x, axis)
        wanted = loops(grad, y, axis)
        np.testing.assert_allclose(fast(grad, y, axis), wanted, tolerance, tolerance, strict=True)


def test_logarithms_of_large_logits_keep_their_digits():
    x = np.array([[1e4, 1e4 + 1, 1e4 - 2]], np.float32)
    exact = x.astype(np.float64) - 1e4
    exact -= np.log(np.exp(exact).sum())
    for run in (softmax.log_numpy, softmax.log_loops):
        np.testing.assert_allclose(run(x, 1), exact, rtol=3e-7)


@pytest.mark.parametrize("run", [softmax.log_loops, softmax.log_numpy])
def test_a_mistake_upstream_shows_in_its_logarithms_only(run):
    x = np.array([[np.nan, 1.0], [np.inf, 1.0], [-np.inf, -np.inf], [-np.inf, 0.0]])
    np.testing.assert_array_equal(run(x, 1), [[np.nan] * 2, [np.nan] * 2, [-np.inf] * 2, [-np.inf, 0]])
