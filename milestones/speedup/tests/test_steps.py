"""A training step goes up the ladder: each rung on its kernels, with the gradients of the first."""

import dataclasses

import numpy as np
import pytest

from milestone_speedup import steps, tasks
from tt_nn import shards
from tt_tensor import kernels


def climb(task, minute=0.0):
    seen = []
    ladder = steps.climb(task, 0.01, minute, 1e-4, lambda ladder, rung: seen.append(rung))
    assert seen == ladder.rungs
    return ladder


def test_every_rung_has_the_gradients_of_the_loops(small):
    before = kernels.preferred(), shards.get_num_threads()
    ladder = climb(small)
    assert [rung.name.split(",")[0] for rung in ladder.rungs] == [
        "loops in Python",
        "whole arrays in NumPy",
        "the same",
        "compiled kernels",
    ]
    assert ladder.rungs[0].error is None
    assert ladder.worst_error <= 1e-6
    assert all(rung.seconds > 0 for rung in ladder.rungs)
    assert (kernels.preferred(), shards.get_num_threads()) == before


def test_the_loops_get_as_many_rows_as_fit(small):
    assert climb(small, minute=0.0).rungs[0].note == "on 1 rows"
    assert climb(small, minute=1e3).rungs[0].note == "on 8 rows"


@pytest.mark.parametrize("wrong", [np.nan, 1.5])
def test_a_wrong_kernel_shows_as_an_error(small, monkeypatch, wrong):
    right = small.loss

    def loss(model, x, y):
        found = right(model, x, y)
        return found if kernels.kernel("matmul") is kernels.kernel("matmul", "loops") else found * wrong

    ladder = climb(dataclasses.replace(small, loss=loss))
    assert not ladder.worst_error <= 0.4


def test_the_tasks_make_the_same_model_each_time():
    for task in (tasks.tinygpt(3), tasks.cifar(3)):
        states = [task.make()[0].state_dict() for _ in range(2)]
        for name, values in states[0].items():
            np.testing.assert_array_equal(values.numpy(), states[1][name].numpy())
        assert len(task.inputs) == len(task.targets)


def test_tinygpt_is_the_network_of_its_milestone():
    model, _ = tasks.tinygpt(0).make()
    assert sum(p.size for p in model.parameters()) == 804_096


def test_noise_stands_in_for_images_that_are_not_here(monkeypatch):
    def nowhere(**options):
        raise tasks.DatasetError("CIFAR10: not found")

    monkeypatch.setattr(tasks, "CIFAR10", nowhere)
    task = tasks.cifar(1)
    assert "noise of the same shape" in task.note
    assert task.inputs.shape == (128, 3, 32, 32)
    assert task.inputs.dtype == np.float32
