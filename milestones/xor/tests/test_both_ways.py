"""By hand and by tape: the same network, the same gradient, and a comparison that would tell."""

from __future__ import annotations

import math

import numpy as np
import pytest

from milestone_xor.both_ways import Comparison, by_hand, by_tape, compared, descent, trained
from milestone_xor.training import CASES, TARGETS, hidden_layer, single_layer, train
from tt_tensor import recorder, tensor

pytestmark = pytest.mark.usefixtures("tape")


def forward(values, inputs):
    hidden = inputs
    for weight, bias in zip(values[:-2:2], values[1:-2:2], strict=True):
        hidden = np.tanh(hidden @ weight.T + bias)
    return (hidden @ values[-2].T + values[-1])[:, 0]


def cross_entropy(values):
    logits = forward(values, CASES.astype(float))
    return float(np.mean(np.logaddexp(0, logits) - TARGETS * logits))


@pytest.mark.parametrize("way", [by_hand, by_tape])
@pytest.mark.parametrize("build", [single_layer, hidden_layer])
def test_the_gradient_is_the_central_difference(build, way):
    model = build(4)
    values = [parameter.numpy().astype(float) for parameter in model.parameters()]
    _, loss = next(descent(model, way, 1, 1.0))
    assert math.isclose(loss, cross_entropy(values), rel_tol=1e-5)
    step = 1e-5
    for index, parameter in enumerate(model.parameters()):
        expected = np.empty_like(values[index])
        for place in np.ndindex(expected.shape):
            sides = []
            for side in (step, -step):
                moved = [value.copy() for value in values]
                moved[index][place] += side
                sides.append(cross_entropy(moved))
            expected[place] = (sides[0] - sides[1]) / (2 * step)
        np.testing.assert_allclose(parameter.grad.numpy(), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("way", [by_hand, by_tape])
def test_it_learns_exactly_what_the_loop_without_a_tape_learns(way):
    found = trained(hidden_layer(1), way, 60, 0.7)
    recorder.install(None)
    expected = train(hidden_layer(1), 60, 0.7)
    np.testing.assert_array_equal(found.logits, expected.logits)
    np.testing.assert_array_equal(found.losses, expected.losses)


def test_every_gradient_of_every_step_is_compared():
    comparison = Comparison()
    hand, tape = hidden_layer(2), hidden_layer(2)
    history = compared(hand, tape, 40, 1.0, comparison)
    assert comparison == Comparison(number=41 * 4, equal=41 * 4)
    assert history.logits.shape == (41, 4)
    for one, other in zip(hand.parameters(), tape.parameters(), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_networks_that_differ_in_one_bit_are_told_apart():
    hand, tape = hidden_layer(2), hidden_layer(2)
    weight = hand[0].weight.numpy().copy()
    weight[3, 1] = np.nextafter(weight[3, 1], np.float32(1))
    hand[0].weight.write(weight)
    comparison = Comparison()
    compared(hand, tape, 5, 1.0, comparison)
    assert comparison.equal < comparison.number == 6 * 4
    assert 0 < comparison.largest < 1e-5
    assert comparison.first == "0.weight at step 0"


@pytest.mark.parametrize(
    ("hand", "tape", "largest"),
    [
        (np.float32([1, 2]), np.float32([1, 2.5]), 0.5),
        (np.float32([0.0]), np.float32([-0.0]), 0.0),
        (np.float32([math.nan]), np.float32([1]), math.inf),
        (np.float32([1]), np.float64([1]), math.inf),
        (np.float32([1]), np.float32([[1]]), math.inf),
        (None, np.float32([1]), math.inf),
        (np.float32([1]), None, math.inf),
        (None, None, math.inf),
    ],
)
def test_what_is_not_the_same_bits_is_not_equal(hand, tape, largest):
    comparison = Comparison()
    comparison.add("a", *(array if array is None else tensor(array) for array in (hand, tape)))
    comparison.add("b", tensor([1.0]), tensor([1.0]))
    assert (comparison.number, comparison.equal, comparison.first) == (2, 1, "a")
    assert comparison.largest == largest
