"""Sequential runs a convolution with what follows it: the same results and gradients, only where nobody could tell."""

import numpy as np
import pytest

import tt_autograd
import tt_perf
from tt_nn import Flatten, Linear, MSELoss, ReLU, Sequential
from tt_optim import SGD
from tt_optim.training import Trainer
from tt_tensor import Tensor, kernels, manual_seed
from tt_tensor.errors import ShapeError
from tt_vision import BatchNorm2d, Conv2d, MaxPool2d
from tt_vision.conv_then import ConvThenFunction

pytest.importorskip("numba", reason="layers run together on compiled kernels")


def conv(inputs, outputs, **other):
    return Conv2d(inputs, outputs, 3, padding=1, **other)


NETS = {
    "pool": lambda: Sequential(conv(16, 24), MaxPool2d(2)),
    "ReLU": lambda: Sequential(conv(16, 24), ReLU()),
    "pool, ReLU": lambda: Sequential(conv(16, 24, bias=False), MaxPool2d(2), ReLU(), conv(24, 16)),
    "ReLU, pool": lambda: Sequential(conv(16, 24), ReLU(), MaxPool2d(2), conv(24, 16)),
    "batch norm, ReLU": lambda: Sequential(conv(16, 24), BatchNorm2d(24), ReLU()),
    "batch norm, ReLU, pool": lambda: Sequential(conv(16, 24), BatchNorm2d(24), ReLU(), MaxPool2d(2)),
    "batch norm, pool, ReLU": lambda: Sequential(conv(16, 24), BatchNorm2d(24), MaxPool2d(2), ReLU()),
    "pool, batch norm, ReLU": lambda: Sequential(conv(16, 24), MaxPool2d(2), BatchNorm2d(24), ReLU()),
    "pool, batch norm": lambda: Sequential(
        conv(16, 24, bias=False), MaxPool2d(2), BatchNorm2d(24, affine=False)
    ),
    "ReLU, batch norm": lambda: Sequential(conv(16, 24), ReLU(), BatchNorm2d(24)),
    "stride": lambda: Sequential(Conv2d(16, 24, 4, 2, 1), ReLU(), MaxPool2d(2)),
    "reflected": lambda: Sequential(conv(16, 24, padding_mode="reflect"), ReLU(), MaxPool2d(2)),
}


@pytest.fixture
def applied(monkeypatch):
    """(pool, relu) of each that ran together."""
    seen = []
    forward = ConvThenFunction.forward

    def counted(self, *inputs):
        seen.append((self.pool, self.relu))
        return forward(self, *inputs)

    monkeypatch.setattr(ConvThenFunction, "forward", counted)
    return seen


def made(name, size=16, seed=1):
    manual_seed(seed)
    net, rng = NETS[name](), np.random.default_rng(seed)
    for layer in net:
        if isinstance(layer, BatchNorm2d):
            layer.running_mean.write(rng.normal(size=24))
            layer.running_var.write(rng.uniform(0.5, 2, 24))
            if layer.weight is not None:
                layer.weight.write(rng.normal(size=24))
                layer.bias.write(rng.normal(size=24))
    return net, Tensor(rng.normal(size=(8, 16, size, size)).astype(np.float32))


def learned(name, size, accelerated):
    """Result and gradients, then the result in eval mode without a tape."""
    net, x = made(name, size)
    x.requires_grad = True
    with tt_perf.accelerate(malloc=False) if accelerated else kernels.use("numpy"):
        y = net(x)
        y.backward(np.random.default_rng(5).normal(size=y.shape).astype(np.float32))
        net.eval()
        with tt_autograd.inference_mode():
            seen = net(x)
    return [y, x.grad, *(parameter.grad for parameter in net.parameters()), seen]


@pytest.mark.parametrize("size", [16, 15])
@pytest.mark.parametrize("name", NETS)
def test_the_same_results_and_gradients(applied, name, size):
    usual = learned(name, size, False)
    assert applied == []
    # A bias before a batch norm has a gradient of rounding errors only: they are as large as what cancels is.
    most = 1e-5 * max(np.abs(right.array).max() for right in usual)
    for one, right in zip(learned(name, size, True), usual, strict=True):
        assert (one.dtype, one.shape) == (right.dtype, right.shape)
        np.testing.assert_allclose(one.array, right.array, rtol=1e-4, atol=most)
    alone = name == "reflected" or (size % 2 == 1 and name.startswith("pool"))
    assert bool(applied) == (not alone)


def test_what_runs_together(applied):
    with tt_perf.accelerate(malloc=False):
        for name, training, inference in (
            ("pool, ReLU", [(True, True)], [(True, True)]),
            ("ReLU, pool", [(True, True)], [(True, True)]),
            ("pool, batch norm, ReLU", [(True, False)], [(True, True)]),
            ("batch norm, ReLU, pool", [], [(True, True)]),
            ("ReLU, batch norm", [(False, True)], [(False, True)]),
            ("reflected", [], []),
        ):
            net, x = made(name)
            net(x)
            assert applied == training
            applied.clear()
            net.eval()
            with tt_autograd.inference_mode():
                net(x)
            assert applied == inference
            applied.clear()


def test_not_where_the_way_back_may_be_by_hand(applied):
    net, x = made("pool, ReLU")
    net.eval()
    with tt_perf.accelerate(malloc=False):
        with tt_autograd.no_grad():
            net(x)
        net.requires_grad_(False)
        dx = net.backward(net(x))
    assert applied == []
    assert dx.shape == x.shape


def test_a_trainer_predicts_one_way(applied):
    net, x = made("pool, batch norm, ReLU")
    trainer = Trainer(net, MSELoss(), SGD(net.parameters(), lr=0.1), progress=False)
    with kernels.use("numpy"):
        usual = trainer.predict(x)
    assert applied == []
    with tt_perf.accelerate(malloc=False):
        found = trainer.predict(x)
    assert applied == [(True, True)]
    np.testing.assert_allclose(found, usual, rtol=1e-4, atol=1e-4)


def test_a_frozen_layer_runs_together_where_a_later_one_is_recorded(applied):
    net, x = made("ReLU, pool")
    for parameter in net[0].parameters():
        parameter.requires_grad = False
    with tt_perf.accelerate(malloc=False):
        y = net(x)
    assert applied == [(True, True)]
    assert y.requires_grad


def test_batch_norm_in_training_mode_is_no_scale(applied):
    net, x = made("batch norm, ReLU")
    with tt_perf.accelerate(malloc=False), tt_autograd.inference_mode():
        net(x)
    assert applied == []
    assert net[1].num_batches_tracked.item() == 1


def test_one_image_and_a_wrong_one(applied):
    net, x = made("ReLU, pool")
    with tt_perf.accelerate(malloc=False):
        one = net(Tensor(x.array[0]))
        np.testing.assert_allclose(one, net(x).array[0], rtol=1e-4, atol=1e-5)
        with pytest.raises(ShapeError, match="channels"):
            net(Tensor(x.array[:, :3]))


def test_second_derivatives():
    manual_seed(0)
    net = Sequential(conv(2, 2), MaxPool2d(2), ReLU(), Flatten(), Linear(8, 1))
    x = Tensor(np.random.default_rng(0).normal(size=(1, 2, 4, 4)), requires_grad=True)
    found = []
    for accelerated in (False, True):
        with tt_perf.accelerate(malloc=False) if accelerated else kernels.use("numpy"):
            y = (net(x) ** 2).sum()
            (first,) = tt_autograd.grad(y, [x], create_graph=True)
            (second,) = tt_autograd.grad((first * first).sum(), [x])
            found.append(second.array)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
