"""Losses of a normal and a Poisson distribution: minus its logarithm. Gradients need a tape: tests of the workspace."""

import math

import numpy as np
import pytest

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

RNG = np.random.default_rng(0)
X, T, V = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3)), RNG.uniform(0.1, 2, size=(4, 3))


def test_normal():
    density = np.exp(-((T - X) ** 2) / (2 * V)) / np.sqrt(2 * np.pi * V)
    found = F.gaussian_nll_loss(X, T, V, full=True, reduction="none").numpy()
    np.testing.assert_allclose(found, -np.log(density), 1e-12)
    short = nn.GaussianNLLLoss(reduction="sum")(X, T, V).item()
    assert short == pytest.approx(found.sum() - 6 * math.log(2 * math.pi))
    for one, whole in ((V[:, 0], V[:, :1] + 0 * X), (V[:, :1], V[:, :1] + 0 * X), (0.5, 0.5 + 0 * X)):
        assert F.gaussian_nll_loss(X, T, one).item() == pytest.approx(F.gaussian_nll_loss(X, T, whole).item())
    nothing = F.gaussian_nll_loss([1.0], [1.0], [0.0], eps=1e-4)
    assert nothing.item() == pytest.approx(0.5 * math.log(1e-4))
    assert nothing.dtype == np.float32


def test_poisson():
    counts = np.array([0.0, 1.0, 2.0, 7.0])
    rates = np.array([0.5, 2.0, 3.0, 6.0])
    wanted = rates - counts * np.log(rates)
    np.testing.assert_allclose(
        F.poisson_nll_loss(np.log(rates), counts, reduction="none").numpy(), wanted, 1e-12
    )
    np.testing.assert_allclose(
        F.poisson_nll_loss(rates, counts, log_input=False, eps=0.0, reduction="none").numpy(), wanted, 1e-12
    )
    whole = nn.PoissonNLLLoss(full=True, reduction="none")(np.log(rates), counts).numpy()
    logs = [math.lgamma(t + 1) for t in counts]
    np.testing.assert_allclose(whole, wanted + logs, atol=0.05)  # Stirling's is near


def test_what_is_refused():
    with pytest.raises(ShapeError, match="one shape"):
        F.gaussian_nll_loss(X, T[:1], V)
    with pytest.raises(ShapeError, match=r"not \(3,\)"):
        F.gaussian_nll_loss(X, T, V[0])
    with pytest.raises(ArgumentError, match="variance"):
        F.gaussian_nll_loss(X, T, -V)
    with pytest.raises(ArgumentError, match="eps"):
        nn.GaussianNLLLoss(eps=0)
    with pytest.raises(DTypeError, match="int64"):
        F.poisson_nll_loss([1, 2], [1, 2])
    with pytest.raises(ShapeError, match="one shape"):
        F.poisson_nll_loss(X, T[0])
