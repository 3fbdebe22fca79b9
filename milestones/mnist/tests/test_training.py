"""Training: what it learns, what it keeps, and that an interrupt changes nothing."""

from __future__ import annotations

import json
import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from milestone_kit import UsageError
from milestone_kit.training import Live
from milestone_mnist.images import batches
from milestone_mnist.networks import cnn_of, logits, mlp_of
from milestone_mnist.training import Plan, images_per_second
from milestone_mnist.watching import Stopwatch
from tt_optim.training import CheckpointStore, Interrupted

PLAN = Plan(epochs=4, lr=0.01, batch=24)  # three steps an epoch

posix_signals = pytest.mark.skipif(os.name == "nt", reason="Windows delivers Ctrl-C to a whole console")


def weights(result):
    return [tensor.numpy().copy() for tensor in result.model.state_dict().values()]


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


@posix_signals
@pytest.mark.parametrize("kind", [mlp_of, cnn_of])
@pytest.mark.parametrize("step", [1, 3, 8, 12])
def test_an_interrupted_run_goes_on_bit_for_bit(step, kind, small, trained, tmp_path, interrupt):
    """Weights, running means, figures: in mid-epoch, at its end, and after the last step."""
    network = kind(small)
    whole = trained(tmp_path / "whole", PLAN, network)
    interrupt(step)
    with pytest.raises(Interrupted, match=f"after step {step}; go on with --resume"):
        trained(tmp_path / "parts", PLAN, network)
    interrupt(-1)
    parts = trained(tmp_path / "parts", PLAN, network, resume=True)
    for one, other in zip(weights(whole), weights(parts), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(whole.logits, parts.logits)
    assert whole.best_step == parts.best_step
    lines = [[{**record, "seconds": 0} for record in result.history] for result in (whole, parts)]
    assert lines[0] == lines[1]


@posix_signals
def test_the_interrupt_says_which_signal_it_was(trained, tmp_path, interrupt):
    interrupt(4, signal.SIGTERM)
    with pytest.raises(Interrupted) as stop:
        trained(tmp_path)
    assert stop.value.code == 143
    assert CheckpointStore(tmp_path).newest().name == "step-00000004.safetensors"


def test_the_best_weights_are_those_of_the_least_loss_on_the_images_to_choose_by(small, trained, tmp_path):
    result = trained(tmp_path, replace(PLAN, epochs=12, lr=0.03))
    steps, losses = result.history.column("val_loss")
    assert result.best_step == steps[int(np.argmin(losses))]
    (x, y), *_ = batches(small.choose)
    result.model.eval()
    said = result.model(x).numpy().astype(float)
    loss = np.log(np.exp(said).sum(axis=1)) - said[np.arange(len(said)), y.numpy()]
    assert math.isclose(loss.mean(), min(losses), rel_tol=1e-4)


def test_what_is_right_is_what_the_largest_logit_says(small, trained, tmp_path):
    result = trained(tmp_path)
    np.testing.assert_array_equal(result.logits, logits(result.model, small, small.test.data))
    right = [
        int(np.argmax(row)) == label for row, label in zip(result.logits, small.test.targets, strict=True)
    ]
    assert result.right.tolist() == right
    assert math.isclose(result.accuracy, 100 * sum(right) / 30)


def test_test_images_change_nothing_in_the_training(small, trained, tmp_path):
    other = replace(
        small, test=type(small.test)(255 - small.test.data, small.test.targets, small.test.classes)
    )
    one, two = trained(tmp_path / "one"), trained(tmp_path / "two", of=other)
    for a, b in zip(weights(one), weights(two), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_new_run_takes_the_place_of_the_one_before_and_of_nothing_else(trained, tmp_path):
    trained(tmp_path)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    trained(tmp_path, replace(PLAN, epochs=2), seed=2)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"notes.txt", "history.jsonl", "step-00000006.safetensors"} | {
        path.name for path in CheckpointStore(tmp_path).checkpoints()
    }
    lines = (tmp_path / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [3, 6]


@pytest.mark.parametrize(
    ("plan", "seed"),
    [
        (replace(PLAN, epochs=5), 1),
        (replace(PLAN, lr=0.02), 1),
        (replace(PLAN, epochs=3, batch=17), 1),  # as many steps
        (PLAN, 2),
    ],
    ids=["epochs", "lr", "batch", "seed"],
)
def test_another_run_is_not_gone_on_with(plan, seed, trained, tmp_path):
    trained(tmp_path)
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())
    with pytest.raises(UsageError, match="give the options that it was started with"):
        trained(tmp_path, plan, seed=seed, resume=True)
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before


def test_another_network_is_not_gone_on_with(small, trained, tmp_path):
    trained(tmp_path)
    with pytest.raises(UsageError, match="give the options that it was started with"):
        trained(tmp_path, network=mlp_of(small), resume=True)


@pytest.mark.filterwarnings("ignore::tt_optim.training.CheckpointWarning")
def test_checkpoints_of_which_none_is_good_are_a_clear_error(trained, tmp_path):
    trained(tmp_path)
    for path in CheckpointStore(tmp_path).checkpoints():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"no checkpoint in .* is good"):
        trained(tmp_path, resume=True)


def test_resume_with_nothing_there_begins_anew(trained, tmp_path):
    one, other = trained(tmp_path / "a"), trained(tmp_path / "b", resume=True)
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_what_diverges_has_no_accuracy(small, trained, tmp_path):
    result = trained(tmp_path, replace(PLAN, lr=1e30), mlp_of(small))
    assert math.isnan(result.accuracy)
    assert math.isnan(result.seconds)
    assert "nan" in result.diverged or "inf" in result.diverged


def test_a_rate_of_zero_learns_nothing(small, trained, tmp_path):
    result = trained(tmp_path, replace(PLAN, epochs=2, lr=0.0))
    for one, other in zip(result.model.parameters(), cnn_of(small).make(1).parameters(), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_a_stopwatch_stops_and_tells_what_a_quick_step_takes(small):
    watch = Stopwatch(10.0)
    watch.ends = [0.0, 1.0, 1.1, 1.2, 1.3, 9.0]
    assert math.isclose(watch.step_seconds, 0.1, rel_tol=1e-6)
    for batch in (1, 24):
        assert 1 < images_per_second(mlp_of(small), small, 0, PLAN, batch, 0.01) < 1e7


def test_batches_are_several_times_as_fast_as_single_images(problem):
    """A step of 64 images takes less than half of 64 steps of one; on a busy machine it may take three tries to see."""
    network = cnn_of(problem)
    rates = [[images_per_second(network, problem, 0, PLAN, size, 0.1) for size in (1, 64)] for _ in range(3)]
    assert max(many / single for single, many in rates) > 2
