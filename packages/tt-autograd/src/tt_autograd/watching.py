"""Those who look at every operation while it happens: anomaly detection, checkpoints, forward mode.

Each holds in its own thread and task only. While nobody watches anywhere, an operation asks one question, and so does
a way back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

__all__ = ["Guard", "Guarded", "Watcher", "alert", "guard", "told", "unwatched", "watch"]

Watcher = Callable[[Any, tuple[Any, ...], Any], Any]

_current: ContextVar[tuple[Watcher, ...]] = ContextVar("tt_autograd_watchers", default=())
_lock = threading.Lock()


class Guarded(Protocol):
    """One way back, looked at."""

    def rule(self, function: Any, grad: Any) -> tuple[Any, ...]:
        """What to call in place of the rule."""

    def arrived(self, gradients: Mapping[int, Any]) -> None:
        """The gradients at its end, by the Function's number or the leaf's id."""


class Guard(Protocol):
    """Who looks at every way back."""

    def guarded(self, rule: Any, starts: Sequence[tuple[Any, Any]]) -> Guarded:
        """A way back by `rule` is about to begin at `starts`, pairs of a Function or leaf and its gradient."""


guard: ContextVar[Guard | None] = ContextVar("tt_autograd_guard", default=None)


class _Alert:
    """Whether an operation has to look twice: somebody watches, in any thread, or views may be out of date."""

    __slots__ = ("on", "watchers", "wrote")

    def __init__(self) -> None:
        self.on = self.wrote = False
        self.watchers = 0


alert = _Alert()


def told(function: Any, inputs: tuple[Any, ...], output: Any) -> bool:
    """Tell those who watch in this thread and task; True if one of them wants it to stay unrecorded."""
    silent = False
    for watcher in _current.get():
        silent = watcher(function, inputs, output) is True or silent
    return silent


@contextmanager
def unwatched() -> Iterator[None]:
    """Nobody of this thread and task watches inside the block."""
    token = _current.set(())
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def watch(watcher: Watcher) -> Iterator[None]:
    """Call `watcher(function, inputs, output)` for every operation inside the block.

    It is called before the operation is recorded; where it returns True, the operation is not.
    """
    token = _current.set((*_current.get(), watcher))
    _count(1)
    try:
        yield
    finally:
        _count(-1)
        _current.reset(token)


def _count(change: int) -> None:
    with _lock:
        alert.watchers += change
        alert.on = alert.wrote or alert.watchers > 0
