"""``milestone-cifar10`` from the outside: arguments, exit codes, files; on small images that anyone has."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.image import imread

import tt_perf
from milestone_cifar10 import main, recipe, story, training
from tt_vision.datasets import CIFAR10
from tt_vision.models import load_pretrained, mlp

RIGHT = "convolutional network: test images right"
MEAN, STD = (np.array(values, np.float32)[:, None, None] for values in (CIFAR10.mean, CIFAR10.std))
PICTURES = {"curves.png", "confusion.png", "mistakes.png", "features.png"}


def test_a_run_meets_its_bar_and_leaves_figures_and_pictures(small, tmp_path, capsys):
    # The made images are so easy that the MLP gets them, too: that bar is of the real ones.
    weights = tmp_path / "small.safetensors"
    code = main(["--epochs", "4", "--out", str(tmp_path), "--export", str(weights)])
    assert code in (0, 1)
    document = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    figures = {figure["name"]: figure for figure in document["figures"]}
    assert figures[RIGHT]["met"] is True
    assert figures[RIGHT]["value"] >= figures[RIGHT]["at_least"] == 75
    assert figures["batches are faster by a factor of"]["value"] > 1
    assert figures["training time to 60 %"]["value"] <= figures["training time"]["value"]
    assert {path.name for path in tmp_path.glob("*.png")} == PICTURES
    for name in PICTURES:
        assert imread(tmp_path / name)[..., :3].std() > 0.02
    assert "640 images to learn from" in capsys.readouterr().out
    model, card = load_pretrained(weights), json.loads(weights.with_suffix(".json").read_text("utf-8"))
    found = model((small.test.data / np.float32(255) - MEAN) / STD).numpy().argmax(axis=1)
    assert card["samples"] == 200
    assert abs(int((found == small.test.targets).sum()) - card["correct"]) <= 1


@pytest.mark.skipif(tt_perf.accelerated(), reason="here all runs are on compiled kernels")
def test_compiled_kernels_learn_the_same(run):
    code, figures = run("--epochs", "1")
    compiled_code, compiled = run("--epochs", "1", "--accelerate")
    assert code == compiled_code
    name = "operations on compiled kernels"
    assert name not in figures
    assert compiled[name]["value"] >= 10
    assert not tt_perf.accelerated()
    assert compiled[RIGHT]["value"] == pytest.approx(figures[RIGHT]["value"], abs=5)


def test_nothing_learned_is_a_missed_bar(run):
    code, figures = run("--lr", "0", "--epochs", "1")
    assert code == 1
    assert figures[RIGHT]["met"] is False
    assert figures[RIGHT]["value"] < 40


def test_what_diverges_is_a_missed_bar(run):
    code, figures = run("--lr", "1e20", "--epochs", "1")
    assert code == 1
    assert figures[RIGHT]["value"] is None


def test_a_network_that_sees_nothing_misses(run, monkeypatch):
    class Blind(type(mlp(1, [], 10))):
        def forward(self, x):
            return super().forward(x * 0)

    monkeypatch.setattr(story, "convolutional", lambda *args: Blind(3072, [8], 10))
    code, figures = run("--epochs", "1")
    assert code == 1
    assert figures[RIGHT]["value"] < 25


def test_labels_that_say_nothing_miss(run, small):
    small.train.targets[:] = np.random.default_rng(0).permutation(small.train.targets)
    code, figures = run("--epochs", "2")
    assert code == 1
    assert figures[RIGHT]["value"] < 40


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(small, no_pictures, tmp_path, monkeypatch):
    arguments = ["--epochs", "2", "--quiet"]
    kept = []
    real_train = story.train

    def watched(model, *rest):
        result = real_train(model, *rest)
        kept.append([np.asarray(tensor) for tensor in model.state_dict().values()])
        return result

    monkeypatch.setattr(story, "train", watched)
    main([*arguments, "--out", str(tmp_path / "whole")])
    whole = kept[-1]

    def stop(self, trainer):
        if trainer.step == 7 and trainer.store is not None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.Live, "on_step_end", stop)
        assert main([*arguments, "--out", str(tmp_path / "cut")]) == 130
    main([*arguments, "--out", str(tmp_path / "cut"), "--resume"])
    for one, other in zip(whole, kept[-1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_resume_with_other_options_is_refused(small, no_pictures, tmp_path, capsys):
    main(["--epochs", "1", "--quiet", "--out", str(tmp_path)])
    assert main(["--epochs", "2", "--lr", "0.3", "--resume", "--quiet", "--out", str(tmp_path)]) == 2
    assert "--resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--quick", "--export", "x.safetensors"],
        ["--export", "x.bin"],
        ["--epochs", "0"],
        ["--lr", "-1"],
        ["--lr", "nan"],
        ["--epochs", "x"],
        ["--data", "mnist"],
        ["surplus"],
    ],
)
def test_wrong_arguments_exit_with_2(arguments, capsys):
    assert main(arguments) == 2
    assert "milestone-cifar10" in capsys.readouterr().err


def test_data_that_are_not_here_say_where_to_put_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TT_DATA_HOME", str(tmp_path / "nothing"))
    (tmp_path / "nothing").mkdir()
    code = main(["--root", str(tmp_path / "nothing"), "--no-download", "--out", str(tmp_path), "--quiet"])
    assert code == 2
    said = capsys.readouterr().err
    assert "cifar-10-binary.tar.gz" in said


def test_the_rate_rises_then_falls():
    plan = recipe.SHORT
    rates = [plan.rate(step, 1000) for step in range(1000)]
    top = rates.index(max(rates))
    assert rates[0] == pytest.approx(0.1)
    assert top == 200
    assert rates[top] == pytest.approx(1)
    assert all(a < b for a, b in pairwise(rates[: top + 1]))
    assert all(a > b for a, b in pairwise(rates[top:]))
    assert rates[-1] == pytest.approx(plan.end, abs=0.01)
