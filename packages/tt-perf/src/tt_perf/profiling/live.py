"""Live: which op holds how many bytes, now and when it was most.

Followed are the large arrays that Functions give or keep for their rules, and the gradients they send, from when they
are made until they are freed. Small ones are not worth the price, and what a kernel needs for a moment it holds itself.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from functools import lru_cache
from typing import Any

import numpy as np

from tt_tensor import Tensor

__all__ = ["LEAST", "Live"]

LEAST = 1 << 16
"""Bytes of an array that is worth following."""


class _Held(weakref.ref):  # type: ignore[type-arg]
    """A reference to an array that knows who made it, and how large it was."""

    __slots__ = ("key", "nbytes", "op")

    key: int
    nbytes: int
    op: str


class Live:
    """The bytes that each op holds.

    Attributes:
        peak: the most bytes at once.
        at_peak: op → bytes then.
    """

    def __init__(self, least: int = LEAST) -> None:
        self.least = least
        self.bytes = self.peak = 0
        self.by_op: dict[str, int] = {}
        self.at_peak: dict[str, int] = {}
        self._held: dict[int, _Held] = {}
        # What was freed, to be taken off by the next one who comes along: a callback may run anywhere.
        self._freed: deque[_Held] = deque()
        self._lock = threading.Lock()

    def applied(self, function: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """A Function has run: its output, and the arrays that it kept and that nobody gave it."""
        given = set()
        for x in inputs:
            array = x.array if isinstance(x, Tensor) else x
            given.add(id(array if getattr(array, "base", None) is None else _owner(array)))
        made, least = [output], self.least
        for value in function.__dict__.values():
            if value.__class__ is np.ndarray:
                if value.nbytes >= least:
                    made.append(value)
            elif value.__class__ is tuple or value.__class__ is list:
                made += [each for each in value if each.__class__ is np.ndarray and each.nbytes >= least]
        self._follow(_name(function.__class__), made, given)

    def sent_back(self, function: Any, grad: Any, gradients: tuple[Any, ...]) -> None:
        """A rule has run: the gradients that it made."""
        made = [g for g in gradients if isinstance(g, np.ndarray) and g.nbytes >= self.least]
        if made:
            self._follow(_name(function.__class__) + " backward", made, {id(_owner(grad))})

    def _follow(self, op: str, made: list[Any], given: set[int]) -> None:
        held = self._held
        with self._lock:
            if self._freed:
                self._settle()
            for array in made:
                owner = array if array.base is None else _owner(array)
                key = id(owner)
                if key in given or key in held:
                    continue
                one = held[key] = _Held(owner, self._freed.append)
                one.op, one.nbytes, one.key = op, owner.nbytes, key
                self.bytes += one.nbytes
                self.by_op[op] = self.by_op.get(op, 0) + one.nbytes
            if self.bytes > self.peak:
                self.peak = self.bytes
                self.at_peak = self.by_op.copy()

    def _settle(self) -> None:
        while self._freed:
            held = self._freed.popleft()
            self.bytes -= held.nbytes
            self.by_op[held.op] -= held.nbytes
            if self._held.get(held.key) is held:
                del self._held[held.key]

    def stop(self) -> None:
        """Follow nothing any more."""
        with self._lock:
            self._held.clear()
            self._freed.clear()


def _owner(array: Any) -> Any:
    """The array whose memory `array` shows."""
    while isinstance(getattr(array, "base", None), np.ndarray):
        array = array.base
    return array


@lru_cache(maxsize=1024)
def _name(kind: type) -> str:
    return kind.__name__.removesuffix("Function")
