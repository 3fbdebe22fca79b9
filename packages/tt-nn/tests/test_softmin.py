"""Softmin is the softmax of what is opposite; Gumbel's softmax draws classes as often as they are likely."""

import numpy as np
import pytest

import tt_nn.functional as F
from tt_tensor import Generator, Tensor, manual_seed
from tt_tensor.errors import ArgumentError, AxisError, DTypeError


def test_softmin():
    x = Tensor(np.random.default_rng(0).normal(size=(3, 4)))
    np.testing.assert_allclose(F.softmin(x, 0).numpy(), F.softmax(-x, 0).numpy(), 1e-14)
    assert F.softmin(x.astype(np.float16), dtype=np.float32).dtype == np.float32


def test_gumbels_draws_are_as_likely_as_the_softmax_says():
    logits = np.log(np.array([0.1, 0.2, 0.7]))
    n = 40_000
    drawn = F.gumbel_softmax(np.tile(logits, (n, 1)), hard=True, generator=Generator(0)).numpy()
    assert set(np.unique(drawn)) <= {0.0, 1.0} and (drawn.sum(1) == 1).all()
    deviation = np.sqrt(np.exp(logits) * (1 - np.exp(logits)) / n)
    assert (np.abs(drawn.mean(0) - np.exp(logits)) < 5 * deviation).all()


def test_gumbels_softness():
    x = Tensor(np.zeros((5, 3), np.float32))
    manual_seed(0)
    soft = F.gumbel_softmax(x, tau=0.5)
    manual_seed(0)
    hard = F.gumbel_softmax(x, tau=0.5, hard=True)
    assert soft.dtype == hard.dtype == np.float32
    np.testing.assert_allclose(soft.numpy().sum(1), 1, 1e-6)
    np.testing.assert_array_equal(soft.argmax(1).numpy(), hard.argmax(1).numpy())
    manual_seed(0)
    assert F.gumbel_softmax(x, tau=1e-3).numpy().max(1).min() > 0.99
    np.testing.assert_allclose(F.gumbel_softmax(x, dim=0).numpy().sum(0), 1, 1e-6)


def test_what_is_refused():
    with pytest.raises(ArgumentError, match="tau must be a number above 0"):
        F.gumbel_softmax([1.0], tau=0)
    with pytest.raises(DTypeError, match="int64"):
        F.gumbel_softmax([1])
    with pytest.raises(DTypeError, match="int64"):
        F.softmin([1])
    with pytest.raises(AxisError):
        F.gumbel_softmax([1.0], dim=2)
