"""Peak memory of a duel's contenders, instead of their time: what 10 steps add to the resident set beyond imports."""

from __future__ import annotations

import importlib
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import duel
import machine

STEPS = 10


def main(contest: duel.Duel, bar: float, wheels: Sequence[str]) -> int:
    """The command line of a duel with `--memory`. `wheels`: what ours imports, before memory is looked at."""
    arguments = duel.parser(contest)
    arguments.add_argument("--memory", action="store_true", help="peak memory instead of time")
    arguments.add_argument("--peak-of", help=duel.argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.peak_of:
        print(_here(contest, given.peak_of, given.malloc, wheels))
        return 0
    return _compared(contest, bar, given) if given.memory else duel.main(contest, given)


def _compared(contest: duel.Duel, bar: float, options: Any) -> int:
    """Print the peaks; 0 where ours is within the bar."""
    found = {
        name: _of(name, options.peer_python if contender.peer else sys.executable, options.malloc)
        for name, contender in contest.contenders.items()
    }
    ratio = found[contest.ours] / found[contest.reference]
    print(f"{contest.title}: peak memory beyond imports, MB")
    for name, value in found.items():
        print(f"  {name:22} {value:8.1f}  {value / found[contest.reference]:.3f}")
    met = ratio <= bar
    print(f"  bar: {contest.ours} ÷ {contest.reference} ≤ {bar}: {ratio:.3f}, {'met' if met else 'MISSED'}")
    return 0 if met else 1


def _of(name: str, python: str, malloc: bool) -> float:
    """MB that the steps add to the most that the process ever held, in a process of its own."""
    command = [python, sys.argv[0], "--peak-of", name] + ([] if malloc else ["--no-malloc"])
    environment = os.environ | machine.thread_environment(2)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _here(contest: duel.Duel, name: str, malloc: bool, wheels: Sequence[str]) -> float:
    """The MB of `_of`, in this process."""
    if malloc:
        machine.tune_malloc()
    for module in ("torch",) if contest.contenders[name].peer else wheels:
        importlib.import_module(module)
    before = machine.resident_bytes() or 0
    made = contest.contenders[name].make()
    step = made if callable(made) else made[0]
    for _ in range(STEPS):
        step()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return (most - before) / 1e6
