"""The training loop: the by-hand gradient is the gradient, the history tells the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from milestone_xor.training import (
    CASES,
    MARGIN,
    TARGETS,
    History,
    hidden_layer,
    probability,
    single_layer,
    train,
)


def history(logits):
    rows = np.asarray(logits, float)
    return History(rows, np.zeros(len(rows)))


def parameters(model):
    return [parameter.numpy().copy() for parameter in model.parameters()]


def forward(values, inputs):
    """The network written out, in float64: the logits of inputs (N, 2)."""
    hidden = inputs
    for weight, bias in zip(values[:-2:2], values[1:-2:2], strict=True):
        hidden = np.tanh(hidden @ weight.T + bias)
    return (hidden @ values[-2].T + values[-1])[:, 0]


def cross_entropy(values):
    logits = forward(values, CASES.astype(float))
    return float(np.mean(np.logaddexp(0, logits) - TARGETS * logits))


@pytest.mark.parametrize("build", [single_layer, hidden_layer])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_step_is_the_central_difference_times_the_rate(build, seed):
    model = build(seed)
    before = [value.astype(float) for value in parameters(model)]
    lr, step = 0.5, 1e-5
    done = train(model, 1, lr)
    assert math.isclose(done.losses[0], cross_entropy(before), rel_tol=1e-5)
    for index, (old, new) in enumerate(zip(before, parameters(model), strict=True)):
        expected = np.empty_like(old)
        for place in np.ndindex(old.shape):
            moved = []
            for side in (step, -step):
                values = [value.copy() for value in before]
                values[index][place] += side
                moved.append(cross_entropy(values))
            expected[place] = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose((old - new) / lr, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("build", "count"), [(single_layer, 3), (hidden_layer, 33)])
def test_the_networks_have_their_parameters(build, count):
    model = build(0)
    assert sum(value.size for value in parameters(model)) == count
    assert all(value.dtype == np.float32 for value in parameters(model))


def test_a_seed_is_a_network():
    one, same, other = (parameters(hidden_layer(seed))[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_training_is_the_same_every_time():
    one, same = (train(hidden_layer(1), 50, 1.0).logits for _ in range(2))
    np.testing.assert_array_equal(one, same)


def test_watching_changes_nothing_and_sees_every_step():
    seen = []

    def watch(step, model):
        seen.append(step)
        probability(model, np.zeros((7, 2)))

    watched = train(hidden_layer(1), 20, 1.0, watch)
    assert seen == list(range(21))
    np.testing.assert_array_equal(watched.logits, train(hidden_layer(1), 20, 1.0).logits)


def test_probability_is_the_sigmoid_of_the_logit():
    model = hidden_layer(2)
    points = np.array([[0.0, 0.0], [0.5, -0.5], [1.5, 1.0]])
    expected = 1 / (1 + np.exp(-forward(parameters(model), points)))
    np.testing.assert_allclose(probability(model, points), expected, rtol=1e-5)


@given(arrays(float, (3,), elements=st.floats(-100, 100)))
def test_no_line_gets_more_than_three_of_four(parameters):
    logits = CASES @ parameters[:2] + parameters[2]
    assert history([logits]).best_accuracy <= 75


@given(arrays(float, (5, 4), elements=st.floats(-500, 500)))
def test_the_errors_are_those_of_the_sigmoid(logits):
    with np.errstate(over="ignore"):
        naive = np.abs(1 / (1 + np.exp(-logits)) - TARGETS).max(axis=1)
    found = history(logits)
    np.testing.assert_allclose(found.errors, naive, atol=1e-12)
    assert found.solved == (naive[-1] <= MARGIN)
    reached = [step for step, error in enumerate(naive) if error <= MARGIN]
    assert found.steps_to_solve == (reached[0] if reached else math.inf)


def test_right_but_without_the_margin_is_not_solved():
    edge = math.log(9)  # sigmoid is 0.9
    assert history([[-edge - 0.01, edge + 0.01, edge + 0.01, -edge - 0.01]]).solved
    close = history([[-edge - 0.01, edge + 0.01, edge - 0.01, -edge - 0.01]])
    assert close.best_accuracy == 100
    assert not close.solved


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_nan_is_never_right():
    broken = history([[math.nan] * 4])
    assert not broken.solved
    assert broken.steps_to_solve == math.inf
    assert broken.best_accuracy <= 50
    assert math.isnan(broken.errors[0])
