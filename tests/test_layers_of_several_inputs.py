"""Layers and losses made of operations, in which several inputs learn: gradients against central differences."""

import numpy as np
import pytest

import tt_nn as nn
import tt_nn.functional as F
from tt_autograd import gradcheck
from tt_tensor import Generator, Tensor


def leaf(*shape, low=-1.0, high=1.0, seed=0):
    values = np.random.default_rng(seed).uniform(low, high, shape)
    return Tensor(values).requires_grad_()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("full", [False, True])
def test_likelihoods(reduction, full):
    x, t = leaf(4, 3), leaf(4, 3, seed=1)
    loss = nn.GaussianNLLLoss(full=full, reduction=reduction)
    for shape in ((4, 3), (4, 1), (4,), ()):
        assert gradcheck(loss, (x, t, leaf(*shape, low=0.1, high=2.0, seed=2)))
    counts = Tensor(np.array([[0.0, 1.0, 2.0], [5.0, 3.0, 1.0]]))
    for log_input in (True, False):
        poisson = nn.PoissonNLLLoss(log_input, full, reduction=reduction)
        assert gradcheck(lambda x, loss=poisson: loss(x, counts), (leaf(2, 3, low=0.5, high=2.0),))


def test_bilinear():
    layer = nn.Bilinear(2, 3, 2).double()
    inputs = (leaf(4, 2), leaf(4, 3, seed=1), layer.weight, layer.bias)
    assert gradcheck(F.bilinear, inputs)


def test_distances():
    a, b = leaf(4, 3), leaf(4, 3, seed=1)
    assert gradcheck(nn.CosineSimilarity(), (a, b))
    assert gradcheck(nn.PairwiseDistance(keepdim=True), (a, b))
    assert nn.PairwiseDistance(1.0)(a, b).shape == (4,)


def test_a_hard_gumbel_has_the_gradient_of_the_soft_one():
    found = []
    for hard in (False, True):
        x = leaf(3, 4)
        y = F.gumbel_softmax(x, 0.7, hard, generator=Generator(3))
        (y * np.arange(12.0).reshape(3, 4)).sum().backward()
        found.append(x.grad.numpy())
    np.testing.assert_allclose(*found, 1e-12)
