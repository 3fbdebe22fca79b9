"""VGG: gradients by hand, how weights begin, where dropout is. Small configurations stand in for the large."""

import math

import numpy as np
import pytest

from tt_nn import Dropout, Linear
from tt_tensor.errors import ArgumentError
from tt_vision.conv import Conv2d
from tt_vision.max_pooling import MaxPool2d
from tt_vision.models import VGG, vgg11, vgg11_bn


@pytest.fixture
def narrow(monkeypatch):
    """Linear layers of 16 where VGG has 4096."""
    original = Linear.__init__

    def shrunk(self, in_features, out_features, **others):
        smaller = {4096: 16}
        original(
            self, smaller.get(in_features, in_features), smaller.get(out_features, out_features), **others
        )

    monkeypatch.setattr(Linear, "__init__", shrunk)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.usefixtures("narrow")
def test_gradients_by_hand(check_by_hand, batch_norm):
    model = VGG((4, "M", 5, "M"), 3, batch_norm, dropout=0.0, in_channels=2)
    check_by_hand(model, (2, 2, 9, 10))


@pytest.mark.usefixtures("narrow")
def test_weights_begin_as_torchvisions():
    model = VGG((64, "M", 128), num_classes=1000, batch_norm=True)
    for name, module in model.named_modules():
        if isinstance(module, Conv2d | Linear):
            weight = module.weight.numpy()
            fan_out = math.prod(weight.shape) // weight.shape[1]
            wanted = 0.01 if isinstance(module, Linear) else math.sqrt(2 / fan_out)
            assert abs(weight.std() / wanted - 1) < 4 / math.sqrt(2 * weight.size), name
            assert not module.bias.numpy().any()


@pytest.mark.usefixtures("narrow")
def test_dropout_is_in_the_classifier_and_off_in_eval():
    model = VGG((4, "M"), num_classes=3, dropout=0.25)
    drops = [name for name, module in model.named_modules() if isinstance(module, Dropout)]
    assert drops == ["classifier.2", "classifier.5"]
    assert model.classifier[2].p == 0.25
    x = np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype(np.float32)
    assert not np.array_equal(model(x).numpy(), model(x).numpy())
    model.eval()
    np.testing.assert_array_equal(model(x).numpy(), model(x).numpy())


@pytest.mark.usefixtures("narrow", "unfilled")
def test_configuration_a():
    plain, normed = vgg11(num_classes=10), vgg11_bn(num_classes=10)
    widths = [module.out_channels for module in plain.features if isinstance(module, Conv2d)]
    assert widths == [64, 128, 256, 256, 512, 512, 512, 512]
    assert (len(plain.features), len(normed.features)) == (21, 29)
    assert sum(isinstance(module, MaxPool2d) for module in normed.features) == 5
    x = np.ones((1, 512, 1, 1), np.float32)
    np.testing.assert_array_equal(plain.avgpool(x).numpy(), np.ones((1, 512, 7, 7)))


@pytest.mark.usefixtures("narrow")
def test_what_cannot_be_built():
    with pytest.raises(ArgumentError, match="'X'"):
        VGG((4, "X"))
    with pytest.raises(ArgumentError, match="vgg11: no weights are called 'imagenet'"):
        vgg11(weights="imagenet")
