"""Run the judge: in a fresh process, on a copy that nobody else writes to, with a clock beside it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tt_perf.benchmarking.threads import thread_environment
from tt_perf.competition import errors
from tt_perf.competition.errors import JudgeError, SubmissionError
from tt_tensor.errors import ArgumentError, MissingWheelError, TTError

__all__ = ["MEMORY", "SECONDS", "THREADS", "judged"]

SECONDS = 600.0
MEMORY = 4 << 30
THREADS = 1
"""One, so that figures do not depend on how many cores there are, or are free."""

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "XDG_CACHE_HOME", "LOCALAPPDATA",
        "TT_DATA_HOME", "TT_CACHE_HOME", "NUMBA_CACHE_DIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")  # fmt: skip


def judged(files: Mapping[str, bytes], *, seconds: float = SECONDS, memory: int = MEMORY) -> dict[str, Any]:
    """What the judge measured.

    Args:
        files: contents of submission.json and weights.safetensors, checked.
        seconds, memory: what it gets.

    Raises what the judge found wrong, by its own error where that is one of the competition's; JudgeError where it
    failed, took too long, or needed too much; ArgumentError for limits that are none.
    """
    if not 0 < seconds < 1e6 or memory < 1:
        raise ArgumentError(f"the judge gets positive seconds and bytes, not {seconds!r} and {memory!r}")
    with tempfile.TemporaryDirectory(prefix="tt-perf-judge-") as place:
        for name, contents in files.items():
            (Path(place) / name).write_bytes(contents)
        order = {"folder": place, "seconds": seconds, "memory": memory, "threads": THREADS}
        answer = _ask(order, seconds)
    if "figures" in answer:
        figures: dict[str, Any] = answer["figures"]
        return figures
    kind, message = answer.get("kind"), str(answer.get("error"))
    known = getattr(errors, str(kind), None)
    if isinstance(known, type) and issubclass(known, SubmissionError):
        raise known(message)
    if kind == "MissingWheelError":
        raise MissingWheelError(message)
    if kind == "DatasetError":
        raise TTError(message)
    raise JudgeError(f"it could not be run: {message}" + ("" if kind == "MemoryError" else f" ({kind})"))


def _ask(order: dict[str, Any], seconds: float) -> dict[str, Any]:
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    # -E and -P: no variable and no folder of anybody's says what is imported.
    process = subprocess.Popen(
        [sys.executable, "-E", "-P", "-m", "tt_perf.competition.judge"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        cwd=order["folder"],
        env=environment | thread_environment(order["threads"]),
        process_group=None if sys.platform == "win32" else 0,
    )
    try:
        answers, said = process.communicate(json.dumps(order) + "\n", timeout=seconds)
    except subprocess.TimeoutExpired:
        raise JudgeError(f"it took more than {seconds:g} seconds") from None
    finally:
        if process.poll() is None:
            _kill(process)
    line = answers.strip().rpartition("\n")[2]
    with contextlib.suppress(ValueError):
        found = json.loads(line)
        if isinstance(found, dict):
            return found
    last = said.strip().rpartition("\n")[2]
    raise JudgeError(f"the judge ended with status {process.returncode}" + (f": {last}" if last else ""))


def _kill(process: subprocess.Popen[str]) -> None:
    """The process, and whatever it has started."""
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
