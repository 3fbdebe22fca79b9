"""The multi-layer perceptron."""

import numpy as np
import pytest

from tt_nn import Dropout
from tt_tensor.errors import ArgumentError
from tt_vision.models import mlp


def test_it_is_its_formula():
    model = mlp(12, (5, 4), 3, activation="tanh")
    x = np.random.default_rng(0).normal(size=(7, 3, 2, 2)).astype(np.float32)
    y = x.reshape(7, 12)
    for layer in (model.fc1, model.fc2):
        y = np.tanh(y @ layer.weight.numpy().T + layer.bias.numpy())
    y = y @ model.fc3.weight.numpy().T + model.fc3.bias.numpy()
    np.testing.assert_allclose(model(x).numpy(), y, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu", "silu"])
def test_gradients_by_hand(check_by_hand, activation):
    check_by_hand(mlp(6, (4, 3), 2, activation), (5, 2, 3))


def test_parameters():
    assert sum(p.size for p in mlp(2, (8,), 1).parameters()) == 33  # milestone-xor's
    assert sum(p.size for p in mlp(784, (), 10).parameters()) == 7850


def test_dropout_follows_each_activation():
    model = mlp(4, (8, 8), 2, dropout=0.5)
    assert [name for name, layer in model.named_children() if isinstance(layer, Dropout)] == [
        "drop1",
        "drop2",
    ]
    assert not [layer for layer in mlp(4, (8, 8), 2) if isinstance(layer, Dropout)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "in_features and hidden and num_classes must be given, unless weights are"),
        ({"in_features": 3, "hidden": (2,)}, "num_classes must be given"),
        ({"in_features": 3, "hidden": 2, "num_classes": 1}, "hidden is a row of widths"),
        ({"in_features": 3, "hidden": (-2,), "num_classes": 1}, "out_features"),
        (
            {"in_features": 3, "hidden": (2,), "num_classes": 1, "activation": "step"},
            "activation 'step' is not one",
        ),
        ({"in_features": 3, "hidden": (2,), "num_classes": 1, "dropout": 2}, "Dropout"),
    ],
)
def test_what_cannot_be_built(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        mlp(**arguments)
