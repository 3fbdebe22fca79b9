"""Training: what it learns, what it keeps, and that an interrupt changes nothing."""

from __future__ import annotations

import io
import json
import math
import os
import signal

import numpy as np
import pytest

from milestone_kit import UsageError
from milestone_kit.progress import Progress
from milestone_kit.screen import Screen
from milestone_kit.training import Live
from milestone_spirals.networks import network, probabilities
from milestone_spirals.training import Plan, train_linear, train_network
from tt_optim.training import CheckpointStore, Interrupted

PLAN = Plan(epochs=6, lr=0.01)

posix_signals = pytest.mark.skipif(os.name == "nt", reason="Windows delivers Ctrl-C to a whole console")


def train(small, folder, plan=PLAN, seed=1, resume=False):
    with Progress(Screen(io.StringIO(), quiet=True), plan.steps(small), "training") as bar:
        return train_network(small, seed, plan, folder, bar, resume)


def weights(result):
    return [parameter.numpy().copy() for parameter in result.model.parameters()]


@pytest.fixture
def interrupt(monkeypatch):
    """Send this process a signal after a step."""
    real = Live.on_step_end

    def at(step, number=signal.SIGINT):
        def watched(live, trainer):
            real(live, trainer)
            if trainer.step == step:
                os.kill(os.getpid(), number)

        monkeypatch.setattr(Live, "on_step_end", watched)

    yield at
    monkeypatch.setattr(Live, "on_step_end", real)


def test_the_linear_model_stays_between_a_third_and_a_half(points):
    result = train_linear(points, 0)
    assert 33 < result.accuracy < 50
    losses = result.history["loss"]
    assert abs(losses[-1] - losses[-2]) < 0.01 < losses[0] - losses[-1]


def test_no_linear_model_does_much_better(points):
    """The best of very many, on all points of the largest part: the loss is not to blame."""
    places, arms = points.held_out.places.astype(float), points.held_out.arms
    generator = np.random.default_rng(0)
    best = 0.0
    for _ in range(3000):
        logits = places @ generator.normal(size=(2, 3)) + generator.normal(0, 0.5, 3)
        best = max(best, float((logits.argmax(axis=1) == arms).mean()))
    assert 0.4 < best < 0.5


@posix_signals
@pytest.mark.parametrize("step", [1, 8, 10, 15, 17])
def test_an_interrupted_run_goes_on_bit_for_bit(step, small, tmp_path, interrupt):
    plan = Plan(epochs=6, lr=0.01)  # of three batches
    whole = train(small, tmp_path / "whole", plan)
    interrupt(step)
    with pytest.raises(Interrupted, match=f"after step {step}; go on with --resume"):
        train(small, tmp_path / "parts", plan)
    interrupt(-1)
    parts = train(small, tmp_path / "parts", plan, resume=True)
    for one, other in zip(weights(whole), weights(parts), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(whole.right, parts.right)
    assert whole.best_step == parts.best_step
    assert [frame.title for frame in whole.frames] == [frame.title for frame in parts.frames]
    for one, other in zip(whole.frames, parts.frames, strict=True):
        np.testing.assert_array_equal(one.probability, other.probability)
    lines = [[{**record, "seconds": 0} for record in result.history] for result in (whole, parts)]
    assert lines[0] == lines[1]


@posix_signals
def test_the_interrupt_says_which_signal_it_was(small, tmp_path, interrupt):
    interrupt(4, signal.SIGTERM)
    with pytest.raises(Interrupted) as stop:
        train(small, tmp_path)
    assert stop.value.code == 143
    assert CheckpointStore(tmp_path).newest().name == "step-00000004.safetensors"


def test_the_best_weights_are_those_of_the_least_loss_on_the_points_to_choose_by(small, tmp_path):
    result = train(small, tmp_path, Plan(epochs=40, lr=0.05))
    steps, losses = result.history.column("val_loss")
    assert result.best_step == steps[int(np.argmin(losses))]
    shares = probabilities(result.model, small.choose.places)
    loss = -np.log(shares[np.arange(len(small.choose)), small.choose.arms]).mean()
    assert math.isclose(loss, min(losses), rel_tol=1e-4)


def test_points_that_are_held_out_change_nothing_in_the_training(small, tmp_path):
    from dataclasses import replace

    other = replace(small, held_out=small.train)
    one, two = train(small, tmp_path / "one"), train(other, tmp_path / "two")
    for a, b in zip(weights(one), weights(two), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_new_run_takes_the_place_of_the_one_before_and_of_nothing_else(small, tmp_path):
    train(small, tmp_path)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    train(small, tmp_path, Plan(epochs=2, lr=0.01), seed=2)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"notes.txt", "history.jsonl", "step-00000006.safetensors"} | {
        path.name for path in CheckpointStore(tmp_path).checkpoints()
    }
    lines = (tmp_path / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [3, 6]


@pytest.mark.parametrize(
    ("plan", "seed"),
    [
        (Plan(epochs=7, lr=0.01), 1),
        (Plan(epochs=6, lr=0.02), 1),
        (Plan(epochs=6, lr=0.01, batch=40), 1),
        (PLAN, 2),
    ],
    ids=["epochs", "lr", "batch", "seed"],
)
def test_another_run_is_not_gone_on_with(plan, seed, small, tmp_path):
    train(small, tmp_path)
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())
    with pytest.raises(UsageError, match="give the options that it was started with"):
        train(small, tmp_path, plan, seed, resume=True)
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before


@pytest.mark.filterwarnings("ignore::tt_optim.training.CheckpointWarning")
def test_checkpoints_of_which_none_is_good_are_a_clear_error(small, tmp_path):
    train(small, tmp_path)
    for path in CheckpointStore(tmp_path).checkpoints():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"no checkpoint in .* is good"):
        train(small, tmp_path, resume=True)


def test_resume_with_nothing_there_begins_anew(small, tmp_path):
    one, other = train(small, tmp_path / "a"), train(small, tmp_path / "b", resume=True)
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_what_diverges_has_no_accuracy(small, tmp_path):
    result = train(small, tmp_path, Plan(epochs=6, lr=1e30))
    assert math.isnan(result.accuracy)
    assert math.isnan(result.seconds)
    assert "is nan" in result.diverged or "is inf" in result.diverged
    assert not CheckpointStore(tmp_path).checkpoints()


def test_a_rate_of_zero_learns_nothing(small, tmp_path):
    result = train(small, tmp_path, Plan(epochs=2, lr=0.0))
    for one, other in zip(result.model.parameters(), network(1).parameters(), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
