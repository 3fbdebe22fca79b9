"""What the tests of several models share."""

import numpy as np
import pytest

from tt_nn import Linear, init
from tt_tensor import manual_seed
from tt_vision.conv import Conv2d


@pytest.fixture(autouse=True)
def seeded():
    manual_seed(0)


@pytest.fixture
def unfilled(monkeypatch):
    """Weights are left as memory comes: 100 million numbers less to draw where their values do not matter."""
    for layer in (Linear, Conv2d):
        monkeypatch.setattr(layer, "reset_parameters", lambda self: None)
    for name in ("kaiming_normal_", "normal_"):
        monkeypatch.setattr(init, name, lambda tensor, *_, **__: tensor)


@pytest.fixture
def check_by_hand():
    """Gradients by hand against central differences, along random directions, in float64."""

    def check(model, shape, seed=0, eps=1e-6):
        model.double()
        rng = np.random.default_rng(seed)
        x = rng.normal(size=shape)
        y = model(x)
        towards = rng.normal(size=y.shape)  # loss = Σ towards · y

        def loss(at):
            return float((model(at).numpy() * towards).sum())

        model.zero_grad()
        dx = model.backward(towards).numpy()
        assert dx.shape == x.shape
        step = rng.normal(size=shape)
        difference = (loss(x + eps * step) - loss(x - eps * step)) / (2 * eps)
        np.testing.assert_allclose((dx * step).sum(), difference, rtol=1e-5, atol=1e-6)
        for name, parameter in model.named_parameters():
            grad, value = parameter.grad.numpy(), parameter.numpy().copy()
            assert grad.shape == value.shape, name
            step = rng.normal(size=value.shape)
            parameter.write(value + eps * step)
            above = loss(x)
            parameter.write(value - eps * step)
            below = loss(x)
            parameter.write(value)
            np.testing.assert_allclose(
                (grad * step).sum(), (above - below) / (2 * eps), rtol=1e-5, atol=1e-6, err_msg=name
            )

    return check
