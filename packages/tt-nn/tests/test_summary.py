"""The summary counts what is there: each parameter once, each activation's memory once, and changes nothing."""

import numpy as np
import pytest

from tt_nn import Identity, Linear, Sequential, summary
from tt_tensor.errors import ArgumentError


def net():
    return Sequential(Linear(3, 4), Identity(), Sequential(Linear(4, 2, bias=False)))


def test_counts_and_shapes():
    found = summary(net(), input_size=(5, 3))
    assert [(row.name, row.kind, row.depth, row.output_shape, row.parameters) for row in found.layers] == [
        ("", "Sequential", 0, (5, 2), 0),
        ("0", "Linear", 1, (5, 4), 16),
        ("1", "Identity", 1, (5, 4), 0),
        ("2", "Sequential", 1, (5, 2), 0),
        ("2.0", "Linear", 2, (5, 2), 8),
    ]
    assert (found.parameters, found.trainable, found.parameter_bytes, found.buffer_bytes) == (24, 24, 96, 0)
    # Identity hands on the same memory: (5, 4) and (5, 2) in float32.
    assert found.activation_bytes == 4 * (20 + 10)


def test_inputs_by_value_and_nothing_without_them():
    model = net()
    assert summary(model, np.zeros((2, 3), np.float32)).layers[1].output_shape == (2, 4)
    assert summary(model, (2, 3)).layers[1].output_shape == (2, 4)
    bare = summary(model)
    assert bare.activation_bytes is None and bare.layers[1].output_shape is None and bare.parameters == 24
    with pytest.raises(ArgumentError, match="not both"):
        summary(model, np.zeros((2, 3)), input_size=(2, 3))


def test_tied_and_frozen_parameters():
    model = Sequential(Linear(3, 3, bias=False), Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    assert [row.parameters for row in summary(model).layers] == [0, 9, 0]
    model.requires_grad_(False)
    assert (summary(model).parameters, summary(model).trainable) == (9, 0)


def test_the_model_is_left_as_it_was():
    model = net()
    model[0].eval()
    summary(model, input_size=(1, 3))
    assert model.training and not model[0].training and model[2][0].training
    assert not model[0]._forward_hooks
    with pytest.raises(ValueError, match="linear"):
        summary(model, input_size=(1, 7))
    assert model.training and not model[0].training and not model[0]._forward_hooks


def test_the_table():
    text = str(summary(net(), input_size=(5, 3)))
    assert "0: Linear" in text and "(5, 4)" in text and "16" in text
    assert "parameters: 24 (24 trainable, 0 frozen), 96 B" in text and "activations: 120 B" in text
