"""Residual networks: gradients by hand, both stems, both shortcuts, and how weights begin."""

import copy
import math

import numpy as np
import pytest

from tt_nn import Linear
from tt_tensor.errors import ArgumentError
from tt_vision.conv import Conv2d
from tt_vision.models import BasicBlock, ResNet, resnet18, resnet20


def count(model):
    return sum(parameter.size for parameter in model.parameters())


@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize("training", [True, False])
def test_gradients_by_hand(check_by_hand, shortcut, training):
    model = ResNet((1, 2), (3, 5), num_classes=4, stem="cifar", shortcut=shortcut, in_channels=2)
    check_by_hand(model.train(training), (3, 2, 6, 7))


def test_gradients_by_hand_with_the_large_stem(check_by_hand):
    check_by_hand(ResNet((1,), (4,), num_classes=3), (2, 3, 15, 17))


def test_a_block_is_its_formula():
    block = BasicBlock(3, 3).eval()
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype(np.float32)
    inner = np.maximum(block.bn1(block.conv1(x)).numpy(), 0)
    inner = block.bn2(block.conv2(inner)).numpy()
    np.testing.assert_allclose(block(x).numpy(), np.maximum(inner + x, 0), rtol=1e-6, atol=1e-6)


def test_shortcut_a_takes_every_second_pixel_and_has_zeros_in_new_channels():
    short = ResNet((1, 1), (3, 5), stem="cifar", shortcut="A").layer2[0].downsample
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 6)).astype(np.float32)
    y = short(x).numpy()
    assert y.shape == (2, 5, 3, 3)
    np.testing.assert_array_equal(y[:, :3], x[:, :, ::2, ::2])
    assert not y[:, 3:].any()
    assert not list(short.parameters())


def test_resnet20_has_the_papers_size_and_no_shortcut_weights():
    model = resnet20()
    assert count(model) == 269_722
    assert (
        sum(isinstance(module, Conv2d) for module in model.modules()) == 19
    )  # and fc: 20 layers with weights
    assert not [name for name in model.state_dict() if "downsample" in name]
    with_weights = resnet20(shortcut="B")
    assert count(with_weights) == 272_474
    assert with_weights.layer2[0].downsample[0].weight.shape == (32, 16, 1, 1)


def test_stages_halve_the_image():
    x = np.zeros((1, 3, 32, 32), np.float32)
    model = resnet20()
    sizes = []
    for part in (model.conv1, model.layer1, model.layer2, model.layer3, model.avgpool):
        x = part(x)
        sizes.append(x.shape)
    assert sizes == [(1, 16, 32, 32), (1, 16, 32, 32), (1, 32, 16, 16), (1, 64, 8, 8), (1, 64, 1, 1)]


def test_stems():
    large, small = ResNet((1,), (64,)), ResNet((1,), (64,), stem="cifar")
    assert large.conv1.kernel_size == (7, 7) and large.conv1.stride == (2, 2)
    assert small.conv1.kernel_size == (3, 3) and small.conv1.stride == (1, 1)
    assert "maxpool" in dict(large.named_children()) and "maxpool" not in dict(small.named_children())
    assert count(large) - count(small) == 64 * 3 * (49 - 9)
    x = np.zeros((1, 3, 32, 32), np.float32)
    assert large[:4](x).shape == (1, 64, 8, 8)
    assert small[:3](x).shape == (1, 64, 32, 32)


@pytest.mark.usefixtures("unfilled")
def test_resnet18_for_cifar():
    model = resnet18(num_classes=10, stem="cifar")
    assert count(model) == 11_173_962  # as in the repositories that train it
    assert "maxpool" not in dict(model.named_children())


@pytest.mark.parametrize("build", [resnet20, lambda: ResNet((1, 1), (64, 128))])
def test_convolutions_begin_by_fan_out_and_batch_norms_at_one_and_zero(build):
    for name, module in build().named_modules():
        if isinstance(module, Conv2d):
            weight = module.weight.numpy()
            fan_out = math.prod(weight.shape) // weight.shape[1]
            # The standard deviation of n draws is right within 1/√(2 n); here four of those.
            assert abs(weight.std() * math.sqrt(fan_out / 2) - 1) < 4 / math.sqrt(2 * weight.size), name
            assert module.bias is None
        elif name.rpartition(".")[2].startswith("bn"):
            assert (module.weight.numpy() == 1).all() and (module.bias.numpy() == 0).all()
        elif isinstance(module, Linear):
            assert 0.9 / math.sqrt(module.in_features) < abs(module.weight.numpy()).max()
            assert abs(module.weight.numpy()).max() <= 1 / math.sqrt(module.in_features)


def test_zero_init_residual_makes_blocks_begin_as_identities():
    model = ResNet((2,), (3,), stem="cifar", zero_init_residual=True)
    x = np.random.default_rng(0).random((2, 3, 5, 5)).astype(np.float32)
    np.testing.assert_array_equal(model.layer1(x).numpy(), x)
    ordinary = ResNet((2,), (3,), stem="cifar")
    assert not np.allclose(ordinary.layer1(x).numpy(), x)


def test_another_last_layer_takes_the_place_of_fc():
    model = ResNet((1,), (4,), num_classes=10, stem="cifar")
    model.fc = Linear(4, 3)
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float32)
    assert model(x).shape == (2, 3)
    assert model.backward(np.ones((2, 3), np.float32)).shape == x.shape
    assert [name for name in model.state_dict() if name.startswith("fc")] == ["fc.weight", "fc.bias"]
    assert model[:-1](x).shape == (2, 4)  # what the last layer sees


def test_a_copy_has_weights_of_its_own():
    model = ResNet((1,), (4,), num_classes=3, stem="cifar").eval()
    again = copy.deepcopy(model)
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float32)
    before = model(x).numpy()
    np.testing.assert_array_equal(again(x).numpy(), before)
    again.layer1[0].conv1.weight.write(0)
    assert not np.array_equal(again(x).numpy(), before)
    np.testing.assert_array_equal(model(x).numpy(), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": (1, 1), "widths": (4,)}, "one number for each stage"),
        ({"layers": (), "widths": ()}, "one number for each stage"),
        ({"layers": (0,), "widths": (4,)}, "one block or more"),
        ({"layers": (1,), "widths": (4,), "stem": "mnist"}, "stem 'mnist' is not one of 'imagenet', 'cifar'"),
        ({"layers": (1,), "widths": (4,), "shortcut": "C"}, "shortcut 'C' is not one of 'A', 'B'"),
        ({"layers": (1, 1), "widths": (4, 2), "shortcut": "A"}, "widths must not fall"),
        ({"layers": (1,), "widths": (4,), "num_classes": -1}, "out_features"),
    ],
)
def test_what_cannot_be_built(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        ResNet(**arguments)
