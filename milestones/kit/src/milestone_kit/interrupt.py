"""Ctrl-C: the first one stops the run in order, the second one leaves at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["INTERRUPTED", "two_step_interrupt"]

INTERRUPTED = 130  # 128 + SIGINT, as shells report it


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
