"""``milestone-perceptron`` from the outside: arguments, exit codes, files."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imread

from milestone_kit.digits import load_digits
from milestone_perceptron import main, story
from tt_nn import Sequential

ROSENBLATT = "Rosenblatt's rule: held out, right"
GRADIENT = "gradient descent: held out, right"


def figures_of(out):
    figures = json.loads((out / "figures.json").read_text(encoding="utf-8"))["figures"]
    return {figure["name"]: figure["value"] for figure in figures}


def test_the_quick_run_meets_every_bar(quick):
    code, _, document = quick
    assert code == 0
    assert document["met"] is True
    assert [document["milestone"], document["year"], document["seed"]] == ["perceptron", 1958, 3]
    assert document["version"] == "0.1.0"
    figures = {figure["name"]: figure for figure in document["figures"]}
    for name in (ROSENBLATT, GRADIENT):
        assert figures[name]["at_least"] == 98
        assert figures[name]["value"] >= 98
    _, labels = load_digits()
    assert figures["held-out images"]["value"] == np.isin(labels, [3, 6]).sum()


def test_the_pictures_show_something(quick):
    _, out, document = quick
    names = {"weights.png", "held-out.png"}
    assert {path.rsplit("/", 1)[-1] for path in document["pictures"]} == names
    assert {path.name for path in out.iterdir()} == names | {"figures.json"}
    for name in names:
        assert imread(out / name)[..., :3].std() > 0.05


def test_the_weights_are_drawn_in_two_colours(quick):
    _, out, _ = quick
    red, _, blue = np.moveaxis(imread(out / "weights.png")[..., :3], -1, 0)
    assert (red - blue > 0.3).mean() > 0.01
    assert (blue - red > 0.3).mean() > 0.01


def test_other_classes(tmp_path):
    assert main(["--classes", "0", "1", "--quick", "--out", str(tmp_path), "--quiet"]) == 0
    _, labels = load_digits()
    assert figures_of(tmp_path)["held-out images"] == np.isin(labels, [0, 1]).sum()


def test_nothing_learned_is_a_missed_bar(tmp_path, capsys):
    assert main(["--lr", "0", "--quick", "--out", str(tmp_path)]) == 1
    assert f"s: {GRADIENT}" in capsys.readouterr().out
    assert figures_of(tmp_path)[ROSENBLATT] >= 98


def test_labels_that_say_nothing_miss_both_bars(tmp_path, monkeypatch):
    images, labels = load_digits()
    shuffled = np.random.default_rng(0).permutation(labels)
    monkeypatch.setattr(story, "load_digits", lambda: (images, shuffled))
    assert main(["--quick", "--epochs", "5", "--out", str(tmp_path), "--quiet"]) == 1
    figures = figures_of(tmp_path)
    assert figures[ROSENBLATT] < 75
    assert figures[GRADIENT] < 75


def test_without_the_backward_by_hand_nothing_is_learned(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(Sequential, "backward", lambda model, grad: calls.append(grad.shape))
    assert main(["--steps", "3", "--out", str(tmp_path), "--quiet"]) == 1
    assert len(calls) == 3 * story.FOLDS
    assert figures_of(tmp_path)[GRADIENT] < 98


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--classes", "3", "3"], "argument --classes: 3 is given twice"),
        (["--classes", "3"], "argument --classes: expected 2 arguments"),
        (["--classes", "3", "10"], "argument --classes: must be a whole number from 0 to 9, not '10'"),
        (["--classes", "-1", "3"], "argument --classes"),
        (["--classes", "a", "b"], "argument --classes"),
        (["--epochs", "0"], "argument --epochs"),
        (["--steps", "0"], "argument --steps"),
        (["--steps", "many"], "argument --steps"),
        (["--lr", "nan"], "argument --lr: must be a finite number"),
        (["--lr", "-0.1"], "argument --lr"),
        (["--seed", "-1"], "argument --seed: must be a whole number from 0"),
        (["--momentum", "0.9"], "unrecognized arguments: --momentum 0.9"),
    ],
)
def test_wrong_arguments_exit_2_with_the_reason(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert not any(tmp_path.iterdir())


def run_python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, encoding="utf-8", check=False)


def test_help_needs_nothing_heavy():
    program = """
import sys
from milestone_perceptron import main
code = main(["--help"])
found = {"numpy", "rich", "matplotlib", "tt_tensor", "tt_nn", "tt_optim"} & set(sys.modules)
sys.exit(f"imported {found}" if found else code)
"""
    done = run_python("-c", program)
    assert done.returncode == 0, done.stderr
    assert "--classes A B" in done.stdout


def test_it_runs_as_a_module():
    done = run_python("-m", "milestone_perceptron", "--version")
    assert (done.returncode, done.stdout.strip()) == (0, "milestone-perceptron 0.1.0")
