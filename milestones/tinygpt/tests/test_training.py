"""Training: what it learns, what it keeps, and that an interrupt changes nothing."""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from milestone_kit import UsageError
from milestone_kit.training import Live
from milestone_tinygpt import watching
from milestone_tinygpt.corpus import Corpus, whole
from milestone_tinygpt.networks import network
from milestone_tinygpt.watching import Reached, Speed
from tt_optim.training import CheckpointStore, Interrupted

posix_signals = pytest.mark.skipif(os.name == "nt", reason="Windows delivers Ctrl-C to a whole console")


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


def lines(result):
    return [{**record, "seconds": 0} for record in result.history]


@posix_signals
@pytest.mark.parametrize(
    ("step", "other"),
    [
        (1, {}),
        (10, {"dropout": 0.2}),
        (17, {"optimizer": "muon"}),
        (23, {"architecture": "llama", "ema": 0.9, "dropout": 0.1}),
        (40, {}),
    ],
    ids=["default", "dropout", "muon", "llama-ema", "end"],
)
def test_an_interrupted_run_goes_on_bit_for_bit(step, other, tiny, trained, tmp_path, interrupt, weights):
    """Weights, losses, lines of the history: in mid-pass, at its end, and after the last step."""
    recipe = replace(tiny, **other)
    full = trained(tmp_path / "whole", recipe)
    interrupt(step)
    with pytest.raises(Interrupted, match=f"after step {step}; go on with --resume"):
        trained(tmp_path / "parts", recipe)
    interrupt(-1)
    parts = trained(tmp_path / "parts", recipe, resume=True)
    for one, other_one in zip(weights(full), weights(parts), strict=True):
        np.testing.assert_array_equal(one, other_one)
    assert (full.loss, full.estimate, full.reached_step) == (parts.loss, parts.estimate, parts.reached_step)
    assert lines(full) == lines(parts)


@posix_signals
def test_the_interrupt_says_which_signal_it_was(trained, tmp_path, interrupt):
    interrupt(4, signal.SIGTERM)
    with pytest.raises(Interrupted) as stop:
        trained(tmp_path)
    assert stop.value.code == 143
    assert CheckpointStore(tmp_path).newest().name == "step-00000004.safetensors"


def test_the_loss_is_the_mean_over_every_target_of_the_whole_split(trained, small, tiny, tmp_path):
    result = trained(tmp_path)
    total, count = 0.0, 0
    for x, y in whole(small.val, tiny.judged_in):
        said = result.model(x).numpy().astype(float)
        said -= said.max(axis=-1, keepdims=True)
        chances = np.exp(said) / np.exp(said).sum(axis=-1, keepdims=True)
        total -= np.log(np.take_along_axis(chances, y.numpy()[..., None], -1)).sum()
        count += y.size
    assert count == len(small.val) - 1
    assert math.isclose(result.loss, total / count, rel_tol=1e-5)


def test_it_learns_and_says_when_it_was_there(trained, tmp_path):
    result = trained(tmp_path)
    assert result.loss < 3.5
    assert 0 < result.reached_step <= 40
    assert 0 < result.reached_seconds <= result.seconds
    assert result.tokens_per_second > 0
    steps, losses = result.history.column("val_loss")
    assert steps == [10, 20, 30, 40]
    assert losses[-1] < losses[0]


def test_what_comes_next_is_what_is_learned(trained, small, tmp_path):
    """A text in which each token says which comes next is learned by heart; one that is thrown like dice is not."""
    order = np.arange(20_000) % 65
    dice = np.random.default_rng(0).integers(0, 65, 20_000)
    known, unknown = (
        trained(tmp_path / name, of=Corpus(small.tokenizer, text, text[:1001], 1000, small.lines))
        for name, text in (("known", order), ("unknown", dice))
    )
    assert known.loss < 1
    assert unknown.loss > 4.1


def test_the_validation_split_changes_nothing_in_the_training(trained, small, tmp_path, weights):
    other = Corpus(small.tokenizer, small.train, small.val[::-1].copy(), small.characters, small.lines)
    one, two = trained(tmp_path / "one"), trained(tmp_path / "two", of=other)
    assert one.loss != two.loss
    for a, b in zip(weights(one), weights(two), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_new_run_takes_the_place_of_the_one_before_and_of_nothing_else(trained, tiny, tmp_path):
    trained(tmp_path)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    trained(tmp_path, replace(tiny, steps=20), seed=2)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"notes.txt", "history.jsonl", "step-00000020.safetensors"}


@pytest.mark.parametrize(
    ("changes", "seed"),
    [
        ({"steps": 50}, 1),
        ({"lr": 0.02}, 1),
        ({"batch": 7}, 1),
        ({"schedule": "linear"}, 1),
        ({"optimizer": "muon"}, 1),
        ({"width": 16}, 1),
        ({"ema": 0.9}, 1),
        ({}, 2),
    ],
    ids=lambda value: "-".join(value) or "seed" if isinstance(value, dict) else str(value),
)
def test_another_run_is_not_gone_on_with(changes, seed, trained, tiny, tmp_path):
    trained(tmp_path)
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())
    with pytest.raises(UsageError, match="give the options that it was started with"):
        trained(tmp_path, replace(tiny, **changes), seed=seed, resume=True)
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before


@pytest.mark.filterwarnings("ignore::tt_optim.training.CheckpointWarning")
def test_checkpoints_of_which_none_is_good_are_a_clear_error(trained, tmp_path):
    trained(tmp_path)
    for path in CheckpointStore(tmp_path).checkpoints():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"no checkpoint in .* is good"):
        trained(tmp_path, resume=True)


def test_resume_with_nothing_there_begins_anew(trained, tmp_path, weights):
    one, other = trained(tmp_path / "a"), trained(tmp_path / "b", resume=True)
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_what_diverges_has_no_loss(trained, tiny, tmp_path):
    result = trained(tmp_path, replace(tiny, lr=1e30))
    assert math.isnan(result.loss)
    assert math.isnan(result.seconds)
    assert "nan" in result.diverged or "inf" in result.diverged


def test_a_rate_of_zero_learns_nothing(trained, tiny, tmp_path):
    result = trained(tmp_path, replace(tiny, lr=0.0, steps=10))
    for one, other in zip(result.model.parameters(), network(tiny, 65, 1).parameters(), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert abs(result.loss - math.log(65)) < 0.1


def test_the_average_is_what_is_judged_and_kept(trained, tiny, tmp_path, weights):
    plain, averaged = trained(tmp_path / "a"), trained(tmp_path / "b", replace(tiny, ema=0.99))
    assert averaged.loss != plain.loss
    assert any(not np.array_equal(a, b) for a, b in zip(weights(plain), weights(averaged), strict=True))
    assert averaged.history.column("loss", "step") == plain.history.column("loss", "step")


class Standing:
    """What the callbacks ask of a Trainer."""

    step, seconds = 250, 12.5


def test_the_clock_is_read_once_and_only_where_the_whole_split_agrees():
    measured = iter([1.89, 1.88, 0.0])

    def measure():
        time.sleep(0.01)
        return next(measured)

    reached = Reached(1.88, measure)
    for estimate, step in ((1.95, 0), (1.87, 0), (1.90, 250), (1.0, 250)):
        reached.on_evaluate_end(Standing(), {"val_loss": estimate})
        assert reached.step == step
    assert 12 < reached.seconds < 12.5  # without the look before
    assert reached.last == (250, 1.88)
    other = Reached(1.88, lambda: 9.0)
    assert math.isnan(other.seconds)
    other.load_state_dict(reached.state_dict())
    assert (other.step, other.seconds, other.looked) == (250, reached.seconds, reached.looked)


def test_looks_on_the_way_change_nothing(trained, tmp_path, monkeypatch, weights):
    plain = trained(tmp_path / "plain")
    monkeypatch.setattr(watching, "NEAR", 100.0)
    real = Reached.on_evaluate_end

    def always(reached, trainer, results):
        reached.bar = 0.0
        real(reached, trainer, results)

    monkeypatch.setattr(Reached, "on_evaluate_end", always)
    other = trained(tmp_path / "other")
    assert other.loss == plain.loss
    assert other.reached_step == 0
    for one, two in zip(weights(plain), weights(other), strict=True):
        np.testing.assert_array_equal(one, two)


def test_what_is_between_steps_does_not_count_for_the_speed(monkeypatch):
    times = iter([0.0, 1.0, 2.0, 50.0, 51.0, 90.0, 91.0])
    monkeypatch.setattr("milestone_tinygpt.watching.time.perf_counter", lambda: next(times))
    speed = Speed()
    speed.on_fit_start(Standing())
    speed.on_step_end(Standing())
    speed.on_step_end(Standing())
    speed.on_evaluate_end(Standing(), {})
    speed.on_step_end(Standing())
    speed.on_checkpoint(Standing(), None)
    speed.on_step_end(Standing())
    assert (speed.steps, speed.seconds) == (4, 4.0)
