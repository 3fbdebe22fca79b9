"""``milestone-mnist`` from the outside: arguments, exit codes, files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from matplotlib.image import imread

from milestone_mnist import images, main, story
from milestone_mnist.networks import Network
from tt_nn import Flatten, Linear, Sequential
from tt_tensor import kernels

RIGHT = {kind: f"{kind}: test images right" for kind in ("MLP", "CNN")}
PICTURES = {"curves.png", "moved.png"} | {
    f"{what}-{kind}.png" for what in ("confusion", "mistakes", "filters") for kind in ("mlp", "cnn")
}

posix_signals = pytest.mark.skipif(os.name == "nt", reason="Windows delivers Ctrl-C to a whole console")


def of_time(figure):
    return "images/s" in figure["name"] or figure["unit"] == "s"


def test_the_quick_run_meets_every_bar(quick):
    """The bar on the time aside, which a machine with other work to do may miss; then the exit code tells."""
    code, _, document = quick
    figures = {figure["name"]: figure for figure in document["figures"]}
    assert [document["milestone"], document["year"], document["seed"]] == ["mnist", 1998, 3]
    assert document["version"] == "0.1.0"
    assert (document["options"]["data"], document["options"]["epochs"]) == ("digits", 30)
    assert figures[RIGHT["CNN"]]["value"] >= figures[RIGHT["CNN"]]["at_least"] == 97
    assert figures[RIGHT["MLP"]]["value"] >= figures[RIGHT["MLP"]]["at_least"] == story.BARS["digits"]["MLP"]
    assert figures["training time of both"]["at_most"] == 20
    assert all(figure["met"] is not False for figure in document["figures"] if not of_time(figure))
    assert code == (0 if document["met"] else 1)
    assert figures["CNN: parameters"]["value"] < figures["MLP: parameters"]["value"]
    for kind in ("MLP", "CNN"):
        far = figures[f"{kind}: … moved by 2 pixels"]["value"]
        assert far < figures[f"{kind}: … moved by 1 pixel"]["value"] <= 100


def test_the_cnn_is_better_than_the_mlp_also_where_images_are_moved(quick):
    figures = {figure["name"]: figure["value"] for figure in quick[2]["figures"]}
    for what in ("test images right", "… moved by 1 pixel", "… moved by 2 pixels"):
        assert figures[f"CNN: {what}"] > figures[f"MLP: {what}"]


def test_the_pictures_show_something(quick):
    _, out, document = quick
    assert {path.rsplit("/", 1)[-1] for path in document["pictures"]} == PICTURES
    assert {path.name for path in out.iterdir()} == PICTURES | {"figures.json", "checkpoints"}
    for name in PICTURES:
        picture = imread(out / name)[..., :3]
        assert picture.std() > 0.05
        assert len({tuple(pixel) for pixel in picture.reshape(-1, 3)[::97].round(2).tolist()}) > 10


def test_a_run_that_is_over_is_gone_on_with_without_a_step(quick, run, tmp_path):
    _, out, before = quick
    shutil.copytree(out / "checkpoints", tmp_path / "checkpoints")
    _, figures = run("--quick", "--epochs", "30", "--seed", "3", "--resume")
    for figure in before["figures"]:
        if "images/s" not in figure["name"]:
            assert figures[figure["name"]] == figure


def test_nothing_learned_is_a_missed_bar(run):
    code, figures = run("--lr", "0")
    assert code == 1
    for name in RIGHT.values():
        assert figures[name]["met"] is False
        assert figures[name]["value"] < 30


def test_too_little_training_is_a_missed_bar(run):
    code, figures = run()
    assert code == 1
    assert figures[RIGHT["CNN"]]["met"] is False


def test_what_diverges_is_a_missed_bar_and_strict_json(run, tmp_path):
    code, figures = run("--lr", "1e30")
    assert code == 1
    assert figures[RIGHT["MLP"]]["value"] is None
    text = (tmp_path / "figures.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text


def test_a_network_without_hidden_layers_misses(run, monkeypatch):
    linear = Network("CNN", "linear", lambda: Sequential(Flatten(), Linear(64, 10)))
    monkeypatch.setattr(story, "cnn_of", lambda problem: linear)
    code, figures = run("--epochs", "15")
    assert code == 1
    assert figures[RIGHT["CNN"]]["met"] is False


def test_labels_that_say_nothing_miss(run, monkeypatch):
    real = images.Digits

    def shuffled(train):
        digits = real(train=train)
        if train:
            digits.targets = np.random.default_rng(0).permutation(digits.targets)
        return digits

    monkeypatch.setattr(images, "Digits", shuffled)
    code, figures = run("--epochs", "2")
    assert code == 1
    for name in RIGHT.values():
        assert figures[name]["value"] < 35


def test_too_much_time_is_a_missed_bar(run, monkeypatch):
    monkeypatch.setitem(story.SECONDS, "digits", 1e-3)
    code, figures = run()
    assert code == 1
    assert figures["training time of both"]["met"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "letters"], "argument --data: invalid choice: 'letters'"),
        (["--epochs", "0"], "argument --epochs: must be a whole number from 1"),
        (["--epochs", "many"], "argument --epochs"),
        (["--lr", "nan"], "argument --lr: must be a finite number"),
        (["--lr", "-1"], "argument --lr"),
        (["--seed", "-1"], "argument --seed: must be a whole number from 0"),
        (["--out", ""], "argument --out"),
        (["--resume", "yes"], "unrecognized arguments: yes"),
        (["--batch", "3"], "unrecognized arguments: --batch 3"),
        (["--export", "lenet.safetensors"], "argument --export: goes with --data mnist"),
        (["--data", "mnist", "--export", "lenet.npz"], "argument --export: must name a file *.safetensors"),
        (["--data", "mnist", "--export", "no/lenet.safetensors"], "in a folder that is there"),
    ],
)
def test_wrong_arguments_exit_2_with_the_reason(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert not any(tmp_path.iterdir())


def test_mnist_that_is_not_there_exits_1_and_says_what_to_do(monkeypatch, tmp_path, capsys):
    empty = tmp_path / "data"
    empty.mkdir()
    real = images.MNIST
    monkeypatch.setattr(images, "MNIST", lambda train: real(empty, train, download=False))
    assert main(["--data", "mnist", "--out", str(tmp_path / "out"), "--quiet"]) == 1
    _, err = capsys.readouterr()
    assert "error: MNIST cannot be had: " in err
    assert "train-images-idx3-ubyte" in err
    assert not (tmp_path / "out").exists()


def test_to_go_on_with_another_run_exits_2_and_changes_nothing(run, tmp_path, capsys):
    run()
    before = (tmp_path / "figures.json").read_bytes()
    assert main(["--epochs", "2", "--resume", "--out", str(tmp_path), "--quiet"]) == 2
    assert "argument --resume: cannot go on from" in capsys.readouterr().err
    assert (tmp_path / "figures.json").read_bytes() == before


def test_it_tells_its_story_and_json_on_stdout_is_only_json(run, tmp_path, capsys):
    assert main(["--epochs", "1", "--json", "-", "--out", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["milestone"] == "mnist"
    assert "digits: 8×8 images, 1,147 to learn from, 200 to choose the weights by, 450 to test on" in err
    assert err.count(" learns: one image at a time ") == 2
    table = [line.split("│")[1:4] for line in err.splitlines() if line.startswith("│")]
    assert [cell.strip() for cell in table[0]] == ["", "MLP 64-256-128-10", "CNN 32-64"]
    assert ["parameters", "50,826", "21,482"] in [[cell.strip() for cell in row] for row in table]


def test_quiet_is_silent(run, tmp_path, capfd):
    run()
    assert capfd.readouterr() == ("", "")


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "milestone_mnist", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@posix_signals
@pytest.mark.skipif(kernels.preferred() is not None, reason="a process of its own runs on other kernels")
def test_ctrl_c_exits_130_and_the_run_goes_on_to_the_same_end(run, tmp_path):
    arguments = ["--epochs", "3", "--out", str(tmp_path / "parts")]
    child = start(*arguments)
    history = tmp_path / "parts/checkpoints/digits-cnn-seed-0/history.jsonl"
    until = time.monotonic() + 120
    while not (history.exists() and history.read_bytes().count(b"\n") >= 1):
        assert child.poll() is None and time.monotonic() < until
        time.sleep(0.005)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert err.startswith("milestone-mnist: interrupted after step ")
    assert err.endswith("; go on with --resume\n")
    assert not (tmp_path / "parts/figures.json").exists()
    _, parts = run("--epochs", "3", "--resume", out=tmp_path / "parts")
    _, whole = run("--epochs", "3", out=tmp_path / "whole")
    for name, figure in whole.items():
        if not of_time(figure):
            assert parts[name] == figure


def test_help_needs_nothing_heavy():
    program = """
import sys
from milestone_mnist import main
code = main(["--help"])
heavy = {"numpy", "rich", "matplotlib", "pooch", "tt_tensor", "tt_nn", "tt_optim", "tt_data", "tt_vision"}
found = heavy & set(sys.modules)
sys.exit(f"imported {found}" if found else code)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert "--resume" in done.stdout


def test_it_runs_as_a_module():
    child = start("--version")
    out, _ = child.communicate(timeout=120)
    assert (child.returncode, out.strip()) == (0, "milestone-mnist 0.1.0")
