"""Filters and feature maps: the numbers of the network are what is shown, and the network is left as it was."""

import numpy as np
import pytest

import tt_nn as nn
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.pictures import feature_maps, first_layer_filters


def tile(whole, index, size, columns):
    top, left = index // columns * (size[0] + 1), index % columns * (size[1] + 1)
    return whole[top : top + size[0], left : left + size[1]]


def test_each_filter_on_its_own_scale():
    weight = np.random.default_rng(0).normal(size=(10, 3, 5, 5))
    weight[4] = 0
    (axis,) = first_layer_filters(Tensor(weight), title="filters").axes
    shown = np.asarray(axis.images[0].get_array())
    for index, one in enumerate(weight):
        wanted = 0.5 + 0.5 * one / max(np.abs(one).max(), 1e-9)
        np.testing.assert_allclose(tile(shown, index, (5, 5), 4), wanted.transpose(1, 2, 0))
    assert axis.figure.get_suptitle() == "filters"


def test_the_first_weight_of_a_network(net):
    (axis,) = first_layer_filters(net).axes
    shown = np.asarray(axis.images[0].get_array())
    weight = net.mix.weight.numpy()[:, :, 0, 0]
    np.testing.assert_allclose(shown[0, 0], 0.5 + 0.5 * weight[0] / np.abs(weight[0]).max(), rtol=1e-6)


def test_rows_of_a_linear_as_images():
    mlp = nn.Sequential(nn.Flatten(), nn.Linear(28, 9), nn.ReLU(), nn.Linear(9, 3))
    (axis,) = first_layer_filters(mlp, (1, 4, 7)).axes
    row = mlp[1].weight.numpy()[2].reshape(4, 7)
    shown = tile(np.asarray(axis.images[0].get_array()), 2, (4, 7), 3)
    np.testing.assert_allclose(shown, 0.5 + 0.5 * row / np.abs(row).max(), rtol=1e-6)


@pytest.mark.parametrize("by_name", [True, False])
def test_feature_maps_are_what_the_layer_gives(net, image, by_name):
    net.train()
    net.relu.eval()
    left, right = feature_maps(net, Tensor(image), "mix" if by_name else net.mix, count=5).axes
    wanted = np.einsum("oc,chw->ohw", net.mix.weight.numpy()[:, :, 0, 0], image)
    shown = np.asarray(right.images[0].get_array())
    for index in range(5):
        one = wanted[index]
        np.testing.assert_allclose(
            tile(shown, index, (12, 10), 3), (one - one.min()) / (one.max() - one.min()), atol=1e-5
        )
    seen = np.asarray(left.images[0].get_array())
    assert seen.shape == (12, 10, 3) and seen.min() == 0 and seen.max() == 1
    name = "mix" if by_name else "Mix"
    assert left.figure.get_suptitle() == f"{name}: 6 maps of 12 × 10"
    # As it was: the modes, and no hook.
    assert net.training and net.drop.training and not net.relu.training
    assert not net.mix._forward_hooks


def test_a_network_that_fails_is_left_as_it_was(net):
    net.train()
    with pytest.raises(ShapeError):
        feature_maps(net, np.zeros((2, 4, 4), np.float32), "mix")
    assert net.drop.training and not net.mix._forward_hooks


WRONG = [
    (
        lambda net, image: feature_maps(net, image, "conv9"),
        ArgumentError,
        "no layer 'conv9'; there are mix, relu",
    ),
    (lambda net, image: feature_maps(net, image, "unused"), ArgumentError, "ReLU gave no Tensor"),
    (lambda net, image: feature_maps(net, image, "head"), ShapeError, r"\(1, 4\), not maps"),
    (lambda net, image: feature_maps(net, image[None].repeat(2, 0), "mix"), ShapeError, "one image"),
    (lambda net, image: feature_maps(net, image, "mix", count=0), ArgumentError, "count"),
    (lambda net, image: feature_maps(print, image, "mix"), DTypeError, "is a Module"),
    (lambda net, image: first_layer_filters(net.head), ArgumentError, "Linear has no convolution"),
    (lambda net, image: first_layer_filters(net.relu, (1, 2, 2)), ArgumentError, "no Linear"),
    (lambda net, image: first_layer_filters(net.head, (1, 2, 2)), ShapeError, r"rows of \(4, 6\)"),
    (lambda net, image: first_layer_filters(np.zeros((4, 2, 3, 3))), ShapeError, "only the first layer"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=range(len(WRONG)))
def test_errors(call, error, message, net, image):
    with pytest.raises(error, match=message):
        call(net, image)
