"""Several observers in one slot: profiles may be nested, or end in any order."""

from __future__ import annotations

import threading
from typing import Any

from tt_tensor import observing

__all__ = ["add", "remove"]

_lock = threading.Lock()
_ours: list[Any] = []
_before: Any = None
"""Who was in the slot before our first one came: he goes on being told, and has it back at the end."""


class _Several:
    """Tells all."""

    def __init__(self, observers: list[Any]) -> None:
        self._observers = observers

    def applied(self, function: Any, inputs: tuple[Any, ...], output: Any, started: float) -> None:
        for observer in self._observers:
            observer.applied(function, inputs, output, started)

    def sent_back(self, function: Any, grad: Any, gradients: tuple[Any, ...], started: float) -> None:
        for observer in self._observers:
            observer.sent_back(function, grad, gradients, started)

    def called(self, module: Any, started: float) -> None:
        for observer in self._observers:
            observer.called(module, started)

    def span(self, what: Any, started: float) -> None:
        for observer in self._observers:
            observer.span(what, started)


def add(observer: Any) -> None:
    """Tell this one, too, from now on."""
    global _before
    with _lock:
        if not _ours:
            _before = observing.active
        _ours.append(observer)
        _settle()


def remove(observer: Any) -> None:
    """Tell this one no more; the slot is as it was when the last one has gone."""
    global _before
    with _lock:
        _ours.remove(observer)
        _settle()
        if not _ours:
            _before = None


def _settle() -> None:
    everyone = ([] if _before is None else [_before]) + _ours
    observing.install(None if not everyone else everyone[0] if len(everyone) == 1 else _Several(everyone))
