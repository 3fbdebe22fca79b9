"""Who takes turns: a function in this process, or one in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import Any, Protocol

from tt_perf.benchmarking.errors import ContenderError
from tt_perf.benchmarking.threads import thread_environment
from tt_perf.benchmarking.timing import Step, Timer, calibrated, timed

__all__ = ["Apart", "Here", "Runner"]


class Runner(Protocol):
    """Takes turns when told to."""

    calls: int

    def turn(self) -> float:
        """Seconds a call."""

    def end(self) -> None:
        """Nothing is left running."""


class Here:
    """A function in this process."""

    def __init__(self, step: Step, seconds: float, warm_up: int, timer: Timer) -> None:
        self._step, self._timer = step, timer
        for _ in range(warm_up):
            step()
        self.calls = calibrated(step, seconds, timer)

    def turn(self) -> float:
        """Seconds a call."""
        return timed(self._step, self.calls, self._timer)

    def end(self) -> None:
        """Nothing to do."""


class Apart:
    """A function in a fresh process, by name. Only JSON goes through the pipes.

    Raises ContenderError with the traceback of the other process where the contender fails.
    """

    def __init__(self, name: str, title: str, seconds: float, warm_up: int, threads: int | None) -> None:
        self._title = title
        environment = os.environ | (thread_environment(threads) if threads else {})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tt_perf.benchmarking.resident"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=environment,
        )
        self._order = {
            "name": name,
            "path": sys.path,
            "threads": threads,
            "slice": seconds,
            "warm_up": warm_up,
        }
        self.calls = 0

    def start(self) -> None:
        """Warm up and calibrate. Apart from the constructor, so that no two contenders do it at once."""
        self.calls = int(self._ask(self._order)["calls"])

    def turn(self) -> float:
        """Seconds a call."""
        return float(self._ask({})["seconds"])

    def end(self) -> None:
        """End the process, by force if it does not hear."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        line = ""
        if self._process.stdin is not None and self._process.stdout is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(json.dumps(order) + "\n")
                self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise ContenderError(
                f"contender {self._title!r}: its process ended with status {self._process.wait()} and said nothing"
            )
        message: dict[str, Any] = json.loads(line)
        if "error" in message:
            trace = "" if message["kind"] == ContenderError.__name__ else f"\n{message['trace']}"
            raise ContenderError(f"contender {self._title!r} failed: {message['error']}{trace}")
        return message
