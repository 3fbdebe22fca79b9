"""MSE, L1, Huber, smooth L1: definitions element by element, kinks, edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor import Tensor

FLOATS = st.floats(-50, 50).map(lambda v: round(v, 3))
PAIRS = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3).flatmap(
    lambda shape: st.tuples(*[hnp.arrays(np.float64, shape, elements=FLOATS)] * 2)
)


def huber(d, delta):
    return 0.5 * d * d if abs(d) <= delta else delta * (abs(d) - 0.5 * delta)


@given(PAIRS, st.sampled_from([0.25, 1.0, 3.0]))
def test_definitions(pair, size):
    x, t = pair
    offs = [a - b for a, b in zip(x.ravel().tolist(), t.ravel().tolist(), strict=True)]

    def check(found, formula):
        assert found.shape == x.shape
        np.testing.assert_allclose(found.numpy().ravel(), [formula(d) for d in offs], rtol=1e-12, atol=1e-13)

    check(F.mse_loss(x, t, "none"), lambda d: d * d)
    check(F.l1_loss(x, t, "none"), abs)
    check(F.huber_loss(x, t, "none", size), lambda d: huber(d, size))
    check(F.smooth_l1_loss(x, t, "none", size), lambda d: huber(d, size) / size)
    check(F.smooth_l1_loss(x, t, "none", 0), abs)


@given(PAIRS)
def test_modules_are_the_functions_and_send_the_slope_back(pair):
    x, t = pair
    d = x - t
    for loss_fn, function, slope in [
        (nn.MSELoss("sum"), F.mse_loss, 2 * d),
        (nn.L1Loss("sum"), F.l1_loss, np.sign(d)),
        (nn.HuberLoss("sum", 0.5), lambda *a: F.huber_loss(*a, 0.5), np.clip(d, -0.5, 0.5)),
        (nn.SmoothL1Loss("sum", 0.5), lambda *a: F.smooth_l1_loss(*a, 0.5), np.clip(d / 0.5, -1, 1)),
    ]:
        assert loss_fn(x, t).item() == function(x, t, "sum").item()
        np.testing.assert_allclose(loss_fn.backward(), slope, rtol=1e-12, atol=1e-15)


def test_the_gradient_of_the_target_is_the_opposite():
    x, t = Tensor([1.0, 5.0, -2.0]), Tensor([0.5, 1.0, 0.0])
    for loss_fn in (nn.MSELoss(), nn.L1Loss(), nn.HuberLoss(), nn.SmoothL1Loss()):
        loss_fn(x, t)
        function = loss_fn._applied
        function.needs = None
        dx, dt = function.gradients(np.float32(1))
        np.testing.assert_array_equal(dt, -dx)


def test_at_the_kinks():
    x, t = Tensor([2.0, 1.0, -1.0]), Tensor([2.0, 0.0, 0.0])
    l1, near = nn.L1Loss("sum"), nn.HuberLoss("sum", 1.0)
    l1(x, t)
    assert l1.backward().tolist() == [0, 1, -1]
    assert near(x, t).item() == 1.0  # 0 + ½ + ½: both formulas meet at delta
    assert near.backward().tolist() == [0, 1, -1]


def test_infinite_and_huge_differences():
    x, t = Tensor([math.inf, -math.inf, 1e30, -1e4]), Tensor([0.0] * 4)
    for loss_fn in (nn.L1Loss("none"), nn.HuberLoss("none"), nn.SmoothL1Loss("none")):
        losses = loss_fn(x, t).numpy()
        assert losses[:2].tolist() == [math.inf, math.inf]
        np.testing.assert_allclose(losses[2:], [1e30, 1e4], rtol=1e-4)
        assert loss_fn.backward(np.ones(4, np.float32)).tolist() == [1, -1, 1, -1]


@pytest.mark.parametrize("beta", [1e-38, 1e-45, 1e-300])
def test_a_beta_too_small_for_its_reciprocal_is_the_l1_loss(beta):
    x, t = Tensor([1.0, 3.0]), Tensor([0.0, 3.0])
    loss_fn = nn.SmoothL1Loss(beta=beta)
    assert loss_fn(x, t).item() == 0.5
    assert loss_fn.backward().tolist() == [0.5, 0.0]


def test_an_infinite_delta_is_half_the_square():
    assert F.huber_loss(Tensor([3.0]), Tensor([0.0]), delta=math.inf).item() == 4.5


def test_defaults_and_positions_are_pytorchs():
    assert nn.HuberLoss("sum", 0.5).delta == 0.5 and nn.SmoothL1Loss("sum", 0.5).beta == 0.5
    assert nn.HuberLoss().delta == 1.0 and nn.SmoothL1Loss().beta == 1.0
    assert nn.HuberLoss(delta=np.float32(0.5)).delta == 0.5
    x, t = Tensor([3.0]), Tensor([0.0])
    assert F.huber_loss(x, t, "mean", 2.0).item() == 4.0 and F.smooth_l1_loss(x, t, "mean", 2.0).item() == 2.0
