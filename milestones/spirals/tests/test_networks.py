"""What the networks are."""

from __future__ import annotations

import numpy as np
import pytest

from milestone_spirals.networks import NAME, linear, network, probabilities
from tt_nn import Linear


@pytest.mark.parametrize(("build", "count"), [(linear, 9), (network, 8707)])
def test_the_networks_have_their_parameters(build, count):
    model = build(0)
    assert sum(parameter.size for parameter in model.parameters()) == count
    assert all(parameter.dtype == np.float32 for parameter in model.parameters())


def test_the_name_is_the_shape():
    layers = [layer for layer in network(0) if isinstance(layer, Linear)]
    assert "-".join(map(str, (layers[0].in_features, *(layer.out_features for layer in layers)))) == NAME


def test_a_seed_is_a_network():
    one, same, other = (network(seed)[0].weight.numpy() for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_probabilities_are_the_softmax_of_the_logits():
    model = linear(1)
    points = np.random.default_rng(0).normal(size=(20, 2))
    logits = points @ model[0].weight.numpy().T.astype(float) + model[0].bias.numpy()
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities(model, points), expected, rtol=1e-5)


def test_probabilities_of_large_logits_are_finite():
    model = linear(1)
    model[0].weight.write(np.full((3, 2), 1e4, np.float32) * np.float32([[1], [2], [-1]]))
    found = probabilities(model, np.array([[1.0, 1.0]]))
    np.testing.assert_array_equal(found, [[0.0, 1.0, 0.0]])
