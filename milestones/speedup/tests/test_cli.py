"""``milestone-speedup`` from the outside: arguments, exit codes, files."""

import json
import subprocess
import sys

import pytest
from matplotlib.image import imread

from milestone_speedup import main, story


@pytest.fixture
def quick_run(tmp_path, monkeypatch, capsys, small):
    def run(*arguments):
        monkeypatch.setattr(story, "QUICK_BUDGET", 0.02)
        monkeypatch.setattr(story, "QUICK_MINUTE", 0.0)
        monkeypatch.setattr(story.tasks, "tinygpt", lambda seed: small)
        code = main(["--quick", "--out", str(tmp_path), *arguments])
        return code, json.loads((tmp_path / "figures.json").read_text()), capsys.readouterr().out

    return run


def test_a_ladder_is_measured_checked_and_drawn(quick_run, tmp_path, monkeypatch):
    monkeypatch.setitem(story.FACTORS, "tinygpt", 1.0)
    code, document, said = quick_run("--only", "tinygpt")
    figures = {figure["name"]: figure for figure in document["figures"]}
    assert code == 0
    assert figures["tinygpt: fastest over first rung"]["value"] >= 1
    assert figures["tinygpt: worst error of a rung"]["at_most"] == 1e-3
    assert said.count("off by") == 3
    assert imread(tmp_path / "ladders.png").shape[2] == 4


def test_a_factor_that_is_missed_fails_the_run(quick_run, monkeypatch):
    monkeypatch.setitem(story.FACTORS, "tinygpt", 1e9)
    assert quick_run("--only", "tinygpt")[0] == 1


def test_a_rung_that_computes_something_else_fails_the_run(quick_run, monkeypatch):
    from milestone_speedup import steps

    monkeypatch.setitem(story.FACTORS, "tinygpt", 1.0)
    monkeypatch.setattr(steps, "_difference", lambda found, expected: 0.5)
    assert quick_run("--only", "tinygpt")[0] == 1


def test_a_ladder_that_is_none_is_refused():
    run = subprocess.run(
        [sys.executable, "-m", "milestone_speedup", "--only", "stairs"], capture_output=True, text=True
    )
    assert run.returncode == 2
    assert "invalid choice: 'stairs'" in run.stderr
