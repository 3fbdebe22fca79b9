"""The program tt-perf: what a person mistypes costs no benchmark, and exit codes tell regressions from mistakes."""

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from tt_perf.cli import main

QUICK = ["--rounds", "2", "--restarts", "1", "--slice", "0.001"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A current folder with a module in it."""
    (tmp_path / "contenders_here.py").write_text(
        "import time\n\n\ndef fine():\n    pass\n\n\ndef bad():\n    raise ValueError('mine')\n\n\n"
        "def slow():\n    open('begun', 'w').close()\n    time.sleep(60)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    monkeypatch.delitem(sys.modules, "contenders_here", raising=False)
    yield tmp_path
    sys.modules.pop("contenders_here", None)


def test_modules_of_the_current_folder_are_found(capsys):
    assert main(["run", "contenders_here:fine", *QUICK, "--here"]) == 0
    assert "contenders_here:fine" in capsys.readouterr().out


def test_a_place_for_the_result_is_looked_at_first(capsys, monkeypatch):
    monkeypatch.setattr("tt_perf.benchmarking.benchmark", lambda *_, **__: pytest.fail("it was measured"))
    assert main(["run", "contenders_here:fine", "-o", "nowhere/r.json"]) == 2
    assert main(["run", "contenders_here:fine", "-o", "."]) == 2
    said = capsys.readouterr().err
    assert "no such folder" in said
    assert "give the name of a file" in said


def test_a_function_that_fails_is_no_regression(capsys):
    assert main(["run", "contenders_here:bad", *QUICK, "--here"]) == 2
    assert "ValueError: mine" in capsys.readouterr().err


@pytest.mark.parametrize("where", [["--here"], []])
def test_a_function_that_ends_the_program_has_failed(where, capsys):
    assert main(["run", "sys:exit", *QUICK, *where]) == 2
    assert "sys:exit" in (said := capsys.readouterr().err) or "SystemExit" in said


PROGRAM = [sys.executable, "-m", "tt_perf.cli"]


@pytest.mark.skipif(sys.platform == "win32", reason="the shell is POSIX's")
@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        (">&-", 0, ""),  # there is no standard output
        (">&- 2>&-", 0, ""),
        (">/dev/full", 2, "tt-perf run: [Errno 28] No space left on device\n"),
    ],
)
def test_an_output_that_is_closed_or_full(folder, ending, code, said):
    if "/dev/full" in ending and not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    words = [*PROGRAM, "run", "contenders_here:fine", *QUICK, "--here", "-o", "result.json"]
    done = subprocess.run(f"{shlex.join(words)} {ending}", shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)
    assert (folder / "result.json").exists()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_that_cannot_be_printed(option):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = f"{shlex.join([*PROGRAM, option])} >/dev/full"
    done = subprocess.run(command, shell=True, env=buffered, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "tt-perf: [Errno 28] No space left on device\n")


def test_a_pipe_that_nobody_reads(folder):
    reader, writer = os.pipe()
    os.close(reader)
    words = [*PROGRAM, "run", "contenders_here:fine", *QUICK, "--here"]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(words, env=buffered, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (2, "tt-perf run: [Errno 32] Broken pipe\n")


def test_signs_that_the_encoding_does_not_have(folder):
    words = [*PROGRAM, "run", "contenders_here:fine", *QUICK, "--here"]
    done = subprocess.run(
        words, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "contenders_here:fine" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="children ignore Ctrl-C, too")
def test_ctrl_c_ends_it_with_one_line(folder):
    program = [*PROGRAM, "run", "contenders_here:slow"]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        end = time.monotonic() + 60
        while not (folder / "begun").exists():
            assert time.monotonic() < end, "the function was never called"
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
        out, said = run.communicate(timeout=30)
    assert (run.returncode, out, said) == (130, "", "tt-perf run: interrupted\n")
