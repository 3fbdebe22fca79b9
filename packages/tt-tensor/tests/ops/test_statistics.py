"""var and std: NumPy's values, silent where there is too little to vary, stable with a large mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_tensor as tt
from tt_tensor.errors import ArgumentError, AxisError
from tt_tensor.ops.statistics import Std, Var


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    st.sampled_from([0, 1, 0.5]),
    st.booleans(),
    st.sampled_from(["float64", "float32", "float16", "int64", "bool"]),
    st.data(),
)
def test_values_are_numpys(shape, ddof, keepdims, dtype, data):
    axis = data.draw(st.none() | st.lists(st.sampled_from(range(-len(shape), 0)), unique=True).map(tuple))
    x = np.random.default_rng(1).normal(3, 2, shape).astype(dtype)
    count = np.prod([shape[one] for one in (range(len(shape)) if axis is None else axis)])
    if count - ddof <= 0:
        return
    for name in ("var", "std"):
        wanted = np.asarray(getattr(np, name)(x, axis=axis, ddof=ddof, keepdims=keepdims))
        tolerance = {"float16": 5e-3, "float32": 1e-4}.get(dtype, 1e-10)
        for found in (
            getattr(tt, name)(x, axis, ddof, keepdims),
            getattr(np, name)(tt.from_numpy(x), axis=axis, ddof=ddof, keepdims=keepdims),
            getattr(tt.from_numpy(x), name)(axis, correction=ddof, keepdims=keepdims),
        ):
            np.testing.assert_allclose(found.numpy(), wanted, tolerance, tolerance, strict=True)


def test_ddof_is_zero_unless_said():
    assert tt.Tensor([1.0, 3.0]).var().item() == 1.0
    assert tt.Tensor([1.0, 3.0]).var(ddof=1).item() == 2.0
    assert tt.Tensor([1.0, 3.0]).var(correction=1).item() == 2.0


def test_a_large_mean_costs_no_digits():
    x = np.array([1e4, 1e4 + 1, 1e4 + 2], np.float32)
    assert tt.var(x).item() == pytest.approx(2 / 3, rel=1e-6)
    assert tt.var(x.astype(np.float64) + 1e9).item() == pytest.approx(2 / 3, rel=1e-9)
    assert tt.std(np.array([-300.0, 300.0], np.float16)).item() == 300.0  # 300² is beyond float16


@pytest.mark.parametrize("make", [Var, Std])
@pytest.mark.parametrize("x", [np.zeros(0), np.zeros((2, 0)), np.array([2.0]), np.array([2.0, 2.0])])
def test_too_few_elements_give_nan_silently(make, x):
    function = make(-1, x.shape[-1])
    y = function(tt.from_numpy(x))
    assert np.isnan(y.numpy()).all()
    (dx,) = function.gradients(np.ones(y.shape))
    assert dx.shape == x.shape
    assert np.isnan(dx).all()


def test_a_spread_with_too_few_elements_is_infinite():
    assert tt.var([1.0, 2.0], ddof=2).item() == np.inf
    assert tt.std([1.0, 2.0], ddof=3).item() == np.inf


def test_where_nothing_varies_the_gradient_of_std_is_zero():
    function = Std(1)
    y = function(tt.from_numpy(np.array([[2.0, 2.0], [1.0, 3.0]])))
    assert y.tolist() == [0.0, 1.0]
    np.testing.assert_allclose(function.gradients(np.ones(2))[0], [[0.0, 0.0], [-0.5, 0.5]])


def test_second_derivative_of_std(tape):
    x = tt.from_numpy(np.array([0.3, -1.0, 2.0]))

    def first(x):
        return tape.gradients(lambda x: x.std(), [x], tt.ones((), dtype="float64"), create_graph=True)[1][0]

    hessian = np.array([tape.gradients(first, [x], row)[1][0] for row in np.eye(3)])
    d, s = x.numpy() - x.numpy().mean(), x.numpy().std()
    np.testing.assert_allclose(
        hessian, (np.eye(3) - 1 / 3) / (3 * s) - np.outer(d, d) / (9 * s**3), 1e-9, 1e-12
    )


def test_wrong_arguments():
    x = tt.ones(2, 3)
    with pytest.raises(ArgumentError, match="two names"):
        x.var(ddof=0, correction=1)
    with pytest.raises(ArgumentError, match="ddof is a number"):
        x.std(ddof="1")
    with pytest.raises(ArgumentError, match="ddof is a number"):
        x.std(0, True)  # PyTorch's old `unbiased`
    with pytest.raises(AxisError, match="var: axis 5"):
        x.var(5)
    with pytest.raises(AxisError, match="std: axis 5"):
        x.std(5)
