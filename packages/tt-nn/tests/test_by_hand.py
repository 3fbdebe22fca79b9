"""Backward by hand: rules called layer by layer, gradients that add up, aliases that must not be."""

import numpy as np
import pytest

from tt_nn import Identity, Linear, Module, Parameter, Sequential
from tt_tensor import Function, Tensor
from tt_tensor.errors import InPlaceError, ShapeError


def test_sequential_walks_back_and_leaves_the_gradients():
    rng = np.random.default_rng(0)
    net = Sequential(Linear(3, 4), Identity(), Linear(4, 2)).double()
    x, g = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    net(Tensor(x))
    dx = net.backward(Tensor(g))
    w1, w2 = net[0].weight.numpy(), net[2].weight.numpy()
    hidden = x @ w1.T + net[0].bias.numpy()
    np.testing.assert_allclose(net[2].weight.grad.numpy(), g.T @ hidden)
    np.testing.assert_allclose(net[2].bias.grad.numpy(), g.sum(0))
    np.testing.assert_allclose(net[0].weight.grad.numpy(), (g @ w2).T @ x)
    np.testing.assert_allclose(net[0].bias.grad.numpy(), (g @ w2).sum(0))
    np.testing.assert_allclose(dx.numpy(), g @ w2 @ w1)
    assert isinstance(dx, Tensor)


def test_gradients_add_up_over_calls():
    layer = Linear(2, 1)
    x = Tensor([[1.0, 2.0]])
    one = Tensor([[1.0]])
    layer(x)
    layer.backward(one)
    layer(x)
    layer.backward(one)
    assert layer.weight.grad.tolist() == [[2, 4]] and layer.bias.grad.tolist() == [2]


def test_a_layer_applied_twice_sends_back_its_second_application_only():
    # The lesson that motivates the tape: by hand, f(f(x)) loses the inner application.
    layer = Linear(1, 1, bias=False)
    layer.weight.write(3.0)
    layer(layer(Tensor([[1.0]])))
    layer.backward(Tensor([[1.0]]))
    assert layer.weight.grad.item() == 3.0  # the truth is d(w²x)/dw = 2wx = 6


class AddBias(Function):
    def forward(self, x, bias):
        return x + bias

    def backward(self, grad):
        return grad, grad


class Bias(Module):
    def __init__(self, shape):
        self.one, self.two = Parameter(np.zeros(shape, np.float32)), Parameter(np.zeros(shape, np.float32))

    def forward(self, x):
        return self.compute(AddBias(), x, self.one)


def test_a_gradient_never_aliases_the_upstream_one():
    layer = Bias((2,))
    layer(Tensor([1.0, 2.0]))
    upstream = Tensor([5.0, 6.0])
    dx = layer.backward(upstream)
    layer.one.grad.write(0)
    assert upstream.tolist() == [5, 6] and dx.tolist() == [5, 6]


class Twice(Function):
    def forward(self, x, a, b):
        return x + 2 * (a + b)

    def backward(self, grad):
        double = 2 * grad
        return grad, double, double


class Both(Bias):
    def forward(self, x):
        return self.compute(Twice(), x, self.one, self.two)


def test_two_parameters_never_share_a_gradient():
    layer = Both((2,))
    layer(Tensor([1.0, 2.0]))
    layer.backward(Tensor([1.0, 1.0]))
    layer.one.grad.write(0)
    assert layer.two.grad.tolist() == [2, 2]


def test_a_parameter_of_one_number_has_an_array_for_a_gradient():
    layer = Both(())
    layer(Tensor(2.0))
    for total in (6.0, 12.0):
        layer.backward(Tensor(3.0))  # 2 · grad of an array of shape () is a NumPy scalar
        assert isinstance(layer.one.grad.numpy(), np.ndarray) and layer.one.grad.item() == total


def test_broadcasting_is_undone():
    layer = Bias((2,))
    layer(Tensor(np.zeros((3, 2), np.float32)))
    layer.backward(Tensor(np.ones((3, 2), np.float32)))
    assert layer.one.grad.tolist() == [3, 3]


def test_a_weight_changed_after_the_forward_is_noticed():
    layer = Linear(2, 1)
    layer(Tensor([[1.0, 2.0]]))
    layer.weight.write(1.0)
    with pytest.raises(InPlaceError, match="LinearFunction needs its saved value `weight`"):
        layer.backward(Tensor([[1.0]]))
    assert layer.weight.grad is None and layer.bias.grad is None


def test_a_gradient_of_the_wrong_shape_is_refused():
    layer = Linear(2, 3)
    layer(Tensor([[1.0, 2.0]]))
    with pytest.raises(ShapeError, match="LinearFunction"):
        layer.backward(Tensor([[1.0, 2.0]]))
    assert layer.weight.grad is None


def test_plain_arrays_will_do():
    layer = Linear(2, 1)
    layer([[1.0, 2.0]])
    assert isinstance(layer.backward([[1.0]]), Tensor)
