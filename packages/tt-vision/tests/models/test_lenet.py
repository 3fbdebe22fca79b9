"""LeNet-5: the paper's shapes and counts, both styles, other image sizes."""

import numpy as np
import pytest

from tt_nn import ReLU, Tanh
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.avg_pooling import AvgPool2d
from tt_vision.max_pooling import MaxPool2d
from tt_vision.models import LeNet5, lenet5


def test_the_papers_maps():
    model, x = lenet5(), np.zeros((2, 1, 28, 28), np.float32)
    shapes = {}
    for name, layer in model.named_children():
        x = layer(x)
        shapes[name] = x.shape[1:]
    assert shapes["c1"] == (6, 28, 28)
    assert shapes["s2"] == (6, 14, 14)
    assert shapes["c3"] == (16, 10, 10)
    assert shapes["s4"] == (16, 5, 5)
    assert shapes["c5"] == (120,)
    assert shapes["f6"] == (84,)
    assert shapes["output"] == (10,)


def test_parameters():
    counts = {name: sum(p.size for p in layer.parameters()) for name, layer in lenet5().named_children()}
    # The paper's 156, 48,120 and 10,164; its c3 has 1,516 since it sees not all maps.
    assert {name: n for name, n in counts.items() if n} == {
        "c1": 156,
        "c3": 2416,
        "c5": 48_120,
        "f6": 10_164,
        "output": 850,
    }
    assert sum(counts.values()) == 61_706


def test_the_papers_images_need_no_padding():
    paper = lenet5(image_size=32, padding=(0, 0))
    padded = lenet5()
    padded.load_state_dict(paper.state_dict())
    x = np.random.default_rng(0).normal(size=(3, 1, 28, 28)).astype(np.float32)
    around = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    np.testing.assert_allclose(padded(x).numpy(), paper(around).numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("style", ["modern", "1998"])
def test_gradients_by_hand(check_by_hand, style):
    check_by_hand(lenet5(3, 2, 8, (2, 2), style), (3, 2, 8, 8))


def test_styles():
    kinds = {style: {type(layer) for layer in lenet5(style=style)} for style in ("modern", "1998")}
    assert {ReLU, MaxPool2d} < kinds["modern"] and not {Tanh, AvgPool2d} & kinds["modern"]
    assert {Tanh, AvgPool2d} < kinds["1998"] and not {ReLU, MaxPool2d} & kinds["1998"]


def test_c5_as_the_convolution_that_the_paper_calls_it():
    from tt_vision.conv import Conv2d

    model = lenet5().eval()
    x = np.random.default_rng(0).normal(size=(2, 16, 5, 5)).astype(np.float32)
    as_convolution = Conv2d(16, 120, 5)
    as_convolution.weight.write(model.c5.weight.numpy().reshape(120, 16, 5, 5))
    as_convolution.bias.write(model.c5.bias.numpy())
    np.testing.assert_allclose(
        model.c5(model.flatten(x)).numpy(), as_convolution(x).numpy()[:, :, 0, 0], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"style": "2098"}, "style '2098' is not one of modern, 1998"),
        ({"image_size": 8}, "nothing is left of images of 8×8"),
        ({"image_size": 28.0}, "image_size is a whole number"),
        ({"padding": 2}, "padding is a pair"),
        ({"padding": (-1, 0)}, "padding"),
        ({"num_classes": "ten"}, "out_features"),
    ],
)
def test_what_cannot_be_built(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        LeNet5(**arguments)


def test_other_images_than_it_was_built_for():
    with pytest.raises(ShapeError):
        lenet5()(np.zeros((1, 1, 32, 32), np.float32))
