"""The program as a whole: exit codes, what is printed where, what is written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from milestone_kit import DigitsError, UsageError
from milestone_kit.pictures import curves


def met(session):
    with session.progress(3, "training") as bar:
        for step in range(1, 4):
            bar.update(step, loss=1 / step)
    session.figure("cases right", 4, "of 4", at_least=4)
    session.figure("loss", 0.25)
    session.picture("loss.png", curves({"loss": ([0, 1], [1.0, 0.2])}))


def missed(session):
    session.figure("cases right", 3, "of 4", at_least=4)


def read_strict(text):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_met_bars_exit_0_with_table_figures_and_pictures(milestone, tmp_path, capsys):
    assert milestone(met).main(["--out", str(tmp_path / "deep" / "out"), "--seed", "7"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for word in ("1958", "seed 7", "cases right", "of 4", "≥ 4", "met", "every bar met", "figures.json"):
        assert word in out
    assert "\x1b" not in out
    document = read_strict((tmp_path / "deep/out/figures.json").read_text(encoding="utf-8"))
    assert document["milestone"] == "toy"
    assert document["seed"] == 7
    assert document["met"] is True
    assert [figure["name"] for figure in document["figures"]] == ["cases right", "loss"]
    (picture,) = document["pictures"]
    assert Path(picture).read_bytes().startswith(b"\x89PNG\r\n")
    assert sorted(p.name for p in (tmp_path / "deep/out").iterdir()) == ["figures.json", "loss.png"]


def test_a_missed_bar_exits_1_and_is_still_written(milestone, tmp_path, capsys):
    assert milestone(missed).main(["--out", str(tmp_path)]) == 1
    assert "s: cases right" in capsys.readouterr().out
    assert read_strict((tmp_path / "figures.json").read_text(encoding="utf-8"))["met"] is False


def test_a_run_without_any_bar_has_not_passed(milestone, tmp_path, capsys):
    assert milestone(lambda session: session.figure("loss", 0.1)).main(["--out", str(tmp_path)]) == 1
    assert "s: no figure had a bar" in capsys.readouterr().out


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("bar", [{"at_least": 0}, {"at_most": 0}, {}])
def test_a_value_that_is_not_finite_is_missed_and_null(value, bar, milestone, tmp_path):
    def run(session):
        session.figure("fine", 1, at_least=1)
        session.figure("loss", value, **bar)

    assert milestone(run).main(["--out", str(tmp_path), "--quiet"]) == 1
    document = read_strict((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert document["figures"][1]["value"] is None
    assert document["figures"][1]["met"] is False


@pytest.mark.parametrize(("run", "code"), [(met, 0), (missed, 1)])
def test_quiet_prints_nothing_and_still_tells_by_its_code(run, code, milestone, tmp_path, capfd):
    assert milestone(run).main(["--out", str(tmp_path), "--quiet"]) == code
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "figures.json").is_file()


@pytest.mark.parametrize("arguments", [["--json", "-"], ["--json"], ["--json", "-", "--quiet"]])
def test_json_on_stdout_is_all_that_is_on_stdout(arguments, milestone, tmp_path, capsys):
    assert milestone(met).main([*arguments, "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    document = read_strict(out)
    assert document["figures"][0]["value"] == 4
    assert ("cases right" in err) == ("--quiet" not in arguments)
    assert out == (tmp_path / "figures.json").read_text(encoding="utf-8")


def test_json_to_a_path_is_the_same_document(milestone, tmp_path):
    target = tmp_path / "new" / "result.json"
    assert milestone(met).main(["--json", str(target), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert target.read_bytes() == (tmp_path / "out/figures.json").read_bytes()


def test_a_kit_error_in_the_run_is_a_message_and_1(milestone, tmp_path, capsys):
    def run(session):
        raise DigitsError("digits.bin.gz is damaged; reinstall milestone-kit")

    assert milestone(run).main(["--out", str(tmp_path / "out")]) == 1
    assert (
        capsys.readouterr().err == "milestone-toy: error: digits.bin.gz is damaged; reinstall milestone-kit\n"
    )
    assert not (tmp_path / "out").exists()


def test_an_argument_that_turns_out_wrong_in_the_run_is_2(milestone, tmp_path, capsys):
    def run(session):
        raise UsageError("argument --resume: that is another run")

    assert milestone(run).main(["--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == "milestone-toy: error: argument --resume: that is another run\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("run", [met, missed])
def test_without_a_standard_output_and_error_files_and_code_tell(run, milestone, tmp_path, monkeypatch):
    """As under a service, or with them closed: >&- 2>&-."""
    expected = milestone(run).main(["--out", str(tmp_path / "one"), "--quiet"])
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    assert milestone(run).main(["--out", str(tmp_path / "other")]) == expected
    assert milestone(run).main(["--seed", "x"]) == 2
    assert (tmp_path / "other" / "figures.json").is_file()
    assert sys.stdout is None


def test_a_bug_in_the_run_is_not_hidden(milestone, tmp_path):
    def run(session):
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        milestone(run).main(["--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["loss.jpg", "../loss.png", "sub/loss.png", ""])
def test_a_picture_has_a_plain_png_name(name, milestone, tmp_path):
    def run(session):
        session.picture(name, curves({"loss": ([0, 1], [1, 0])}))

    with pytest.raises(ValueError, match=r"ending in \.png"):
        milestone(run).main(["--out", str(tmp_path), "--quiet"])


def test_an_encoding_without_the_signs_gets_words_instead(start):
    program = """
import io, sys
sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="cp1252")
from milestone_kit import Milestone
def run(session):
    session.say("σ")
    session.figure("cases", 4, at_least=4)
    session.figure("loss", 0.1, at_most=1)
sys.exit(Milestone("toy", year=1958, about="a toy", run=run).main(["--out", "out"]))
"""
    child = start(program)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert ">= 4" in out
    assert "<= 1" in out


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="/dev/full, the disk that is always full, is Linux's"
)
def test_a_standard_output_that_cannot_be_written_exits_1_with_a_message(start):
    program = """
import os, sys
from milestone_kit import Milestone
os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
def run(session):
    session.figure("cases", 4, at_least=4)
sys.exit(Milestone("toy", year=1958, about="a toy", run=run).main(["--out", "out"]))
"""
    child = start(program)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "cannot print or write" in err
    assert "Traceback" not in err


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="/dev/full, the disk that is always full, is Linux's"
)
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_that_cannot_be_printed_exits_1_with_a_message(start, option):
    program = f"""
import io, os, sys
from milestone_kit import Milestone
os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False))  # with a buffer, whatever the environment says
sys.exit(Milestone("toy", year=1958, about="a toy", run=print).main(["{option}"]))
"""
    child = start(program)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "cannot print" in err
    assert "Traceback" not in err and "ignored" not in err
