"""One layer used twice: what is right, and in which way by hand is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from milestone_xor.both_ways import by_hand, by_tape
from milestone_xor.training import CASES, TARGETS
from milestone_xor.twice import WIDTH, differences, error, gradient, one_layer_twice, wide
from tt_tensor import tensor

pytestmark = pytest.mark.usefixtures("tape")

SEEDS = range(5)


def parts(model):
    """The network and its gradients written out: of the weight at each use, with its own input and with the other."""
    weight, bias = (parameter.numpy().astype(float) for parameter in model.parameters())
    x = wide(CASES)  # (4, 8)
    hidden = np.tanh(x @ weight.T + bias)
    logits = (hidden @ weight.T + bias)[:, 0]
    second = np.zeros((4, WIDTH))
    second[:, 0] = (1 / (1 + np.exp(-logits)) - TARGETS) / 4
    first = second @ weight * (1 - hidden**2)
    return logits, first, second, x, hidden


def row(weight, bias):
    return np.concatenate([weight.ravel(), bias])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_network_is_its_formula(seed):
    model = one_layer_twice(seed)
    logits = parts(model)[0]
    np.testing.assert_allclose(
        model(tensor(np.float32(wide(CASES)))).numpy()[:, 0], logits, rtol=1e-4, atol=1e-6
    )
    assert sum(parameter.size for parameter in model.parameters()) == 72


@pytest.mark.parametrize("seed", SEEDS)
def test_by_tape_is_the_sum_of_both_uses(seed):
    model = one_layer_twice(seed).to(np.float64)
    _, first, second, x, hidden = parts(model)
    expected = row(first.T @ x + second.T @ hidden, first.sum(0) + second.sum(0))
    np.testing.assert_allclose(gradient(model, by_tape), expected, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(differences(model), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_by_hand_takes_the_second_use_for_both(seed):
    model = one_layer_twice(seed).to(np.float64)
    _, first, second, _, hidden = parts(model)
    expected = row(first.T @ hidden + second.T @ hidden, first.sum(0) + second.sum(0))
    found = gradient(model, by_hand)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-15)
    assert error(found, differences(model)) > 0.01


def test_looking_for_differences_leaves_the_parameters_alone():
    model = one_layer_twice(0).to(np.float64)
    before = [parameter.numpy().copy() for parameter in model.parameters()]
    differences(model)
    for old, parameter in zip(before, model.parameters(), strict=True):
        np.testing.assert_array_equal(parameter.numpy(), old)


def test_error_is_relative_to_the_largest_number():
    assert error(np.array([1.0, -3.5]), np.array([1.0, -4.0])) == 0.125


def test_wide_adds_zeros():
    assert wide([[1, 2]]).tolist() == [[1, 2, 0, 0, 0, 0, 0, 0]]
