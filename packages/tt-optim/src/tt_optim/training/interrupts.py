"""Ctrl-C and `kill`: the first one ends the run in order, after the running step; the second one leaves at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Interrupted", "Interrupts"]


class Interrupted(SystemExit, KeyboardInterrupt):
    """`fit` was interrupted; the running step was finished and, where there is a place for it, a checkpoint saved.

    A KeyboardInterrupt, so `except KeyboardInterrupt` catches it (and `except Exception` does not); and a
    SystemExit, so that a program which does not catch it exits with 128 + signal: 130 for Ctrl-C, 143 for SIGTERM.
    """

    def __init__(self, message: str, number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.code = 128 + int(number)


class Interrupts:
    """`asked` is the number of the first signal that came, or 0: to be looked at where stopping is safe."""

    def __init__(self) -> None:
        self.asked = 0

    @contextmanager
    def deferred(self) -> Iterator[Interrupts]:
        """Inside, the first SIGINT or SIGTERM only sets `asked`; the second one exits the process at once.

        The handlers that were there come back afterwards. SIGINT is taken also where it was ignored, as scripts
        leave it for what they start with ``&``: a ``kill -INT`` that names this process means it. Outside the
        main thread, where Python takes no signals, nothing changes.
        """
        self.asked = 0
        before: dict[signal.Signals, Any] = {}
        try:
            if threading.current_thread() is threading.main_thread():
                for number in (signal.SIGINT, signal.SIGTERM):
                    handler = signal.getsignal(number)
                    if handler is not None and (handler != signal.SIG_IGN or number == signal.SIGINT):
                        before[number] = handler
                        signal.signal(number, self._take)
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            os._exit(128 + number)
        self.asked = number
