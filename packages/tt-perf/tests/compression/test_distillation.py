"""Distillation: the loss by its definition, its gradient, and the errors."""

import math

import numpy as np
import pytest

import tt_nn
from tt_nn.functional import cross_entropy
from tt_perf.compression import (
    Distillation,
    DistillationFunction,
    DistillationLoss,
    distillation_loss,
    soft_targets,
)
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, GradientError, IndexingError, ShapeError
from tt_tensor.testing import check_rule

LABELS = np.array([2, 0, 1, 1])


def softmax(row):
    powers = [math.exp(value - max(row)) for value in row]
    return [power / sum(powers) for power in powers]


def by_definition(x, z, labels, temperature, alpha):
    total = 0.0
    for student, teacher, label in zip(x, z, labels, strict=True):
        p = softmax([value / temperature for value in student])
        q = softmax([value / temperature for value in teacher])
        divergence = sum(b * math.log(b / a) for a, b in zip(p, q, strict=True))
        total += alpha * temperature**2 * divergence - (1 - alpha) * math.log(softmax(student)[label])
    return total / len(x)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_against_the_definition(rng, temperature, alpha):
    x, z = rng.normal(size=(2, 4, 3)) * 3
    loss = distillation_loss(x, z, LABELS, temperature, alpha)
    assert loss.item() == pytest.approx(by_definition(x, z, LABELS, temperature, alpha), rel=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_alpha_0_is_cross_entropy(rng, smoothing):
    x, z = rng.normal(size=(2, 4, 3))
    mine = distillation_loss(x, z, LABELS, alpha=0.0, label_smoothing=smoothing)
    assert mine.item() == pytest.approx(cross_entropy(x, LABELS, label_smoothing=smoothing).item(), rel=1e-12)


def test_the_teacher_itself_has_nothing_to_learn(rng):
    z = rng.normal(size=(4, 3)) * 5
    assert distillation_loss(z, z, LABELS, alpha=1.0).item() == pytest.approx(0, abs=1e-12)
    loss = DistillationLoss(alpha=1.0)
    loss(z, (LABELS, z))
    np.testing.assert_allclose(loss.backward().array, 0, atol=1e-12)


@pytest.mark.parametrize("settings", [(4.0, 0.9), (1.0, 0.5, 0.1), (0.7, 0.0), (2.0, 1.0)])
@pytest.mark.parametrize("more", [(), (2, 3)])
def test_the_rule(rng, settings, more):
    x, z = rng.normal(size=(2, 4, 3, *more))
    labels = rng.integers(0, 3, (4, *more))

    class OfTheStudent(DistillationFunction):
        """The others are constants."""

        def forward(self, x):
            return super().forward(x, z, labels)

        def backward(self, grad):
            return super().backward(grad)[0]

        def composite(self, x):
            return super().composite(x, z, labels)

    check_rule(lambda: OfTheStudent(*settings), x)
    function = OfTheStudent(*settings)
    assert function.composite(Tensor(x)).item() == pytest.approx(function(Tensor(x)).item(), rel=1e-10)


def test_large_logits_and_classes_ruled_out():
    x = np.array([[1e4, -1e4, 0.0]], np.float32)
    z = np.array([[0.0, -np.inf, 1.0]], np.float32)
    loss = DistillationLoss(2.0, 0.5)
    value = loss(x, (np.array([0]), z))
    assert value.dtype == np.float32 and np.isfinite(value.item())
    grad = loss.backward().array
    assert grad.dtype == np.float32 and np.isfinite(grad).all()


def test_float16_comes_back_and_no_rows_are_nan():
    loss = DistillationLoss()
    x = np.ones((2, 3), np.float16)
    assert loss(x, (np.array([0, 1]), x)).dtype == np.float16
    assert loss.backward().dtype == np.float16
    assert math.isnan(loss(np.zeros((0, 3)), (np.zeros(0, int), np.zeros((0, 3)))).item())
    assert loss.backward().shape == (0, 3)


def test_bad_arguments(rng):
    x = rng.normal(size=(4, 3))
    for temperature in (0, -1.0, float("inf"), float("nan"), "hot", True):
        with pytest.raises(ArgumentError, match="temperature"):
            distillation_loss(x, x, LABELS, temperature)
    for alpha in (-0.1, 1.1, None):
        with pytest.raises(ArgumentError, match="alpha"):
            distillation_loss(x, x, LABELS, alpha=alpha)
    with pytest.raises(ShapeError, match=r"\(4, 3\), the teacher \(4, 2\)"):
        distillation_loss(x, x[:, :2], LABELS)
    with pytest.raises(ShapeError, match=r"classes of shape \(4,\), not \(3,\)"):
        distillation_loss(x, x, LABELS[:3])
    with pytest.raises(ShapeError, match="floats of shape"):
        distillation_loss(x[0], x[0], LABELS)
    with pytest.raises(DTypeError, match="floats"):
        distillation_loss(x.astype(int), x, LABELS)
    with pytest.raises(IndexingError, match="is 3, but there are 3 classes"):
        distillation_loss(x, x, LABELS + 1)
    with pytest.raises(GradientError, match="constant"):
        distillation_loss(x, Tensor(x, requires_grad=True), LABELS)
    with pytest.raises(ArgumentError, match="a pair"):
        DistillationLoss()(x, LABELS)
    recipe = Distillation(tt_nn.Linear(2, 3))
    with pytest.raises(ArgumentError, match="was not asked"):
        recipe.loss(Tensor(x), LABELS)
    with pytest.raises(ArgumentError, match="a pair"):
        recipe.forward(tt_nn.Linear(2, 3), x)
    with pytest.raises(DTypeError, match="a Module"):
        Distillation(None)


def test_soft_targets_are_the_teachers_logits(mlp, rng):
    teacher = tt_nn.Sequential(mlp(), tt_nn.Dropout(0.5))
    x = rng.normal(size=(7, 4)).astype(np.float32)
    expected = teacher.eval()(x).array
    for batch in (1, 3, 7, 100):
        teacher.train()
        np.testing.assert_allclose(soft_targets(teacher, x, batch), expected, rtol=1e-5, atol=1e-6)
    assert soft_targets(teacher, x[:0]).shape == (0, 3)
    with pytest.raises(ArgumentError, match="batch"):
        soft_targets(teacher, x, 0)


def test_the_recipe_is_the_loss_with_the_teachers_logits(mlp, rng):
    teacher, student = mlp(1), mlp(2)
    x = rng.normal(size=(4, 4)).astype(np.float32)
    recipe = Distillation(teacher, 3.0, 0.7)
    outputs, labels = recipe.forward(student, (Tensor(x), Tensor(LABELS)))
    value = recipe.loss(outputs, labels).item()
    z = teacher(x).array
    assert value == pytest.approx(by_definition(student(x).array, z, LABELS, 3.0, 0.7), rel=1e-5)
    assert repr(recipe) == "Distillation(Sequential, temperature=3.0, alpha=0.7, label_smoothing=0.0)"
    assert recipe.loss.count(outputs, labels) == 4
