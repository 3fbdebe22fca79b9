"""The examples run on shipped weights, with neither autograd nor optim, and say what is true."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

# Runs programs one after the other, then fails if a wheel came in that inference does not need.
RUN = """
import runpy, sys
for line in sys.argv[1:]:
    sys.argv = line.split("|")
    print("=", *sys.argv[1:])
    runpy.run_path(sys.argv[0], run_name="__main__")
later = sorted(name for name in sys.modules if name.split(".")[0] in ("tt_autograd", "tt_optim"))
assert not later, later
"""
PROGRAMS = ["xor.py", "read_digits.py|2", "evaluate.py", "evaluate.py|lenet5|digits"]


@pytest.fixture(scope="module")
def said():
    """What each program printed, in lines, without the first, its arguments."""
    output = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN, *(str(EXAMPLES / program) for program in PROGRAMS)],
        check=True,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        timeout=60,
    ).stdout
    return [part.splitlines()[1:] for part in ("\n" + output).split("\n=")[1:]]


def test_xor(said):
    assert [line.split()[:4] for line in said[0][:4]] == [
        ["0", "xor", "0:", "no"],
        ["0", "xor", "1:", "yes"],
        ["1", "xor", "0:", "yes"],
        ["1", "xor", "1:", "no"],
    ]


def test_read_digits(said):
    assert sum("sure); it is" in line for line in said[1]) == 2
    right, samples, recorded, of = re.findall(r"\d+", said[1][-1])
    assert right == recorded and samples == of == "450"


def test_evaluate(said):
    assert any(line.startswith("lenet5 digits: ") for line in said[2])
    assert len(said[3]) == 11
    measured, recorded = re.findall(r"[\d.]+%", said[3][-1])
    assert measured == recorded


def test_every_example_is_tested():
    assert {path.name for path in EXAMPLES.glob("*.py")} == {"xor.py", "read_digits.py", "evaluate.py"}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_import_only_what_inference_needs(path):
    imported = {
        line.split()[1].split(".")[0]
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported <= {"sys", "numpy", "tt_tensor", "tt_nn", "tt_data", "tt_vision"}
