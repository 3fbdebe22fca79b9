"""Damaged data, forged archives and servers that lie: the benchmarks of that, in short, so that they stay right."""

import subprocess
import sys

import pytest
from wheel_graph import ROOT


def run(script, *arguments):
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("seed", [1])
def test_mutants_of_dataset_files_are_refused(seed):
    done = run("dataset_mutations.py", "--count", 120, "--seed", seed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused 120 of 120" in done.stdout


def test_the_harm_of_a_careless_loader_is_seen():
    done = run("dataset_mutations.py", "--count", 36, "--control")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "outside the cache" in done.stdout
    assert "unverified" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="the processes are killed by a signal of POSIX")
def test_processes_that_race_for_a_file_all_get_the_right_one():
    done = run("download_race.py", "--rounds", 1, "--processes", 3, "--bad", 6, "--kill")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 with one verified file" in done.stdout
