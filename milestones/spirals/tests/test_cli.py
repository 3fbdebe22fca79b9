"""``milestone-spirals`` from the outside: arguments, exit codes, files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from milestone_spirals import main, story, training
from milestone_spirals.networks import NAME, linear
from milestone_spirals.spirals import problem

RIGHT = f"{NAME}: held out, right"
EARLY = "after a third of the training, right"
LINEAR = "linear model: held out, right"
PICTURES = {"film.png", "boundary.png", "curves.png"}

posix_signals = pytest.mark.skipif(os.name == "nt", reason="Windows delivers Ctrl-C to a whole console")


def test_the_quick_run_meets_every_bar(quick):
    code, _, document = quick
    assert code == 0
    assert document["met"] is True
    assert [document["milestone"], document["year"], document["seed"]] == ["spirals", 1988, 3]
    assert document["version"] == "0.1.0"
    assert document["options"]["epochs"] == 30
    figures = {figure["name"]: figure for figure in document["figures"]}
    assert figures[RIGHT]["value"] >= figures[RIGHT]["at_least"] == 99
    assert 33 < figures[LINEAR]["value"] <= figures[LINEAR]["at_most"] == 50
    assert (figures[EARLY]["at_least"], figures[EARLY]["at_most"]) == (70, 99.9)
    assert figures["one who knows the arms"]["value"] >= 99.8
    assert figures["training time"]["value"] < figures["training time"]["at_most"] == 20


def test_the_pictures_show_something(quick):
    _, out, document = quick
    assert {path.rsplit("/", 1)[-1] for path in document["pictures"]} == PICTURES
    assert {path.name for path in out.iterdir()} == PICTURES | {"figures.json", "checkpoints"}
    for name in PICTURES:
        picture = imread(out / name)[..., :3]
        assert picture.std() > 0.05
        assert len({tuple(pixel) for pixel in picture.reshape(-1, 3)[::97].round(2).tolist()}) > 20


def test_the_checkpoints_are_there_to_go_on_from(quick):
    _, out, _ = quick
    names = {path.name for path in (out / "checkpoints" / "seed-3").iterdir()}
    assert {"history.jsonl", "step-00001800.safetensors"} <= names
    assert len(names) <= 4  # two of the last ones, the best


def test_a_run_that_is_over_is_gone_on_with_without_a_step(quick, no_pictures, tmp_path):
    _, out, before = quick
    shutil.copytree(out / "checkpoints", tmp_path / "checkpoints")
    assert main(["--quick", "--seed", "3", "--resume", "--out", str(tmp_path), "--quiet"]) == 0
    document = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert document["figures"] == before["figures"]


def test_nothing_learned_is_a_missed_bar(run):
    code, figures = run("--lr", "0")
    assert code == 1
    assert figures[RIGHT]["met"] is False
    assert figures[RIGHT]["value"] < 50


def test_too_little_training_is_a_missed_bar(run):
    code, figures = run()
    assert code == 1
    assert figures[RIGHT]["value"] < 99


def test_what_diverges_is_a_missed_bar_and_strict_json(run, tmp_path):
    code, figures = run("--lr", "1e30")
    assert code == 1
    assert figures[RIGHT]["value"] is None
    text = (tmp_path / "figures.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text


def test_a_network_without_hidden_layers_misses(run, monkeypatch):
    monkeypatch.setattr(training, "network", linear)
    code, figures = run("--epochs", "10")
    assert code == 1
    assert figures[RIGHT]["value"] < 50


def test_arms_that_say_nothing_miss(run, monkeypatch):
    def shuffled(seed):
        points = problem(seed)
        arms = np.random.default_rng(0).permutation(points.train.arms)
        return replace(points, train=replace(points.train, arms=arms))

    monkeypatch.setattr(story, "problem", shuffled)
    code, figures = run()
    assert code == 1
    assert figures[RIGHT]["value"] < 60


def test_a_linear_model_that_is_too_good_misses(run, monkeypatch):
    """Then the spirals would not be what they are said to be."""

    def easy(seed):
        points = problem(seed)
        parts = {}
        for name in ("train", "choose", "held_out"):
            part = getattr(points, name)
            corners = np.float32([[1, 0], [-1, 1], [-1, -1]])
            parts[name] = replace(part, places=corners[part.arms] + part.places / 10)
        return replace(points, **parts)

    monkeypatch.setattr(story, "problem", easy)
    code, figures = run()
    assert code == 1
    assert figures[LINEAR]["met"] is False
    assert figures[RIGHT]["met"] is True


def test_a_quick_run_that_learns_too_slowly_misses(run):
    code, figures = run("--quick", "--lr", "1e-4")
    assert code == 1
    assert figures[EARLY]["met"] is False


def test_a_quick_run_that_was_told_the_answers_misses(run, monkeypatch):
    monkeypatch.setattr(story, "_early", lambda result, plan: 100.0)
    code, figures = run("--quick")
    assert code == 1
    assert figures[EARLY]["met"] is False


def test_several_seeds_are_judged_by_the_worst(run, tmp_path):
    code, figures = run("--seeds", "2", "--seed", str(2**32 - 1))
    assert code == 1
    median = figures[f"{NAME}: median of 2 seeds"]["value"]
    assert figures[f"{RIGHT}, worst seed"]["value"] <= median
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {f"seed-{2**32 - 1}", "seed-0"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seeds", "0"], "argument --seeds: must be a whole number from 1 to 100, not '0'"),
        (["--seeds", "101"], "argument --seeds"),
        (["--epochs", "0"], "argument --epochs"),
        (["--epochs", "many"], "argument --epochs"),
        (["--lr", "nan"], "argument --lr: must be a finite number"),
        (["--lr", "-1"], "argument --lr"),
        (["--seed", "-1"], "argument --seed: must be a whole number from 0"),
        (["--out", ""], "argument --out"),
        (["--resume", "yes"], "unrecognized arguments: yes"),
        (["--turns", "3"], "unrecognized arguments: --turns 3"),
    ],
)
def test_wrong_arguments_exit_2_with_the_reason(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert not any(tmp_path.iterdir())


def test_to_go_on_with_another_run_exits_2_and_changes_nothing(run, tmp_path, capsys):
    run()
    before = (tmp_path / "figures.json").read_bytes()
    assert main(["--epochs", "5", "--resume", "--out", str(tmp_path), "--quiet"]) == 2
    assert "argument --resume: cannot go on from" in capsys.readouterr().err
    assert (tmp_path / "figures.json").read_bytes() == before


def test_json_on_stdout_is_only_json(no_pictures, tmp_path, capsys):
    main(["--epochs", "1", "--json", "-", "--out", str(tmp_path)])
    out, err = capsys.readouterr()
    assert json.loads(out)["milestone"] == "spirals"
    assert f"{NAME}, seed 0" in err


def test_quiet_is_silent(no_pictures, tmp_path, capfd):
    main(["--epochs", "1", "--quiet", "--out", str(tmp_path)])
    assert capfd.readouterr() == ("", "")


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "milestone_spirals", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@posix_signals
def test_ctrl_c_exits_130_and_the_run_goes_on_to_the_same_end(tmp_path):
    arguments = ["--epochs", "6", "--out", str(tmp_path / "parts")]
    child = start(*arguments)
    history = tmp_path / "parts/checkpoints/seed-0/history.jsonl"
    until = time.monotonic() + 60
    while not (history.exists() and history.read_bytes().count(b"\n") >= 2):
        assert child.poll() is None and time.monotonic() < until
        time.sleep(0.005)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert err.startswith("milestone-spirals: interrupted after step ")
    assert err.endswith("; go on with --resume\n")
    assert not (tmp_path / "parts/figures.json").exists()
    # Programs of their own, too: where other wheels are imported, layers may run in shards, which gives other bits.
    for rest in ([*arguments, "--resume"], ["--epochs", "6", "--out", str(tmp_path / "whole")]):
        child = start(*rest, "--quiet")
        _, err = child.communicate(timeout=120)
        assert child.returncode == 1 and not err  # the bar is not met in six epochs
    parts, whole = (
        json.loads((tmp_path / name / "figures.json").read_text(encoding="utf-8"))["figures"]
        for name in ("parts", "whole")
    )
    for one, other in zip(parts, whole, strict=True):
        if one["name"] != "training time":
            assert one == other
    for name in ("film.png", "boundary.png", "curves.png"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_help_needs_nothing_heavy():
    program = """
import sys
from milestone_spirals import main
code = main(["--help"])
found = {"numpy", "rich", "matplotlib", "tt_tensor", "tt_nn", "tt_optim", "tt_autograd"} & set(sys.modules)
sys.exit(f"imported {found}" if found else code)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert "--resume" in done.stdout


def test_it_runs_as_a_module():
    child = start("--version")
    out, _ = child.communicate(timeout=60)
    assert (child.returncode, out.strip()) == (0, "milestone-spirals 0.1.0")
