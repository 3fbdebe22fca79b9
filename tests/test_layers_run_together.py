"""Batch norm, ReLU and pooling run together: the same outputs, gradients and running values as one by one."""

import numpy as np
import pytest

import tt_autograd
import tt_vision as vision
from tt_nn import ReLU, Sequential
from tt_tensor import Tensor, kernels
from tt_tensor.errors import ShapeError
from tt_vision.batch_norm_relu import BatchNormReLUFunction
from tt_vision.kernels import batch_norm_relu as by


@pytest.fixture
def together(monkeypatch):
    """A kernel that does it at once is in use; how often it ran."""
    calls = []

    def at_once(x, weight, bias, eps, pool):
        calls.append(pool)
        return by.batch_norm_relu(x, weight, bias, eps, pool)

    kernels.register("batch_norm_relu", "at once", at_once)
    with kernels.use("at once", "batch_norm_relu"):
        yield calls


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(0.3, 1, size=shape).astype(np.float32)


def network(*layers, channels=5):
    model = Sequential(vision.BatchNorm2d(channels), ReLU(), *layers)
    rng = np.random.default_rng(7)
    for parameter in model.parameters():
        parameter.write(rng.normal(size=parameter.shape))
    return model


def everything(model, x, steps=2):
    """Outputs, gradients and state after some steps."""
    found = []
    for step in range(steps):
        images = Tensor(x + step).requires_grad_()
        y = model(images)
        model.zero_grad()
        y.backward(np.random.default_rng(step).normal(size=y.shape).astype(np.float32))
        found += [y, images.grad, *[p.grad for p in model.parameters()], *model.buffers()]
        found = [np.array(one) for one in found]
    return found


NETWORKS = {
    "pooled": ([lambda: vision.MaxPool2d(2)], (3, 5, 6, 8), [True, True]),
    "not pooled": ([], (3, 5, 6, 8), [False, False]),
    "odd": ([lambda: vision.MaxPool2d(2)], (3, 5, 7, 8), [False, False]),
    "other windows": ([lambda: vision.MaxPool2d(3, 2)], (3, 5, 6, 8), [False, False]),
    "ceil mode": ([lambda: vision.MaxPool2d(2, ceil_mode=True)], (3, 5, 6, 8), [False, False]),
    "average": ([lambda: vision.AvgPool2d(2)], (3, 5, 6, 8), [False, False]),
    "no images": ([lambda: vision.MaxPool2d(2)], (0, 5, 6, 8), []),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_as_one_by_one(together, name):
    layers, shape, calls = NETWORKS[name]
    x = images(*shape)
    found = everything(network(*[make() for make in layers]), x)
    assert together == calls
    with kernels.use("numpy"):
        wanted = everything(network(*[make() for make in layers]), x)
    for one, right in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, right)


def test_one_step_of_the_tape(together):
    y = network(vision.MaxPool2d(2))(Tensor(images(3, 5, 6, 8)))
    assert type(y._node) is BatchNormReLUFunction


@pytest.mark.parametrize("why", ["eval", "frozen", "no weight", "no_grad", "numpy", "loops", "alone"])
def test_one_by_one_where_it_must_be(together, why):
    model, x = network(), Tensor(images(2, 5, 2, 2))
    if why == "eval":
        model.eval()
    elif why == "frozen":
        model.requires_grad_(False)
    elif why == "no weight":
        model = Sequential(vision.BatchNorm2d(5, affine=False), ReLU())
    elif why == "alone":
        model = Sequential(vision.BatchNorm2d(5))
    if why == "no_grad":
        with tt_autograd.no_grad():
            model(x)
    elif why in ("numpy", "loops"):
        with kernels.use(why, "batch_norm_relu"):
            model(x)
    else:
        model(x)
    assert together == []


def test_by_hand_after_a_frozen_forward(together):
    model = network().requires_grad_(False)
    y = model(Tensor(images(2, 5, 2, 2)))
    assert model.backward(np.ones(y.shape, np.float32)).shape == y.shape


def test_wrong_shapes_are_said_as_ever(together):
    with pytest.raises(ShapeError, match=r"BatchNorm2d.*4 channels"):
        network()(Tensor(images(2, 4, 2, 2)))
    with pytest.raises(ShapeError, match="nothing to pool"):
        network(vision.MaxPool2d(2))(Tensor(images(2, 5, 0, 2)))
    with pytest.raises(ShapeError, match="one value per channel"):
        network()(Tensor(images(1, 5, 1, 1)))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_dtypes(together, dtype):
    x = images(3, 5, 4, 4).astype(dtype)
    found = []
    for name in ("at once", "numpy"):
        with kernels.use(name, "batch_norm_relu"):
            model = network(vision.MaxPool2d(2)).to(dtype)
            images_in = Tensor(x).requires_grad_()
            y = model(images_in)
            y.sum().backward()
            assert y.dtype == images_in.grad.dtype == dtype
            found.append((np.array(y), np.array(images_in.grad)))
    for one, right in zip(*found, strict=True):
        np.testing.assert_allclose(one, right, rtol=1e-2 if dtype == np.float16 else 1e-9, atol=1e-3)
