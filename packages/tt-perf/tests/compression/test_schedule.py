"""The cubic schedule, and pruning along it."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from tt_perf.compression import GradualPruning, cubic_sparsity
from tt_tensor.errors import ArgumentError, DTypeError


def test_the_formula():
    for step in range(30):
        t = min(max((step - 5) / 20, 0), 1)
        assert cubic_sparsity(step, 5, 25, 0.8, 0.2) == pytest.approx(0.8 + (0.2 - 0.8) * (1 - t) ** 3)
    assert cubic_sparsity(4, 5, 25, 0.8) == 0.0
    assert cubic_sparsity(3, 3, 3, 0.8) == 0.8
    values = [cubic_sparsity(step, 0, 100, 0.9) for step in range(120)]
    assert values == sorted(values) and values[100] == values[-1] == 0.9


def test_it_prunes_every_so_often_and_never_lets_go(mlp, rng):
    model = mlp()
    callback = GradualPruning(model, 0.8, begin=2, end=12, every=5)
    gone = {name: ~mask for name, mask in callback.masks.items()}
    sparsities = []
    for step in range(1, 16):
        for parameter in model.parameters():
            parameter.write(parameter.array + rng.normal(size=parameter.shape))
        callback.on_step_end(SimpleNamespace(step=step))
        for name, mask in callback.masks.items():
            assert not (mask & gone[name]).any()
            gone[name] = ~mask
            assert not model.get_parameter(name).array[~mask].any()
        sparsities.append(callback.masks.sparsity)
    changes = [step for step, (a, b) in enumerate(pairwise(sparsities), 2) if a != b]
    assert changes == [7, 12]
    assert sparsities[6] == pytest.approx(cubic_sparsity(7, 2, 12, 0.8), abs=0.01)
    assert sparsities[-1] == pytest.approx(0.8, abs=0.01)


def test_the_end_counts_even_between_two_prunings(mlp):
    callback = GradualPruning(mlp(), 0.5, begin=0, end=7, every=5)
    callback.on_step_end(SimpleNamespace(step=7))
    assert callback.masks.sparsity == 0.5


def test_it_remembers(mlp):
    first = GradualPruning(mlp(), 0.5, begin=0, end=1)
    first.on_step_end(SimpleNamespace(step=1))
    model = mlp(seed=1)
    second = GradualPruning(model, 0.5, begin=0, end=1)
    second.load_state_dict(first.state_dict())
    second.on_fit_start(None)
    assert all(np.array_equal(second.masks[name], first.masks[name]) for name in first.masks)
    assert (model[0].weight.array == 0).sum() == 20


def test_a_schedule_of_ones_own(mlp):
    callback = GradualPruning(mlp(), 0.5, begin=0, end=10, every=1, schedule=lambda step: step / 20)
    callback.on_step_end(SimpleNamespace(step=4))
    assert callback.masks.sparsity == pytest.approx(0.2, abs=0.01)


def test_bad_arguments(mlp):
    for options in (
        {"final": 1.5, "end": 10},
        {"final": 0.5, "end": 10, "begin": 11},
        {"final": 0.5, "end": 10, "every": 0},
        {"final": 0.5, "end": 10, "scope": "all"},
        {"final": 0.5, "end": 10, "layers": ["9"]},
        {"final": 0.5, "end": 10, "initial": -1},
        {"final": 0.5, "end": 2.5},
    ):
        with pytest.raises(ArgumentError):
            GradualPruning(mlp(), **options)
    with pytest.raises(DTypeError, match="a Module"):
        GradualPruning(None, 0.5, end=1)
