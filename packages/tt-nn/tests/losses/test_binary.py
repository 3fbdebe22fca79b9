"""BCE on logits and on probabilities: definitions, weights, infinite logits, certain mistakes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor import Tensor
from tt_tensor.testing import check_rule

INF, NAN = math.inf, math.nan
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


def log_sigmoid(z):
    return -math.log1p(math.exp(-z)) if z > 0 else z - math.log1p(math.exp(z))


def looped(z, t, w, q):
    """The definition, one element after the other, and its slope."""
    losses, slopes = np.empty(z.shape), np.empty(z.shape)
    for at in np.ndindex(z.shape):
        p = 1 / (1 + math.exp(-z[at]))
        losses[at] = -w[at] * (q[at] * t[at] * log_sigmoid(z[at]) + (1 - t[at]) * log_sigmoid(-z[at]))
        slopes[at] = -w[at] * (q[at] * t[at] * (1 - p) - (1 - t[at]) * p)
    return losses, slopes


@given(SHAPES, st.integers(0, 99), st.booleans(), st.booleans())
def test_definition(shape, seed, weighted, positive):
    rng = np.random.default_rng(seed)
    z, t = rng.normal(size=shape) * 8, rng.uniform(size=shape)
    if seed % 2:
        t = t.round()
    w = rng.uniform(0, 2, shape[-1:]) if weighted else None
    q = rng.uniform(0, 2, shape[-1:]) if positive else None
    full = [np.broadcast_to(1.0 if a is None else a, shape) for a in (w, q)]
    losses, slopes = looped(z, t, *full)
    loss_fn = nn.BCEWithLogitsLoss(w, "none", q)
    np.testing.assert_allclose(loss_fn(z, t), losses, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(loss_fn.backward(np.ones(shape)), slopes, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(
        F.binary_cross_entropy_with_logits(z, t, w, "sum", q).item(), losses.sum(), rtol=1e-11, atol=1e-14
    )


@pytest.mark.parametrize("size", [100, 5000])  # one call for a few, several for many
def test_both_ways_to_compute_are_the_same_loss(size):
    rng = np.random.default_rng(0)
    z, t = rng.normal(size=size) * 20, rng.uniform(size=size)
    losses, slopes = looped(z, t, np.ones(size), np.ones(size))
    loss_fn = nn.BCEWithLogitsLoss(reduction="sum")
    assert loss_fn(z, t).item() == pytest.approx(losses.sum(), rel=1e-12)
    np.testing.assert_allclose(loss_fn.backward(), slopes, rtol=1e-10, atol=1e-15)


@given(SHAPES, st.integers(0, 99))
def test_a_sigmoid_and_bce_are_bce_on_logits(shape, seed):
    rng = np.random.default_rng(seed)
    z, t = rng.normal(size=shape) * 3, rng.uniform(size=shape)
    w = rng.uniform(size=shape)
    p = 1 / (1 + np.exp(-z))
    on_logits = F.binary_cross_entropy_with_logits(z, t, w, "sum").item()
    assert F.binary_cross_entropy(p, t, w, "sum").item() == pytest.approx(on_logits, rel=1e-10, abs=1e-13)


@given(SHAPES, st.integers(0, 99))
def test_a_logit_turned_round_is_a_target_turned_round(shape, seed):
    rng = np.random.default_rng(seed)
    z, t = rng.normal(size=shape) * 30, rng.uniform(size=shape)
    one = F.binary_cross_entropy_with_logits(z, t, reduction="none")
    np.testing.assert_allclose(
        F.binary_cross_entropy_with_logits(-z, 1 - t, reduction="none"), one, rtol=1e-9, atol=1e-13
    )


@pytest.mark.parametrize("many", [1, 2000])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_logits_of_any_size(dtype, many):
    # (logit, target, loss, gradient); the largest float16 is 65504.
    table = [
        (1e4, 1, 0, 0), (-1e4, 0, 0, 0), (1e4, 0, 1e4, 1), (-1e4, 1, 1e4, -1), (1e4, 0.5, 5e3, 0.5),
        (INF, 1, 0, 0), (-INF, 0, 0, 0), (INF, 0, INF, 1), (-INF, 1, INF, -1), (INF, 0.5, INF, 0.5),
        (-INF, 0.25, INF, -0.25), (0, 0.5, math.log(2), 0), (NAN, 1, NAN, NAN),
    ]  # fmt: skip
    z, t, losses, slopes = np.repeat(np.array(table), many, axis=0).T.astype(dtype)
    loss_fn = nn.BCEWithLogitsLoss(reduction="none")
    np.testing.assert_allclose(loss_fn(z, t), losses, rtol=1e-3)
    np.testing.assert_allclose(loss_fn.backward(np.ones(z.shape, dtype)), slopes, rtol=1e-6)


@pytest.mark.parametrize("z", [1e4, INF, 3e30])
def test_what_is_true_and_certain_has_a_mean_of_0_and_no_gradient(z):
    loss_fn = nn.BCEWithLogitsLoss()
    assert loss_fn(Tensor([z, -z]), Tensor([1.0, 0.0])).item() == 0
    assert loss_fn.backward().tolist() == [0, 0]
    assert nn.BCEWithLogitsLoss()(Tensor(z), Tensor(1.0)).item() == 0


def test_infinite_logits_with_weights():
    z, t = Tensor([INF, -INF, INF, 0.0]), Tensor([1.0, 0.0, 0.0, 1.0])
    losses = F.binary_cross_entropy_with_logits(z, t, [2.0], "none", [3.0])
    np.testing.assert_allclose(losses, [0, 0, INF, 6 * math.log(2)], rtol=1e-6)
    # A positive target that counts nothing.
    assert F.binary_cross_entropy_with_logits(Tensor([-INF]), Tensor([1.0]), pos_weight=[0.0]).item() == 0


@pytest.mark.parametrize("copies", [1, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_losses_keep_their_digits(copies, dtype):
    z = np.repeat(np.array([5.0, 20.0, 40.0, 80.0], dtype), copies)
    wanted = np.log1p(np.exp(-z.astype(np.float64)))
    ones, zeros = np.ones_like(z), np.zeros_like(z)
    for found in (
        F.binary_cross_entropy_with_logits(z, ones, reduction="none"),
        F.binary_cross_entropy_with_logits(-z, zeros, reduction="none"),
        F.binary_cross_entropy_with_logits(z, ones, reduction="none", pos_weight=[1.0]),
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_certain_mistake_on_probabilities_costs_100_as_in_pytorch():
    p, t = Tensor([0.0, 1.0, 0.0, 1.0]), Tensor([0.0, 0.0, 1.0, 1.0])
    loss_fn = nn.BCELoss(reduction="none")
    assert loss_fn(p, t).tolist() == [0, 100, 100, 0]
    np.testing.assert_allclose(loss_fn.backward(np.ones(4, np.float32)), [0, 1e12, -1e12, 0], rtol=1e-6)
    function = loss_fn._applied
    function.needs = None
    # The loss is linear in the target, with logs that stop at -100, and so is its gradient.
    assert function.gradients(np.ones(4, np.float32))[1].tolist() == [100, -100, 100, -100]


def test_the_functional_form_sends_weights_their_gradients():
    from tt_nn.losses.binary import BCEFunction, BCEWithLogitsFunction

    rng = np.random.default_rng(0)
    z, t, w, q = (
        rng.normal(size=(4, 3)),
        rng.uniform(size=(4, 3)),
        rng.uniform(size=(4, 1)),
        rng.uniform(size=3),
    )
    check_rule(BCEWithLogitsFunction, z, t, w, q)
    check_rule(BCEFunction, rng.uniform(0.1, 0.9, (4, 3)), t, w)


def test_weights_take_the_dtype_of_the_prediction():
    x = np.zeros((2, 3), np.float32)
    for weight in ([1, 2, 3], np.arange(3.0), Tensor([1.0, 2.0, 3.0]), 2.0):
        assert nn.BCEWithLogitsLoss(weight)(x, x).dtype == np.float32
        assert F.binary_cross_entropy(x, x, weight).dtype == np.float32
    assert nn.BCEWithLogitsLoss([1.0], pos_weight=[2.0])(x.astype(np.float64), x).dtype == np.float64
