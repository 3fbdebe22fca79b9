"""Softplus and LogSigmoid by their definitions, the threshold, small values, wrong calls."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0), elements=st.floats(-30, 30))
)
def test_definitions(x):
    flat = x.ravel().tolist()

    def check(found, formula):
        np.testing.assert_allclose(found.numpy().ravel(), [formula(v) for v in flat], rtol=1e-12, atol=2e-14)
        assert found.shape == x.shape

    check(F.softplus(x, threshold=100), lambda v: math.log1p(math.exp(v)))
    check(F.softplus(x, 2.0, 5.0), lambda v: v if 2 * v > 5 else math.log1p(math.exp(2 * v)) / 2)
    check(F.softplus(x, -0.5, 100), lambda v: -2 * math.log1p(math.exp(-0.5 * v)))
    check(F.logsigmoid(x), lambda v: -math.log1p(math.exp(-v)))


def test_small_values_keep_their_digits():
    x = np.array([-70.0, -40.0, -20.0, -3.0, -1e-6, 1e-6, 3.0, 15.0], np.float32)
    wanted = [math.log1p(math.exp(v)) for v in x.tolist()]
    np.testing.assert_allclose(nn.Softplus()(Tensor(x)).numpy(), wanted, rtol=2e-6)
    np.testing.assert_allclose(nn.LogSigmoid()(Tensor(-x)).numpy(), np.negative(wanted), rtol=2e-6)


def test_softplus_joins_the_line_at_its_threshold():
    layer = nn.Softplus(beta=2.0, threshold=3.0)
    x = np.array([1.49, 1.5, 1.51])  # βx = 2.98, 3.00, 3.02
    y = layer(Tensor(x)).numpy()
    assert y[2] == 1.51 and y[1] > 1.5
    dx = layer.backward(np.ones(3)).numpy()
    assert dx[2] == 1 and dx[1] < 1


def test_softplus_with_a_high_threshold_does_not_overflow():
    assert F.softplus(Tensor([500.0, -500.0]), threshold=1e3).tolist() == [500, 0]


WRONG = [
    (lambda: nn.Softplus(0), "beta must not be 0"),
    (lambda: nn.Softplus("1"), "beta must be a number"),
    (lambda: nn.Softplus(1.0, None), "threshold must be a number"),
    (lambda: F.softplus([1.0], beta=0.0), "beta must not be 0"),
    (lambda: F.softplus([1.0], threshold="20"), "threshold"),
]


@pytest.mark.parametrize(("call", "match"), WRONG)
def test_wrong_calls(call, match):
    with pytest.raises(ArgumentError, match=match):
        call()
