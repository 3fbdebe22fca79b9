"""Parameters as a vector, and back."""

import numpy as np
import pytest

import tt_nn as nn
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError


def test_there_and_back():
    model, other = (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)) for _ in range(2))
    vector = nn.parameters_to_vector(model.parameters())
    assert vector.tolist() == np.concatenate([p.numpy().reshape(-1) for p in model.parameters()]).tolist()
    nn.vector_to_parameters(vector, other.parameters())
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_what_does_not_fit():
    layer = nn.Linear(2, 1)
    before = layer.weight.tolist()
    with pytest.raises(ShapeError, match=r"3 numbers, the vector has shape \(2,\)"):
        nn.vector_to_parameters(Tensor([1.0, 2.0]), layer.parameters())
    assert layer.weight.tolist() == before
    with pytest.raises(ArgumentError, match="no parameters"):
        nn.parameters_to_vector([])
    with pytest.raises(DTypeError, match=r"model\.parameters"):
        nn.parameters_to_vector(["weight"])
