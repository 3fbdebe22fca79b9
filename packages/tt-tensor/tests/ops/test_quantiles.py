"""quantile and median: NumPy's values, NaN, dtypes, and where the gradient goes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, AxisError, DTypeError, ShapeError


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    st.one_of(st.floats(0, 1), st.lists(st.floats(0, 1), max_size=3)),
    st.booleans(),
    st.sampled_from(["float64", "float32", "float16", "int64", "bool"]),
    st.data(),
)
def test_values_are_numpys(shape, q, keepdims, dtype, data):
    axis = data.draw(st.none() | st.lists(st.sampled_from(range(-len(shape), 0)), unique=True).map(tuple))
    x = np.random.default_rng(1).normal(3, 2, shape).astype(dtype)
    wide = x if x.dtype.kind == "f" else x.astype(np.float64)
    tolerance = {"float16": 5e-3, "float32": 1e-5}.get(dtype, 1e-12)
    middle = np.median(wide, axis=axis, keepdims=keepdims)
    for found in (tt.median(x, axis, keepdims), np.median(tt.from_numpy(x), axis=axis, keepdims=keepdims)):
        np.testing.assert_allclose(found.numpy(), middle, tolerance)
        assert found.dtype == wide.dtype
    wanted = np.quantile(wide.astype(np.float64), q, axis=axis, keepdims=keepdims)
    for found in (
        tt.quantile(x, q, axis, keepdims),
        tt.from_numpy(x).quantile(q, axis, keepdims),
        np.quantile(tt.from_numpy(x), q, axis=axis, keepdims=keepdims),
    ):
        assert found.shape == wanted.shape and found.dtype == wide.dtype
        np.testing.assert_allclose(found.numpy(), wanted, tolerance, tolerance)


def test_nan_and_infinity():
    x = np.array([[1.0, np.nan, 3.0], [np.inf, 1.0, np.inf]])
    np.testing.assert_array_equal(tt.median(x, 1).numpy(), [np.nan, np.inf])
    np.testing.assert_array_equal(tt.quantile(x, [0.0, 0.5], 1).numpy(), [[np.nan, 1], [np.nan, np.inf]])


def test_the_gradient_goes_to_what_it_is_made_of(tape):
    x = tt.Tensor([5.0, 1.0, 3.0, 9.0])

    def gradient(f):
        return tape.gradients(f, [x], tt.ones(()))[1][0].tolist()

    assert gradient(lambda x: x.median()) == [0.5, 0, 0.5, 0]
    assert gradient(lambda x: x.quantile(0.5)) == [0.5, 0, 0.5, 0]
    assert gradient(lambda x: x.quantile(0.25)) == [0, 0.25, 0.75, 0]
    assert gradient(lambda x: x[:3].median()) == [0, 0, 1, 0]
    assert gradient(lambda x: x.quantile(1.0)) == [0, 0, 0, 1]


def test_wrong_arguments():
    x = tt.ones(2, 3)
    for q in (-0.1, 1.1, [0.5, 2.0], float("nan")):
        with pytest.raises(ArgumentError, match="q is a share from 0 to 1"):
            x.quantile(q)
    for q in ("a", [[0.5]], None):
        with pytest.raises(DTypeError, match="q is a number from 0 to 1"):
            x.quantile(q)
    with pytest.raises(ShapeError, match="no element, and so no median"):
        tt.ones(0, 3).median(0)
    assert tt.ones(0, 3).median(1).shape == (0,)
    with pytest.raises(AxisError, match="median: axis 2"):
        x.median(2)
    with pytest.raises(ArgumentError, match="keepdims"):
        x.median(0, 1)
