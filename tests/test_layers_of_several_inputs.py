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


def test_packed_sequences_send_back_what_each_would_alone():
    lengths = [2, 4, 1]
    for layer in (nn.RNN, nn.LSTM, nn.GRU):
        model = layer(2, 3, num_layers=2, bidirectional=True).double()
        found = []
        for packed in (True, False):
            xs = [leaf(n, 2, seed=n) for n in lengths]
            model.zero_grad()
            if packed:
                y, last = model(nn.pack_sequence(xs, enforce_sorted=False))
                parts, _ = nn.pad_packed_sequence(y)
                ends = last if isinstance(last, tuple) else (last,)
                total = (parts**2).sum() + sum((end**3).sum() for end in ends)
            else:
                total = 0
                for x in xs:
                    y, last = model(x)
                    ends = last if isinstance(last, tuple) else (last,)
                    total = total + (y**2).sum() + sum((end**3).sum() for end in ends)
            total.backward()
            found.append([x.grad.numpy() for x in xs] + [p.grad.numpy() for p in model.parameters()])
        for one, other in zip(*found, strict=True):
            np.testing.assert_allclose(one, other, 1e-10, 1e-12)
