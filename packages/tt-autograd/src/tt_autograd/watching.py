"""Those who look at every operation while it happens: anomaly detection, checkpoints, forward mode.

Each holds in its own thread and task only. While nobody watches anywhere, an operation asks one question.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["Watcher", "watch", "watchers"]

Watcher = Callable[[Any, tuple[Any, ...], Any], None]

_current: ContextVar[tuple[Watcher, ...]] = ContextVar("tt_autograd_watchers", default=())
_lock = threading.Lock()


class _Watchers:
    """True while anybody watches, in any thread."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def __bool__(self) -> bool:
        return self.count > 0

    def current(self) -> tuple[Watcher, ...]:
        """Those of this thread and task."""
        return _current.get()


watchers = _Watchers()


@contextmanager
def watch(watcher: Watcher) -> Iterator[None]:
    """Call `watcher(function, inputs, output)` for every operation inside the block."""
    token = _current.set((*_current.get(), watcher))
    with _lock:
        watchers.count += 1
    try:
        yield
    finally:
        with _lock:
            watchers.count -= 1
        _current.reset(token)
