"""On NumPy, a convolution that learns runs with the pooling after it, and gives what it gives by hand, to the bit."""

import numpy as np
import pytest

import tt_autograd
from tt_nn import Module, ReLU, Sequential
from tt_tensor import Tensor, kernels, manual_seed
from tt_vision import Conv2d, MaxPool2d
from tt_vision.conv_then import ConvThenFunction

ORDERS = {
    "pool": lambda: [MaxPool2d(2)],
    "pool, ReLU": lambda: [MaxPool2d(2), ReLU()],
    "ReLU, pool": lambda: [ReLU(), MaxPool2d(2)],
}


def network(order: str, bias: bool) -> Module:
    manual_seed(0)
    return Sequential(Conv2d(16, 16, 3, padding=1, bias=bias), *ORDERS[order](), Conv2d(16, 8, 1, bias=bias))


@pytest.fixture
def applied(monkeypatch):
    """How often the two ran together."""
    seen = []
    forward = ConvThenFunction.forward

    def counted(self, *inputs):
        seen.append(self.window)
        return forward(self, *inputs)

    monkeypatch.setattr(ConvThenFunction, "forward", counted)
    return seen


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bias", [False, True])
def test_by_tape_is_by_hand(order, bias, applied):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 16, 16, 16)).astype(np.float32)
    g = rng.normal(size=(16, 8, 8, 8)).astype(np.float32)
    with kernels.use("numpy"):
        hand = network(order, bias)
        with tt_autograd.no_grad():
            by_hand = hand(Tensor(x)).numpy()
            dx = hand.backward(Tensor(g)).numpy()
        assert applied == []
        tape, images = network(order, bias), Tensor(x, requires_grad=True)
        by_tape = tape(images)
        by_tape.backward(Tensor(g))
    # A bias's gradient is a sum over the places between the two.
    assert len(applied) == (not bias)
    np.testing.assert_array_equal(by_tape.numpy(), by_hand)
    np.testing.assert_array_equal(images.grad.numpy(), dx)
    for one, other in zip(tape.parameters(), hand.parameters(), strict=True):
        np.testing.assert_array_equal(one.grad.numpy(), other.grad.numpy())


def test_a_gradient_of_second_order_goes_through_simpler_steps(applied):
    rng = np.random.default_rng(0)
    with kernels.use("numpy"):
        net = network("pool, ReLU", False)
        x = Tensor(rng.normal(size=(16, 16, 16, 16)).astype(np.float32), requires_grad=True)
        (dx,) = tt_autograd.grad(net(x).sum(), x, create_graph=True)
        (dx * dx).sum().backward()
        seen = [parameter.grad.numpy() for parameter in net.parameters()]
        assert applied
        applied.clear()
        plain = network("pool, ReLU", False).to(np.float64)
        y = Tensor(x.numpy().astype(np.float64), requires_grad=True)
        (dy,) = tt_autograd.grad(plain(y).sum(), y, create_graph=True)
        (dy * dy).sum().backward()
        assert applied == []
    for one, parameter in zip(seen, plain.parameters(), strict=True):
        scale = np.abs(parameter.grad.numpy()).max()
        np.testing.assert_allclose(one, parameter.grad.numpy(), rtol=1e-3, atol=1e-4 * scale)
