"""Models that torchvision has: its state dicts fit, and the same weights give its outputs within 1e-4."""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest

from tt_nn import StateDictError
from tt_tensor import kernels
from tt_vision import models

GOLDENS = Path(__file__).parent / "goldens"  # made by make_goldens.py
STATE_DICTS = json.loads((GOLDENS / "state_dicts.json").read_text())
OUTPUTS = np.load(GOLDENS / "outputs.npz")
PERIOD = 65521


def drawn(name, shape):
    """The same as in make_goldens.py."""
    if name.endswith("num_batches_tracked"):
        return np.array(7, np.int64)
    count = math.prod(shape)
    bits = np.random.PCG64(zlib.crc32(name.encode())).random_raw(min(count, PERIOD)) >> 40
    u = np.resize((bits.astype(np.float64) * 2.0**-23 - 1).astype(np.float32), shape)
    if name.endswith(("running_var", "weight")) and len(shape) == 1:
        return (1 + u / 4) / (2 if "bn2" in name else 1)
    if len(shape) == 1:
        return u / 4
    return u * np.float32(math.sqrt(6 / math.prod(shape[1:])) if name != "images" else 0.3)


@pytest.fixture
def images():
    return drawn("images", (3, 3, 8, 8)).repeat(8, axis=2).repeat(8, axis=3)


def with_drawn_weights(model):
    weights = {name: drawn(name, x.shape) for name, x in model.state_dict().items()}
    model.load_state_dict(weights)
    return model


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("resnet18", 11_689_512), ("resnet34", 21_797_672), ("vgg11", 132_863_336), ("vgg11_bn", 132_868_840)],
)
@pytest.mark.usefixtures("unfilled")
def test_names_shapes_and_order_are_torchvisions(name, parameters):
    model = models.BUILDERS[name]()
    found = {key: list(x.shape) for key, x in model.state_dict().items()}
    assert list(found.items()) == list(STATE_DICTS[name].items())
    assert sum(p.size for p in model.parameters()) == parameters


@pytest.mark.usefixtures("unfilled")
def test_the_same_weights_give_the_output_of_resnet18(images):
    model = with_drawn_weights(models.resnet18())
    assert model.bn1.num_batches_tracked.item() == 7
    for mode in ("eval", "train"):  # in this order: training moves the statistics
        found = model.train(mode == "train")(images).numpy()
        np.testing.assert_allclose(found, OUTPUTS[f"resnet18_{mode}"], rtol=0, atol=1e-4)
    assert model.bn1.num_batches_tracked.item() == 8


@pytest.mark.usefixtures("unfilled")
def test_the_same_weights_give_the_output_of_vgg11(images):
    model = with_drawn_weights(models.vgg11(num_classes=10)).eval()
    np.testing.assert_allclose(model(images).numpy(), OUTPUTS["vgg11_eval"], rtol=0, atol=1e-4)


def test_the_loops_give_it_too():
    """A network of the same kind, small enough for Python's loops."""
    model = models.ResNet((1, 1), (4, 6), num_classes=3).eval()
    x = np.random.default_rng(0).normal(size=(2, 3, 20, 20)).astype(np.float32)
    fast = model(x).numpy()
    with kernels.use("loops"):
        slow = model(x).numpy()
    np.testing.assert_allclose(slow, fast, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("unfilled")
def test_a_state_dict_for_other_classes_is_refused_and_nothing_changed():
    model = models.resnet18(num_classes=3)
    before = model.conv1.weight.numpy().copy()
    other = {name: np.zeros(shape, np.float32) for name, shape in STATE_DICTS["resnet18"].items()}
    with pytest.raises(StateDictError, match=r"fc\.weight: \(1000, 512\) given, \(3, 512\) here"):
        model.load_state_dict(other)
    np.testing.assert_array_equal(model.conv1.weight.numpy(), before)
