"""ReLU6, Hardsigmoid, Hardswish by their definitions; limits, kinks and looks stand in test_activations.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor import Tensor


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0), elements=st.floats(-9, 9))
)
def test_definitions(x):
    np.testing.assert_array_equal(F.relu6(x).numpy(), np.minimum(np.maximum(x, 0), 6))
    np.testing.assert_allclose(F.hardsigmoid(x).numpy(), np.clip(x / 6 + 0.5, 0, 1), atol=1e-15)
    np.testing.assert_allclose(F.hardswish(x).numpy(), x * np.clip(x / 6 + 0.5, 0, 1), atol=1e-14)


# Away from the kinks; PyTorch's own slope of Hardsigmoid is 1/6 rounded to float32, also in float64.
@pytest.mark.parametrize(
    ("layer", "slope"),
    [
        (nn.ReLU6(), lambda x: (x > 0) & (x < 6)),
        (nn.Hardsigmoid(), lambda x: (abs(x) < 3) / 6),
        (nn.Hardswish(), lambda x: np.where(abs(x) < 3, x / 3 + 0.5, x > 0)),
    ],
    ids=lambda value: repr(value) if isinstance(value, nn.Module) else "slope",
)
def test_derivatives(layer, slope):
    x = np.linspace(-9.01, 9, 5000)
    g = np.random.default_rng(0).normal(size=x.shape)
    layer(Tensor(x))
    np.testing.assert_allclose(layer.backward(Tensor(g)).numpy(), g * slope(x), rtol=1e-12)


def test_a_nan_does_not_get_a_healthy_gradient():
    for layer, wanted in ((nn.ReLU(), [2, 2, 2, 0]), (nn.ReLU6(), [2, 2, 0, 0])):
        layer(Tensor([np.nan, 1.0, 7.0, -1.0]))
        assert layer.backward(Tensor([2.0, 2.0, 2.0, 2.0])).tolist() == wanted


def test_hardsigmoid_reaches_its_ends_exactly():
    assert nn.Hardsigmoid()(Tensor([-3.0, 0.0, 3.0])).tolist() == [0, 0.5, 1]
