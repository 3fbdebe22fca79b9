"""The judge: a process of its own that builds a submission, measures it, and says what it found.

It is told what to do by one line of JSON on stdin, and answers with one line on what was stdout. Before it reads
anything of the submission it limits itself: memory, time, files, no dumps. It executes nothing of the submission: the
network is built from the list of architectures, weights are safetensors.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["main"]


def main() -> None:
    """Judge what stdin says."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        order = json.loads(sys.stdin.readline())
        _limit(order["seconds"], order["memory"])
        found: dict[str, Any] = {"figures": _judge(order)}
    except MemoryError:
        found = {"kind": "MemoryError", "error": "it needs more memory than it is given"}
    except Exception as error:
        found = {"kind": type(error).__name__, "error": str(error)}
    answers.write(json.dumps(found) + "\n")
    answers.flush()


def _judge(order: dict[str, Any]) -> dict[str, Any]:
    from tt_perf.benchmarking.json_files import parse
    from tt_perf.benchmarking.machine import describe_machine
    from tt_perf.benchmarking.threads import limited
    from tt_perf.competition.loading import load_network
    from tt_perf.competition.measuring import measure
    from tt_perf.competition.submission import Submission
    from tt_perf.competition.tasks import load_test_set, task_named

    folder = Path(order["folder"])
    submission = Submission.from_dict(parse((folder / "submission.json").read_bytes(), "submission.json"))
    task = task_named(submission.task)
    test_set = load_test_set(task)
    with limited(order["threads"]):
        machine = describe_machine()
        if submission.kernels == "numba":
            _accelerate()
        model = load_network(submission, folder / "weights.safetensors")
        found = measure(task, model, test_set, submission.mean, submission.std)
    return found | {"test_set_sha256": test_set.sha256, "machine": machine, "threads": order["threads"]}


def _accelerate() -> None:
    from tt_perf import accelerate
    from tt_perf.competition.errors import JudgeError

    if not accelerate(malloc=False).kernels:
        raise JudgeError("it asks for numba's kernels, and numba is not here: pip install 'tt-perf[numba]'")


def _limit(seconds: float, memory: int) -> None:
    """What the system can enforce. The parent watches the clock as well."""
    if sys.platform == "win32":
        return
    import resource

    # Memory that is really written to, where the system tells it from address space (Linux).
    memory_kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: int(seconds) + 2,
        resource.RLIMIT_FSIZE: 64 << 20,
        resource.RLIMIT_NOFILE: 256,
        memory_kind: memory,
    }
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (allowed, allowed))


if __name__ == "__main__":
    main()
