"""cifar_cnn: shapes, counts, gradients."""

import numpy as np
import pytest

from tt_tensor.errors import ArgumentError
from tt_vision.models import cifar_cnn


def test_parameters():
    # Σ 9 · in · out + 2 · out, and the linear layer.
    pairs = [(3, 32), (32, 32), (32, 64), (64, 64), (64, 128)]
    wanted = sum(9 * a * b + 2 * b for a, b in pairs) + 2048 * 10 + 10
    assert sum(p.size for p in cifar_cnn().parameters()) == wanted == 160_234


def test_gradients_by_hand(check_by_hand):
    check_by_hand(cifar_cnn(3, ((3, 4), (5,)), 2, 8), (3, 2, 8, 8))


def test_each_stage_halves_the_image():
    model = cifar_cnn(7, ((2,), (3, 3), (4,)), image_size=20)
    x = np.zeros((1, 3, 20, 20), np.float32)
    assert model[:-2](x).shape == (1, 4, 2, 2)
    assert model(x).shape == (1, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": (32, 64)}, "widths is a row of stages"),
        ({"widths": "64"}, "widths is a row of stages"),
        ({"image_size": 7}, "images of 7 pixels cannot be halved 3 times"),
        ({"image_size": "32"}, "images of '32' pixels"),
        ({"widths": ((8, -1),)}, "out_channels"),
    ],
)
def test_what_cannot_be_built(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        cifar_cnn(**arguments)
