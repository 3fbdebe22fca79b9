"""Ctrl-C: the first one stops the run in order, the second one leaves at once, and so does one during imports."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["INTERRUPTED", "silent_interrupt", "two_step_interrupt"]

INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@contextmanager
def silent_interrupt() -> Iterator[None]:
    """Inside, SIGINT ends the process as the system does it, without a traceback.

    For imports, where nothing is there yet that could be stopped in order. Where SIGINT has another meaning than
    Python's own, and outside the main thread, nothing changes.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def two_step_interrupt() -> Iterator[None]:
    """Inside, the first SIGINT raises KeyboardInterrupt and the second exits with 130 at once.

    Also where SIGINT was ignored, as scripts leave it for what they start with ``&``: a ``kill -INT``
    that names this process means it. Outside the main thread, where Python takes no signals, nothing
    changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        os._exit(INTERRUPTED)

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, leave)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
