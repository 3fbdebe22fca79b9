"""Wrong arguments: each ends in exit code 2, before any training, with what was wrong and what is allowed."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone_kit import Options, UsageError, number, whole


def add_options(parser):
    parser.add_argument("--epochs", type=whole(1, 100), default=5)
    parser.add_argument("--lr", type=number(0.0), default=0.1)


WRONG = {
    "negative seed": (["--seed", "-1"], "--seed", "from 0 to 4294967295"),
    "seed too large": (["--seed", "4294967296"], "--seed", "from 0 to 4294967295"),
    "fractional seed": (["--seed", "1.5"], "--seed", "whole number"),
    "seed is a word": (["--seed", "one"], "--seed", "'one'"),
    "seed without value": (["--seed"], "--seed", "expected one argument"),
    "zero epochs": (["--epochs", "0"], "--epochs", "from 1 to 100"),
    "NaN rate": (["--lr", "nan"], "--lr", "finite"),
    "infinite rate": (["--lr", "inf"], "--lr", "finite"),
    "negative rate": (["--lr", "-0.5"], "--lr", "0.0 or more"),
    "unknown option": (["--sead", "1"], "--sead", "unrecognized"),
    "shortened option": (["--se", "1"], "--se", "unrecognized"),
    "stray word": (["xor"], "xor", "unrecognized"),
    "empty out": (["--out", ""], "--out", "directory"),
    "empty json": (["--json", ""], "--json", "'-'"),
    "out is a file": (["--out", "file.txt"], "--out", "is a file; give a directory"),
    "out under a file": (["--out", "file.txt/deeper"], "--out", "cannot write"),
    "json is a directory": (["--json", "folder"], "--json", "not a plain file"),
    "json under a file": (["--json", "file.txt/figures.json"], "--json", "is a file; give a directory"),
    "flag with a value": (["--quick=yes"], "--quick", "ignored explicit argument"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_exits_2_before_training(case, milestone, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_text("text", encoding="utf-8")
    Path("folder").mkdir()
    before = sorted(tmp_path.rglob("*"))

    def run(session):
        pytest.fail("training has begun")

    arguments, option, allowed = WRONG[case]
    assert milestone(run, add_options=add_options).main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "usage: milestone-toy" in err
    assert "milestone-toy: error:" in err
    assert option in err
    assert allowed in err
    assert sorted(tmp_path.rglob("*")) == before


def test_options_wrong_together_exit_2(milestone, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def check(options):
        raise UsageError("argument --classes: 3 and 3 are the same class; give two")

    assert milestone(lambda session: None, check=check).main([]) == 2
    assert "give two" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_figures_json_that_is_a_directory_is_a_wrong_place(milestone, capsys, tmp_path):
    (tmp_path / "figures.json").mkdir()
    assert milestone(lambda session: None).main(["--out", str(tmp_path)]) == 2
    assert "not a plain file" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no device files in directories")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_two_runs_in_one_directory_are_a_wrong_place(milestone, capsys, tmp_path):
    """The second one removed the checkpoints of the first, which went on with those of the second."""
    out = ["--out", str(tmp_path / "out")]
    codes = []

    def run(session):
        codes.append(milestone(lambda _: pytest.fail("it ran")).main(out))
        session.figure("cases", 4, at_least=4)

    assert milestone(run).main(out) == 0 and codes == [2]
    assert "another run is at work in" in capsys.readouterr().err
    assert milestone(lambda session: session.figure("cases", 4, at_least=4)).main(out) == 0


def test_json_never_replaces_a_device(milestone, capsys, tmp_path):
    assert milestone(lambda session: None).main(["--json", os.devnull, "--out", str(tmp_path)]) == 2
    assert "not a plain file" in capsys.readouterr().err
    assert not Path(os.devnull).is_file()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="permissions bind neither root nor Windows directories",
)
def test_a_directory_without_write_permission_is_a_wrong_argument(milestone, capsys, tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert milestone(lambda session: None).main(["--out", str(tmp_path)]) == 2
    finally:
        tmp_path.chmod(0o700)
    assert "cannot write in" in capsys.readouterr().err


def test_the_defaults(milestone, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen: list[Options] = []

    def run(session):
        seen.append(session.options)
        session.figure("done", 1, at_least=1)

    assert milestone(run, add_options=add_options).main([]) == 0
    (options,) = seen
    assert (options.seed, options.json, options.quick, options.quiet) == (0, None, False, False)
    assert options.out == Path("runs/toy")
    assert (options.epochs, options.lr) == (5, 0.1)
    assert Path("runs/toy/figures.json").is_file()


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_exit_0_and_leave_nothing(flag, milestone, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert milestone(lambda session: None).main([flag]) == 0
    assert "milestone-toy" in capsys.readouterr().out
    assert not any(tmp_path.iterdir())


def test_help_is_fast_because_nothing_heavy_is_imported(start):
    program = """
import sys
from milestone_kit import Milestone
code = Milestone("toy", year=1958, about="a toy", run=lambda session: None).main(["--help"])
heavy = {"numpy", "rich", "matplotlib"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else code)
"""
    began = time.perf_counter()
    child = start(program)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert "--quick" in out
    assert time.perf_counter() - began < 10  # loose: the law is above, the clock is the machine's


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-50, 50))
def test_whole_takes_exactly_its_interval(low, high, value):
    read = whole(low, high)
    if low <= value <= high:
        assert read(str(value)) == value
    else:
        with pytest.raises(argparse.ArgumentTypeError, match=f"from {low} to {high}, not '{value}'"):
            read(str(value))


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_number_takes_exactly_its_interval(high, value):
    read = number(at_most=high)
    if value <= high:
        assert read(repr(value)) == value
    else:
        with pytest.raises(argparse.ArgumentTypeError, match="or less"):
            read(repr(value))
