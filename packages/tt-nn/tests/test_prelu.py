"""PReLU by its definition; values and gradients of PyTorch's stand in test_goldens.py."""

import numpy as np

import tt_nn as nn
from tt_tensor import Tensor


def test_each_channel_has_its_slope():
    layer = nn.PReLU(2)
    layer.weight.write([0.5, -1.0])
    assert layer(Tensor([[-2.0, -2.0], [3.0, 0.0]])).tolist() == [[-1, 2], [3, 0]]
    assert layer.backward(Tensor([[1.0, 1.0], [1.0, 1.0]])).tolist() == [[0.5, -1], [1, -1]]
    assert layer.weight.grad.tolist() == [-2, -2]


def test_it_begins_as_a_leaky_relu():
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_array_equal(nn.PReLU()(x).numpy(), nn.LeakyReLU(0.25)(x).numpy())
    assert repr(nn.PReLU(3)) == "PReLU(num_parameters=3)" and list(nn.PReLU().state_dict()) == ["weight"]


def test_a_single_number_stays_one():
    layer = nn.PReLU()
    assert layer(Tensor(-2.0)).shape == () and layer(Tensor(-2.0)).item() == -0.5
    assert layer.backward(Tensor(1.0)).item() == 0.25 and layer.weight.grad.tolist() == [-2]
