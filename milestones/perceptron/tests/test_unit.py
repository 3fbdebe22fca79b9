"""Both rules: each step is the formula, and what can be separated is separated."""

from __future__ import annotations

import numpy as np
import pytest

from milestone_perceptron.unit import Unit, by_gradient, by_rosenblatt
from tt_tensor import manual_seed, tensor


def separable(seed, count=40, pixels=6, margin=0.2):
    """Points and the side of a random plane they are on, none closer to it than the margin."""
    generator = np.random.default_rng(seed)
    normal = generator.normal(size=pixels)
    points = generator.uniform(-1, 1, size=(4 * count, pixels))
    distance = points @ normal / np.linalg.norm(normal)
    points, distance = points[np.abs(distance) > margin], distance[np.abs(distance) > margin]
    return points[:count].astype(np.float32), (distance[:count] > 0).astype(np.float32)


def ignore(done, mistakes):
    """A watch that looks away."""


def noting(seen):
    """A watch that keeps the mistakes."""
    return lambda done, mistakes: seen.append(mistakes)


def rosenblatt_naive(points, targets, epochs, generator):
    weight, bias, mistakes = np.zeros(points.shape[1], np.float32), np.float32(0), []
    for _ in range(epochs):
        mistakes.append(0)
        for index in generator.permutation(len(points)):
            sign = 1 if targets[index] else -1
            if sign * (float(weight @ points[index]) + bias) <= 0:
                weight, bias = weight + sign * points[index], bias + sign
                mistakes[-1] += 1
        if not mistakes[-1]:
            break
    return weight, bias, mistakes


@pytest.mark.parametrize("seed", range(5))
def test_rosenblatts_rule_is_the_naive_loop(seed):
    points, targets = separable(seed)
    seen = []
    generator, same = np.random.default_rng(seed), np.random.default_rng(seed)
    unit = by_rosenblatt(tensor(points), tensor(targets), 30, generator, noting(seen))
    weight, bias, mistakes = rosenblatt_naive(points, targets, 30, same)
    np.testing.assert_allclose(unit.weight.numpy(), weight, rtol=1e-5, atol=1e-6)
    assert unit.bias.item() == bias
    assert seen == mistakes


@pytest.mark.parametrize("seed", range(5))
def test_what_can_be_separated_is_separated_and_then_it_stops(seed):
    points, targets = separable(seed)
    seen = []
    generator = np.random.default_rng(seed)
    unit = by_rosenblatt(tensor(points), tensor(targets), 1000, generator, noting(seen))
    assert seen[-1] == 0
    assert 0 not in seen[:-1]
    # Novikoff: no more mistakes than (R / margin)^2, with the bias as one more coordinate of each point.
    assert sum(seen) <= (points.shape[1] + 1) / 0.2**2
    np.testing.assert_array_equal(unit.fires(tensor(points)), targets > 0.5)


def test_what_cannot_be_separated_ends_with_the_epochs():
    xor = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    seen = []
    targets = tensor(np.array([0, 1, 1, 0], np.float32))
    by_rosenblatt(tensor(xor), targets, 25, np.random.default_rng(0), noting(seen))
    assert len(seen) == 25
    assert min(seen) > 0


def test_one_step_of_gradient_descent_is_the_formula():
    points, targets = separable(0)
    manual_seed(7)
    start = by_gradient(tensor(points), tensor(targets), 1, 0.0, ignore)
    manual_seed(7)
    after = by_gradient(tensor(points), tensor(targets), 1, 0.5, ignore)
    logits = points @ start.weight.numpy() + start.bias.numpy()
    slope = (1 / (1 + np.exp(-logits)) - targets) / len(points)  # of the mean cross-entropy
    weight = start.weight.numpy() - 0.5 * (points.T @ slope)
    np.testing.assert_allclose(after.weight.numpy(), weight, rtol=1e-5, atol=1e-6)
    bias = start.bias.numpy() - 0.5 * slope.sum()
    np.testing.assert_allclose(after.bias.numpy(), bias, rtol=1e-5, atol=1e-6)
    assert after.weight.dtype == np.float32


def test_gradient_descent_separates_too():
    points, targets = separable(1)
    seen = []
    manual_seed(0)
    unit = by_gradient(tensor(points), tensor(targets), 500, 2.0, noting(seen))
    assert len(seen) == 500
    assert seen[-1] == 0
    np.testing.assert_array_equal(unit.fires(tensor(points)), targets > 0.5)


def test_a_unit_fires_above_zero_and_not_at_it():
    unit = Unit(tensor([1.0, 0.0]), tensor([-1.0]))
    assert unit.fires(tensor([[2.0, 5.0], [1.0, 5.0], [0.0, 5.0]])).tolist() == [True, False, False]
