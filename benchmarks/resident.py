"""The contender's side of a duel: one process that stays, makes its step once, and runs it when told to.

Orders come as JSON lines on stdin, answers leave as JSON lines on what was stdout (prints go to stderr).
The end of stdin, which is also what the death of the parent looks like, ends the process.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import traceback
from collections.abc import Callable
from importlib import metadata
from itertools import repeat
from time import perf_counter
from typing import Any

import machine

Step = Callable[[], Any]
Evidence = Callable[[list[Any]], Any]
Factory = Callable[[], "Step | tuple[Step, Evidence]"]

DISTRIBUTIONS = {
    "numpy": "numpy",
    "torch": "torch",
    "tt_tensor": "tt-tensor",
    "tt_nn": "tt-nn",
    "tt_autograd": "tt-autograd",
    "tt_optim": "tt-optim",
}


def plain(value: Any) -> Any:
    """`value` as JSON can carry it; arrays keep dtype and shape: equal work is also equal precision."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    dtype = str(value.dtype).rpartition(".")[2]
    return {"dtype": dtype, "shape": list(value.shape), "values": value.tolist()}


def versions() -> dict[str, str]:
    """The versions of what this contender imported."""
    found = {"python": f"{platform.python_implementation()} {platform.python_version()}"}
    for module, distribution in DISTRIBUTIONS.items():
        if module in sys.modules:
            try:
                found[distribution] = metadata.version(distribution)
            except metadata.PackageNotFoundError:
                found[distribution] = str(getattr(sys.modules[module], "__version__", "unknown"))
    return found


def timed(step: Step, steps: int) -> float:
    """Seconds that one of `steps` calls takes."""
    step()  # the first call of a turn finds cold caches
    start = perf_counter()
    for _ in repeat(None, steps):
        step()
    return (perf_counter() - start) / steps


def calibrated(step: Step, seconds: float) -> int:
    """How many steps fill a turn of `seconds`."""
    steps = 1
    while True:
        each = timed(step, steps)
        if each * steps >= seconds / 4:
            return max(1, round(seconds / each))
        steps *= 4


def serve(make: Factory, *, malloc: bool) -> None:
    """Answer orders until told to stop or until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        machine.raise_priority()
        tuned = machine.tune_malloc() if malloc else False
        made = make()
        step, evidence = made if isinstance(made, tuple) else (made, plain)
        answer(ready=True, malloc=tuned, versions=versions())
        for line in sys.stdin:
            order = json.loads(line)
            match order["do"]:
                case "check":
                    answer(evidence=plain(evidence([step() for _ in range(order["steps"])])))
                case "calibrate":
                    answer(steps=calibrated(step, order["seconds"]))
                case "turn":
                    answer(seconds=timed(step, order["steps"]))
                case "stop":
                    return
    except Exception:
        answer(error=traceback.format_exc())
