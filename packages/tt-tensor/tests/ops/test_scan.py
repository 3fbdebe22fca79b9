"""cumsum and cumprod: NumPy's values and dtypes, and what runs back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, AxisError, DTypeError
from tt_tensor.ops.scan import Cumsum


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple),
    st.sampled_from(["float64", "float32", "int64", "uint8", "bool"]),
    st.data(),
)
def test_values_are_numpys(shape, dtype, data):
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(1).uniform(0, 9, shape).astype(dtype).T
    wanted = np.cumsum(x, axis)
    for found in (tt.cumsum(x, axis), np.cumsum(tt.from_numpy(x), axis=axis), tt.from_numpy(x).cumsum(axis)):
        np.testing.assert_allclose(found.numpy(), wanted, 1e-5, strict=True)
    wanted = np.cumprod(x, axis)
    for found in (
        tt.cumprod(x, axis),
        np.cumprod(tt.from_numpy(x), axis=axis),
        tt.from_numpy(x).cumprod(axis),
    ):
        np.testing.assert_allclose(found.numpy(), wanted, 1e-5, strict=True)


def test_a_single_number():
    assert tt.cumsum(2.0).tolist() == [2.0]


def test_dtype():
    assert tt.ones(3).cumsum(dtype="float64").dtype == np.float64
    function = Cumsum(0, "float64")
    function(tt.ones(3))
    (dx,) = function.gradients(np.array([1.0, 10.0, 100.0]))
    np.testing.assert_array_equal(dx, np.array([111, 110, 100], np.float32), strict=True)


def test_wrong_arguments():
    with pytest.raises(AxisError, match="cumsum: axis 2"):
        tt.ones(2, 2).cumsum(2)
    with pytest.raises(AxisError, match="cumprod: axis 2"):
        tt.ones(2, 2).cumprod(2)
    with pytest.raises(DTypeError, match="one axis"):
        tt.ones(2, 2).cumsum((0, 1))
    with pytest.raises(DTypeError, match="an axis is an integer"):
        tt.ones(2, 2).cumsum(0.5)
    with pytest.raises(DTypeError, match="dtype"):
        tt.ones(2, 2).cumsum(0, "complex64")


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_diff_is_numpys(dtype):
    x = (np.random.default_rng(0).normal(size=(3, 5)) * 3).astype(dtype)
    for n in range(4):
        for axis in (0, 1, -1):
            np.testing.assert_array_equal(tt.diff(x, n, axis).numpy(), np.diff(x, n, axis), strict=True)
    with pytest.raises(ArgumentError, match="n must be a whole number"):
        tt.diff(x, -1)
    with pytest.raises(AxisError):
        tt.diff(1.0)
