"""compare: regressions between two runs, by the function and by the program."""

import json
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tt_perf import BenchmarkResult, ResultFileError, compare
from tt_perf.cli import main
from tt_tensor.errors import ArgumentError

MACHINE = {"system": "Linux", "processor": "A", "logical_cpus": 2, "numpy": "2.0"}


def result(machine=MACHINE, noise=0.02, seed=0, **seconds):
    rng = np.random.default_rng(seed)
    measured = {
        name: (1, (tuple((each * np.exp(rng.normal(0, noise, 21))).tolist()),))
        for name, each in seconds.items()
    }
    return BenchmarkResult("", next(iter(seconds)), measured, {"level": 0.99, "seed": 0}, machine, "")


@pytest.fixture
def saved(tmp_path):
    def save(name, **options):
        result(**options).save(tmp_path / name)
        return str(tmp_path / name)

    return save


@dataclass
class Ran:
    returncode: int
    stdout: str
    stderr: str


def run(*arguments):
    """The program in a process of its own."""
    command = [sys.executable, "-m", "tt_perf.cli", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=False)


@pytest.fixture
def here(capsys):
    """The program in this process, which is quicker."""

    def run_here(*arguments):
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as error:
            code = error.code
        return Ran(code, *capsys.readouterr())

    return run_here


def test_verdicts():
    found = compare(
        result(a=1.0, b=1.0, c=1.0, d=1.0, gone=1.0), result(seed=1, a=1.0, b=1.3, c=0.7, d=1.03, new=1.0)
    )
    verdicts = {change.name: change.verdict for change in found.changes}
    assert verdicts == {"a": "same", "b": "regression", "c": "improvement", "d": "same"}
    assert [change.name for change in found.regressions] == ["b"]
    assert found.gone == ("gone",) and found.added == ("new",)
    assert found.regressions[0].ratio == pytest.approx(1.3, rel=0.03)


def test_what_the_noise_covers_is_uncertain():
    old, new = result(a=1.0, noise=0.8), result(a=1.2, noise=0.8, seed=5)
    (change,) = compare(old, new).changes
    assert change.low < 1 < change.high
    assert change.verdict in ("uncertain", "same")
    assert compare(result(a=1.0), result(a=1.2, seed=5)).changes[0].verdict == "regression"


def test_the_threshold_is_a_threshold():
    old, new = result(a=1.0), result(a=1.3, seed=1)
    assert not compare(old, new, 1.5).regressions
    assert compare(old, new, 1.1).regressions
    for wrong in (0.9, float("nan"), float("inf"), "2"):
        with pytest.raises(ArgumentError, match="threshold is a ratio from 1 up"):
            compare(old, new, wrong)


def test_relative_takes_out_a_slow_day():
    old, new = result(a=1.0, b=2.0), result(seed=1, a=2.0, b=4.0)
    assert len(compare(old, new).regressions) == 2
    assert not compare(old, new, relative=True).regressions
    worse = result(seed=1, a=2.0, b=5.0)
    assert [change.name for change in compare(old, worse, relative=True).regressions] == ["b"]
    with pytest.raises(ResultFileError, match="references differ"):
        compare(old, replace(new, reference="b"), relative=True)


def test_equal_runs_show_no_regression():
    found = [
        compare(result(a=1.0, seed=2 * k), result(a=1.0, seed=2 * k + 1)).regressions for k in range(100)
    ]
    assert not any(found)


def test_nothing_in_common():
    with pytest.raises(ResultFileError, match="no contender in common; the old result has a, the new one b"):
        compare(result(a=1.0), result(b=1.0))


def test_other_machines_are_said():
    other = {**MACHINE, "processor": "B"}
    text = compare(result(a=1.0), result(other, a=1.0)).table()
    assert "processor differs: 'A' before, 'B' now" in text and "the machines differ" in text
    text = compare(result(a=1.0), result({**MACHINE, "numpy": "3"}, a=1.0)).table()
    assert "numpy differs: '2.0' before, '3' now" in text and "the machines differ" not in text


def test_exit_code_0(saved):
    found = run("compare", saved("old", a=1.0), saved("new", a=1.01, seed=1))
    assert found.returncode == 0 and "same" in found.stdout and not found.stderr


def test_exit_code_1_on_a_regression(saved):
    found = run("compare", saved("old", a=1.0, b=1.0), saved("new", a=1.0, b=1.2, seed=1))
    assert found.returncode == 1
    assert "regressions: b (1." in found.stdout and not found.stderr


def test_the_threshold_of_the_program(saved, here):
    arguments = ("compare", saved("old", a=1.0), saved("new", a=1.2))
    assert here(*arguments).returncode == 1
    assert here(*arguments, "--threshold", "1.5").returncode == 0


def test_exit_code_2(saved):
    found = run("compare", saved("old", a=1.0), "nowhere.json")
    assert found.returncode == 2 and not found.stdout
    assert found.stderr == "tt-perf compare: cannot read nowhere.json: No such file or directory\n"


def test_files_that_are_none(saved, tmp_path, here):
    good = saved("old", a=1.0)
    cases = {
        "missing": None,
        "empty": "",
        "list": "[]",
        "other": json.dumps({"format": "something else"}),
        "cut": (tmp_path / "old").read_text(encoding="utf-8")[:-100],
    }
    for name, text in cases.items():
        path = tmp_path / name
        if text is not None:
            path.write_text(text, encoding="utf-8")
        found = here("compare", good, str(path))
        assert found.returncode == 2 and not found.stdout
        assert found.stderr.startswith("tt-perf compare: ") and name in found.stderr
        assert "Traceback" not in found.stderr


def test_wrong_arguments(saved, here):
    good = saved("old", a=1.0)
    for arguments in (
        [],
        ["compare", good],
        ["compare", good, good, "--threshold", "much"],
        ["compare", good, good, "--threshold", "0.5"],
        ["compare", good, saved("new", b=1.0)],
        ["nonsense"],
        ["run"],
        ["run", "--here", "nothing.of_this:name"],
        ["run", "--here", "json:loads", "json:loads"],
        ["submit"],
        ["leaderboard", "nowhere.json"],
    ):
        found = here(*arguments)
        assert found.returncode == 2, arguments
        assert found.stderr and "Traceback" not in found.stderr


def test_version_and_help(here):
    from importlib import metadata

    assert here("--version").stdout == f"tt-perf {metadata.version('tt-perf')}\n"
    for command in ("run", "compare", "submit", "leaderboard"):
        assert command in here("--help").stdout
        assert here(command, "--help").returncode == 0


def test_run_writes_what_compare_reads(tmp_path, here):
    (tmp_path / "work.py").write_text(
        "def one(): return sum(range(100))\ndef many(): return sum(range(2000))\n"
    )
    name, out = f"{tmp_path / 'work.py'}", str(tmp_path / "r.json")
    found = run(
        "run",
        f"one={name}:one",
        f"many={name}:many",
        "-o",
        out,
        "--rounds",
        "4",
        "--restarts",
        "1",
        "--slice",
        "0.001",
    )
    assert found.returncode == 0 and "reference" in found.stdout, found.stderr
    assert BenchmarkResult.load(out).ratios["many"].verdict == "slower"
    assert here("compare", out, out).returncode == 0
