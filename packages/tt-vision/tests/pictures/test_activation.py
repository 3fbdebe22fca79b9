"""Where a network looks: the map's mean is the logit, and what is hidden is missed where it matters."""

import numpy as np
import pytest

import tt_nn as nn
import tt_tensor as tt
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_vision.pictures import class_activation, class_activation_map, occlusion, occlusion_map


@pytest.mark.parametrize("index", range(4))
def test_the_mean_of_the_map_is_the_logit(net, image, index):
    net.eval()
    found = class_activation_map(net, image, "relu", index)
    assert found.shape == (12, 10) and found.dtype == np.float64
    logit = net(tt.Tensor(image[None])).numpy()[0, index]
    assert found.mean() + net.head.bias.numpy()[index] == pytest.approx(logit, rel=1e-4)


def test_the_map_place_by_place(net, image):
    maps = np.maximum(np.einsum("oc,chw->ohw", net.mix.weight.numpy()[:, :, 0, 0], image), 0)
    wanted = sum(weight * one for weight, one in zip(net.head.weight.numpy()[2], maps, strict=True))
    np.testing.assert_allclose(class_activation_map(net, image, net.relu, 2), wanted, atol=1e-5)


def test_the_picture_of_the_likeliest_class(net, image):
    net.eval()
    logits = net(tt.Tensor(image[None])).numpy()[0].astype(float)
    best = logits.argmax()
    figure = class_activation(net, image, "relu", classes=["a", "b", "c", "d"], picture=np.zeros((1, 12, 10)))
    left, right = figure.axes[:2]
    assert left.get_title() == f"{'abcd'[best]} {np.exp(logits[best]) / np.exp(logits).sum():.0%}"
    np.testing.assert_array_equal(left.images[0].get_array(), np.zeros((12, 10)))
    heat = right.images[1]
    np.testing.assert_allclose(heat.get_array(), class_activation_map(net, image, "relu", int(best)))
    assert heat.get_clim() == pytest.approx(np.abs(heat.get_array()).max() * np.array([-1, 1]))


class Corner(nn.Module):
    """Says class 1 for what is bright in rows 2 to 4 and columns 1 to 3, and for nothing else."""

    def forward(self, x):
        bright = x[:, :, 2:5, 1:4].mean(axis=(1, 2, 3))
        return tt.stack([bright * 0, bright * 9], axis=1)


def test_only_what_the_network_looks_at_is_missed():
    image = np.ones((1, 9, 8), np.float32)
    found = occlusion_map(Corner(), image, 1, size=1, stride=1, fill=0)
    assert found.shape == (9, 8)
    inside = np.zeros((9, 8), bool)
    inside[2:5, 1:4] = True
    np.testing.assert_allclose(found[~inside], 0, atol=1e-6)

    def probability(x):
        return 1 / (1 + np.exp(-9 * x))

    np.testing.assert_allclose(found[inside], probability(1) - probability(8 / 9), atol=1e-6)


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (4, 1), (5, 5)])
def test_occlusion_in_loops(size, stride):
    image = np.random.default_rng(0).random((3, 8, 9)).astype(np.float32)

    def chance(x):
        scores = Corner()(tt.Tensor(x[None])).numpy()[0].astype(float)
        return np.exp(scores[1]) / np.exp(scores).sum()

    lost = [[[] for _ in range(9)] for _ in range(8)]
    for top in sorted({*range(0, 9 - size, stride), 8 - size}):
        for left in sorted({*range(0, 10 - size, stride), 9 - size}):
            hidden = image.copy()
            hidden[:, top : top + size, left : left + size] = 0.5
            for i in range(top, top + size):
                for j in range(left, left + size):
                    lost[i][j].append(chance(image) - chance(hidden))
    wanted = [[np.mean(place) for place in row] for row in lost]
    np.testing.assert_allclose(occlusion_map(Corner(), image, 1, size, stride, 0.5), wanted, atol=1e-6)


def test_every_pixel_is_hidden_at_some_time():
    image = np.random.default_rng(0).random((3, 17, 23)).astype(np.float32)
    for size, stride in ((None, None), (5, 5), (17, 1), (4, 3)):
        assert np.all(np.isfinite(occlusion_map(Corner(), image, 0, size, stride)))
    # Class 1 loses what class 0 gains.
    np.testing.assert_allclose(
        occlusion_map(Corner(), image, 0), -occlusion_map(Corner(), image, 1), atol=1e-6
    )


def test_occlusion_leaves_the_mode_and_the_image(net, image):
    net.train()
    before = image.copy()
    figure = occlusion(net, image, classes=["a", "b", "c", "d"])
    assert net.drop.training
    np.testing.assert_array_equal(image, before)
    heat = np.asarray(figure.axes[1].images[1].get_array())
    np.testing.assert_array_equal(heat, occlusion_map(net, image))
    net.eval()
    best = net(tt.Tensor(image[None])).numpy().argmax()
    np.testing.assert_array_equal(heat, occlusion_map(net, image, int(best)))


WRONG = [
    (lambda net, image: class_activation(net, image, "mix"), ArgumentError, "last layer before the pooling"),
    (lambda net, image: class_activation(net, image, "head"), ShapeError, "not maps"),
    (lambda net, image: class_activation(net, image, "relu", 4), ArgumentError, "4 is not from 0 to 3"),
    (lambda net, image: class_activation(net, image, "relu", "cat"), ArgumentError, "'cat'"),
    (lambda net, image: class_activation(net, image, "relu", classes=["a"]), ShapeError, "1 names for 4"),
    (
        lambda net, image: class_activation(net, image, "relu", picture=np.zeros((1, 3, 3))),
        ShapeError,
        "over an",
    ),
    (
        lambda net, image: class_activation(net.mix, image, "relu"),
        ArgumentError,
        "no layer 'relu'; there are none",
    ),
    (lambda net, image: occlusion(net, image, size=11), ArgumentError, "size is an integer from 1 to 10"),
    (
        lambda net, image: occlusion(net, image, size=4, stride=5),
        ArgumentError,
        "stride is an integer from 1 to 4",
    ),
    (lambda net, image: occlusion(net, image, fill="gray"), ArgumentError, "fill"),
    (lambda net, image: occlusion(net.mix, image), ShapeError, "scores"),
    (lambda net, image: occlusion(len, image), DTypeError, "is a Module"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=range(len(WRONG)))
def test_errors(call, error, message, net, image):
    with pytest.raises(error, match=message):
        call(net, image)
