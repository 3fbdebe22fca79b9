"""Reductions in C equal the loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_tensor.errors import ShapeError
from tt_tensor.kernels import reductions

UFUNCS = [np.add, np.multiply, np.maximum, np.minimum, np.logical_or, np.logical_and]
DTYPES = ["float32", "float64", "float16", "int64", "int8", "uint8", "bool"]


@st.composite
def cases(draw):
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    axes = (
        draw(st.none() | st.lists(st.sampled_from(range(len(shape))), unique=True).map(tuple))
        if shape
        else None
    )
    return shape, axes


@given(cases(), st.sampled_from(UFUNCS), st.sampled_from(DTYPES), st.booleans(), st.integers(0, 1000))
def test_numpy_equals_the_loops(case, ufunc, dtype, keepdims, seed):
    shape, axes = case
    rng = np.random.default_rng(seed)
    # A product of up to 256 numbers must stay within float16.
    spread = 1.0 if dtype == "float16" and ufunc is np.multiply else 2.0
    x = rng.integers(0, 2, shape) if dtype == "bool" else rng.normal(0, spread, shape).clip(-spread, spread)
    x = np.where(rng.random(shape) < 0.2, 0, x).astype(np.int64 if "int" in dtype else dtype).astype(dtype)
    try:
        wanted = reductions.loops(ufunc, x, axes, keepdims)
    except ShapeError:
        assert ufunc in (np.maximum, np.minimum)
        with pytest.raises(ValueError, match="zero-size"):
            reductions.numpy(ufunc, x, axes, keepdims)
        return
    tolerance = {"float16": 2e-2, "float32": 1e-5}.get(dtype, 1e-12)
    for run in (reductions.numpy, reductions.reduce):
        np.testing.assert_allclose(
            np.asarray(run(ufunc, x, axes, keepdims)), wanted, tolerance, tolerance, strict=True
        )


def test_dtype_is_the_one_to_accumulate_in():
    x = np.full(3000, 1.0, np.float16)
    for run in (reductions.loops, reductions.numpy, reductions.reduce):
        total = run(np.add, x, None, False, np.float32)
        assert total.dtype == np.float32
        assert total == 3000


def test_integers_wrap_around_without_a_warning():
    x = np.array([2**62, 2**62, 2**62])
    assert reductions.loops(np.add, x, None) == reductions.numpy(np.add, x, None) == -(2**62)


def test_nan_goes_through():
    x = np.array([1.0, np.nan, 2.0])
    assert np.isnan(reductions.loops(np.maximum, x, None))
    assert np.isnan(reductions.numpy(np.maximum, x, None))


@pytest.mark.parametrize("shape", [(300, 300, 4), (100_000, 1, 3)])
@pytest.mark.parametrize("axes", [(0,), (0, 1), None, (1, 2), (0, 2), ()])
def test_long_sums_keep_their_digits(shape, axes):
    x = np.random.default_rng(0).random(shape, np.float32)
    for layout in (x, np.asfortranarray(x), x[::-1, ::2]):
        exact = np.sum(layout, axes, np.float64)
        found = reductions.reduce(np.add, layout, axes)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, exact, 2e-6)
