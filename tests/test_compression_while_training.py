"""What compression gives to a Trainer: callbacks that hold zeros, a loss with a teacher, codebooks that learn."""

import numpy as np
import pytest

import tt_nn
import tt_optim
import tt_tensor
from tt_optim import training
from tt_perf.compression import (
    Distillation,
    DistillationLoss,
    GradualPruning,
    KeepMasks,
    cluster,
    distillation_loss,
    prune_magnitude,
)
from tt_tensor import Tensor


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def mlp():
    """4-10-6-3, with its own seed."""

    def make(seed=0):
        with tt_tensor.drawing_from(tt_tensor.Generator(seed)):
            return tt_nn.Sequential(
                tt_nn.Linear(4, 10), tt_nn.Tanh(), tt_nn.Linear(10, 6), tt_nn.ReLU(), tt_nn.Linear(6, 3)
            )

    return make


@pytest.fixture
def batches(rng):
    x = rng.normal(size=(64, 4)).astype(np.float32)
    y = (x @ rng.normal(size=(4, 3))).argmax(axis=1)
    return [(Tensor(x[at : at + 8]), Tensor(y[at : at + 8])) for at in range(0, 64, 8)]


def trainer_of(model, loss=None, callbacks=(), **options):
    optimizer = tt_optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    return training.Trainer(
        model, loss or tt_nn.CrossEntropyLoss(), optimizer, callbacks=callbacks, progress=False, **options
    )


def test_masks_hold_through_training(mlp, batches):
    model = mlp()
    before = model[2].weight.array.copy()
    masks = prune_magnitude(model, 0.5)
    trainer_of(model, callbacks=[KeepMasks(masks)]).fit(batches, epochs=2)
    for name, mask in masks.items():
        weight = model.get_parameter(name).array
        assert not weight[~mask].any() and weight[mask].all()
    assert not np.array_equal(model[2].weight.array[masks["2.weight"]], before[masks["2.weight"]])


def test_without_the_callback_they_do_not(mlp, batches):
    model = mlp()
    masks = prune_magnitude(model, 0.5)
    trainer_of(model).fit(batches, epochs=1)
    assert model[0].weight.array[~masks["0.weight"]].any()


def test_gradual_pruning_ends_where_it_should(mlp, batches):
    model = mlp()
    pruning = GradualPruning(model, 0.75, begin=2, end=12, every=2)
    trainer_of(model, callbacks=[pruning]).fit(batches, epochs=2)
    zeros = [int((model[at].weight.array == 0).sum()) for at in (0, 2, 4)]
    assert zeros == [30, 45, round(18 * 0.75)]


def test_a_resume_goes_on_bit_for_bit(mlp, batches, tmp_path):
    def run(folder, epochs, resume):
        model = mlp()
        pruning = GradualPruning(model, 0.75, begin=2, end=12, every=3)
        trainer = trainer_of(model, callbacks=[pruning], checkpoints=folder, seed=0)
        trainer.fit(batches, epochs=epochs, resume=resume)
        return model, pruning

    whole, first = run(tmp_path / "whole", 2, False)
    run(tmp_path / "parts", 1, False)
    parts, second = run(tmp_path / "parts", 2, True)
    for name, tensor in whole.state_dict().items():
        assert np.array_equal(tensor.array, parts.state_dict()[name].array)
    assert all(np.array_equal(first.masks[name], second.masks[name]) for name in first.masks)


def test_a_student_comes_near_its_teacher(mlp, batches):
    teacher, student = mlp(1), mlp(2)
    recipe = Distillation(teacher, temperature=2.0, alpha=1.0)
    trainer = trainer_of(student, recipe.loss, forward=recipe.forward, metrics=[training.Accuracy()])
    before = trainer.evaluate(batches)
    teachers = [p.array.copy() for p in teacher.parameters()]
    trainer.fit(batches, batches, epochs=15)
    after = trainer.evaluate(batches)
    assert after["loss"] < 0.1 * before["loss"]
    assert 0 <= after["accuracy"] <= 1
    assert all(np.array_equal(a, p.array) for a, p in zip(teachers, teacher.parameters(), strict=True))
    assert all(p.grad is None for p in teacher.parameters())


@pytest.mark.parametrize("shards", [1, 2])
def test_the_recipe_is_the_same_with_logits_brought_along(mlp, batches, shards):
    teacher = mlp(1).eval()
    online, offline = mlp(2), mlp(2)
    recipe = Distillation(teacher, 3.0, 0.6)
    trainer_of(online, recipe.loss, forward=recipe.forward, shards=shards).fit(batches, epochs=1)
    with_logits = [(x, (y, Tensor(teacher(x).array))) for x, y in batches]
    trainer_of(offline, DistillationLoss(3.0, 0.6)).fit(with_logits, epochs=1)
    for a, b in zip(online.parameters(), offline.parameters(), strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-4, atol=1e-6)


def test_accumulated_gradients_are_those_of_the_large_batch(mlp, batches):
    teacher = mlp(1).eval()
    recipe = Distillation(teacher)
    uneven = [(batches[0][0][:3], batches[0][1][:3]), (batches[0][0][3:], batches[0][1][3:])]
    one, two = mlp(2), mlp(2)
    trainer_of(one, recipe.loss, forward=recipe.forward).fit([batches[0]], steps=1)
    trainer_of(two, recipe.loss, forward=recipe.forward, accumulate=2).fit(uneven, steps=1)
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-5, atol=1e-7)


def test_the_gradient_of_the_tape_is_that_by_hand(mlp, rng):
    x, z = rng.normal(size=(2, 5, 3))
    labels = rng.integers(0, 3, 5)
    leaf = Tensor(x, requires_grad=True)
    distillation_loss(leaf, z, labels, 2.0, 0.4).backward()
    p, q, plain = (np.exp(a) / np.exp(a).sum(axis=1, keepdims=True) for a in (x / 2, z / 2, x))
    expected = (0.4 * 2 * (p - q) + 0.6 * (plain - np.eye(3)[labels])) / 5
    np.testing.assert_allclose(leaf.grad.array, expected, rtol=1e-9, atol=1e-12)


def test_a_codebook_learns_the_sum_of_its_weights_gradients(mlp, batches):
    x, y = batches[0]
    small = cluster(mlp(), 4)
    dense = mlp()
    for at in (0, 2, 4):
        dense[at].weight.write(small[at].dense())
    loss = tt_nn.CrossEntropyLoss()
    loss(small(x), y).backward()
    loss(dense(x), y).backward()
    for at in (0, 2, 4):
        index, grad = small[at].index, dense[at].weight.grad.array
        sums = [grad[index == value].sum() for value in range(4)]
        np.testing.assert_allclose(small[at].codebook.grad.array, sums, rtol=1e-4, atol=1e-6)
    index = small[0].index.copy()
    trainer = trainer_of(small)
    before = trainer.evaluate(batches)["loss"]
    trainer.fit(batches, epochs=3)
    assert trainer.evaluate(batches)["loss"] < before
    assert np.array_equal(small[0].index, index) and len(np.unique(small[0].dense())) <= 4
