"""Bilinear by its definition, and what does not fit."""

import numpy as np
import pytest

import tt_nn as nn
import tt_nn.functional as F
from tt_tensor import Tensor
from tt_tensor.errors import ShapeError


@pytest.mark.parametrize("shape", [(), (4,), (0,), (2, 3)])
def test_definition(shape):
    rng = np.random.default_rng(0)
    layer = nn.Bilinear(2, 3, 5).double()
    x, y = rng.normal(size=(*shape, 2)), rng.normal(size=(*shape, 3))
    found = layer(Tensor(x), Tensor(y)).numpy()
    weight, bias = layer.weight.numpy(), layer.bias.numpy()
    assert found.shape == (*shape, 5)
    for at in np.ndindex(found.shape):
        k, row = at[-1], at[:-1]
        wanted = sum(x[row][i] * weight[k, i, j] * y[row][j] for i in range(2) for j in range(3)) + bias[k]
        assert found[at] == pytest.approx(wanted)


def test_it_begins_as_pytorchs_does():
    layer = nn.Bilinear(16, 3, 50)
    assert repr(layer) == "Bilinear(in1_features=16, in2_features=3, out_features=50, bias=True)"
    assert np.abs(layer.weight).max() <= 0.25 and layer.weight.std().item() == pytest.approx(0.144, abs=0.01)
    assert nn.Bilinear(1, 2, 3, bias=False).bias is None


def test_what_does_not_fit():
    weight = np.zeros((5, 2, 3))
    with pytest.raises(ShapeError, match="alike but for their last axis"):
        F.bilinear(np.zeros((4, 2)), np.zeros((3, 3)), weight)
    with pytest.raises(ShapeError, match=r"do not fit a weight of shape \(5, 2, 3\)"):
        F.bilinear(np.zeros((4, 3)), np.zeros((4, 3)), weight)
