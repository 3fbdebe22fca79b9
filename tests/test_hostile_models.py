"""Damaged files of pretrained models: the benchmark of that, in short, so that it stays right."""

import os
import subprocess
import sys

from wheel_graph import ROOT


def run(*arguments, **environment):
    command = [sys.executable, str(ROOT / "benchmarks" / "pretrained_mutations.py"), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=os.environ | environment
    )


def test_mutants_of_pretrained_files_are_refused_or_are_models():
    done = run("--count", 120, "--seed", 1)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "120 mutants" in done.stdout and " 0 misses" in done.stdout


def test_the_harm_of_a_careless_loader_is_seen():
    # Which mutants there are depends on the files that are there; these are the ones made on the spot.
    done = run("--count", 120, "--control", TT_DATA_HOME="")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "past the digest" in done.stdout
