"""What the networks are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from milestone_mnist.networks import cnn_of, logits, mlp_of, small_cnn
from tt_nn import Linear
from tt_tensor import tensor
from tt_vision.datasets import ImageDataset
from tt_vision.models import LeNet5


@pytest.fixture
def large(problem):
    """The shape of MNIST, without its files."""
    nothing = ImageDataset(np.zeros((4, 1, 28, 28), np.uint8), np.zeros(4, np.int64), problem.test.classes)
    return replace(problem, name="mnist", test=nothing, reach=2, ink=255)


def size(model):
    return sum(parameter.size for parameter in model.parameters())


def test_the_networks_have_their_parameters(problem, large):
    counts = [size(kind(of).make(0)) for of in (problem, large) for kind in (mlp_of, cnn_of)]
    assert counts == [50826, 21482, 535818, 61706]
    assert isinstance(cnn_of(large).make(0), LeNet5)


@pytest.mark.parametrize("kind", [mlp_of, cnn_of])
def test_a_seed_is_a_network(kind, problem):
    one, same, other = (
        [p.numpy().copy() for p in kind(problem).make(seed).parameters()] for seed in (5, 5, 6)
    )
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert not all((a == b).all() for a, b in zip(one, other, strict=True))


def test_the_names_are_the_shapes(problem, large):
    for of in (problem, large):
        layers = [layer for layer in mlp_of(of).make(0) if isinstance(layer, Linear)]
        widths = (layers[0].in_features, *(layer.out_features for layer in layers))
        assert mlp_of(of).name == "MLP " + "-".join(map(str, widths))
    assert [cnn_of(of).name for of in (problem, large)] == ["CNN 32-64", "LeNet-5"]


def test_logits_are_those_of_eval_mode_in_parts_of_the_batch(problem):
    model = small_cnn(8)
    images = problem.test.data
    model(tensor(problem.normalise(images[:40])))  # so that the running values are not 0 and 1
    found = logits(model, problem, images)
    assert model.training
    model.eval()
    np.testing.assert_allclose(found, model(tensor(problem.normalise(images))).numpy(), rtol=1e-4, atol=1e-4)
    logits(model, problem, images)
    assert not model.training
