"""Networks to compress."""

import numpy as np
import pytest

import tt_nn
import tt_tensor


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def vision():
    """tt_vision, where it is installed."""
    return pytest.importorskip("tt_vision", reason="tt-vision is not installed")


@pytest.fixture
def mlp():
    """4-10-6-3, with its own seed."""

    def make(seed=0, dtype=np.float32):
        state = tt_tensor.default_generator().get_state()
        tt_tensor.manual_seed(seed)
        model = tt_nn.Sequential(
            tt_nn.Linear(4, 10), tt_nn.Tanh(), tt_nn.Linear(10, 6), tt_nn.ReLU(), tt_nn.Linear(6, 3)
        ).to(dtype)
        tt_tensor.default_generator().set_state(state)
        return model

    return make


@pytest.fixture
def cnn(vision):
    """conv – norm – ReLU – max pooling – conv – norm – ReLU – conv – flatten – linear on images (2, 8, 8), in eval
    mode, float64, with norms that are not trivial."""

    def make(seed=0):
        state = tt_tensor.default_generator().get_state()
        tt_tensor.manual_seed(seed)
        model = tt_nn.Sequential(
            {
                "c1": vision.Conv2d(2, 8, 3, padding=1),
                "n1": vision.BatchNorm2d(8),
                "r1": tt_nn.ReLU(),
                "p1": vision.MaxPool2d(2),
                "c2": vision.Conv2d(8, 12, 3, padding=1, bias=False),
                "n2": vision.BatchNorm2d(12),
                "r2": tt_nn.ReLU(),
                "c3": vision.Conv2d(12, 6, 3),
                "flat": tt_nn.Flatten(),
                "fc": tt_nn.Linear(24, 3),
            }
        ).double()
        numbers = np.random.default_rng(seed)
        for name in ("n1", "n2"):
            norm = getattr(model, name)
            for tensor in (norm.weight, norm.bias, norm.running_mean):
                tensor.write(numbers.normal(size=tensor.shape))
            norm.running_var.write(numbers.uniform(0.5, 2, norm.running_var.shape))
        tt_tensor.default_generator().set_state(state)
        return model.eval()

    return make
