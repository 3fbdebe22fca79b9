"""The Kullback-Leibler divergence: its definition, zeros, both forms of the target."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor import Tensor

INF, NAN = math.inf, math.nan


def distributions(seed, shape):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(shape[-1]), shape[:-1]), rng.dirichlet(np.ones(shape[-1]), shape[:-1])


@given(st.integers(0, 999), st.lists(st.integers(1, 3), max_size=2), st.integers(1, 4))
def test_definition(seed, lead, classes):
    p, t = distributions(seed, (*lead, classes))
    x = np.log(p)
    losses = [b * (math.log(b) - a) for a, b in zip(x.ravel().tolist(), t.ravel().tolist(), strict=True)]
    for found in (F.kl_div(x, t, "none"), F.kl_div(x, np.log(t), "none", log_target=True)):
        assert found.shape == x.shape
        np.testing.assert_allclose(found.numpy().ravel(), losses, rtol=1e-9, atol=1e-13)
    total = sum(losses)
    assert total >= -1e-12  # Gibbs: the divergence is not negative
    rows = x.shape[0]
    assert F.kl_div(x, t, "batchmean").item() == pytest.approx(total / rows, abs=1e-12)
    assert F.kl_div(x, t).item() == pytest.approx(total / x.size, abs=1e-12)
    loss_fn = nn.KLDivLoss("batchmean")
    loss_fn(x, t)
    np.testing.assert_allclose(loss_fn.backward(), -t / rows, rtol=1e-12)


def test_of_itself_it_is_0():
    p, _ = distributions(0, (5, 4))
    assert F.kl_div(np.log(p), p, "sum").item() == pytest.approx(0, abs=1e-15)


def test_where_the_target_is_0_nothing_is_lost():
    x, t = Tensor([[-1.0, -2.0, -INF]]), Tensor([[0.5, 0.0, 0.0]])
    for loss_fn, target in (
        (nn.KLDivLoss("sum"), t),
        (nn.KLDivLoss("sum", log_target=True), Tensor([[math.log(0.5), -INF, -INF]])),
    ):
        assert loss_fn(x, target).item() == pytest.approx(0.5 * (math.log(0.5) + 1))
        np.testing.assert_allclose(loss_fn.backward(), [[-0.5, 0, 0]], rtol=1e-6)
        function = loss_fn._applied
        function.needs = None
        dt = function.gradients(np.float32(1))[1]
        assert dt[0, 1:].tolist() == [0, 0] and np.isfinite(dt).all()


def test_what_the_model_holds_impossible_costs_inf():
    loss_fn = nn.KLDivLoss("none")
    assert loss_fn(Tensor([-1.0, -INF]), Tensor([0.5, 0.5])).tolist()[1] == INF
    assert loss_fn.backward(np.ones(2, np.float32)).tolist() == [-0.5, -0.5]


def test_a_nan_shows():
    assert math.isnan(F.kl_div(Tensor([-1.0]), Tensor([NAN])).item())
    assert math.isnan(F.kl_div(Tensor([NAN]), Tensor([0.5])).item())


def test_a_single_number_is_a_batch_of_one():
    assert F.kl_div(Tensor(-1.0), Tensor(1.0), "batchmean").item() == 1.0


def test_defaults_are_pytorchs():
    assert nn.KLDivLoss().reduction == "mean" and nn.KLDivLoss().log_target is False
    assert nn.KLDivLoss("sum", True).log_target is True
    assert math.isnan(F.kl_div(np.zeros((0, 3)), np.zeros((0, 3)), "batchmean").item())
