"""The second seam: one slot for whoever wants to know what takes how long. It is empty, which costs one look.

The recorder (recorder.py) is told what is computed, so that gradients can go back. An observer is told how long
everything took: each Function's formula and rule, and whatever else a wheel reports as a span (an optimizer's step, the
wait for a batch). It is told when something has ended, so what lies inside of what is seen by the times alone.

tt-perf's profiler is one; any object with these methods will do.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tt_tensor.function import Function

__all__ = ["Observer", "active", "clock", "install"]

clock = perf_counter
"""Seconds; the clock of all times that an observer is told."""


class Observer(Protocol):
    """What an observer must offer. It is called in the thread that did the work, and may keep no reference to the
    Function or the arrays: what it kept alive would be memory that the program has no more."""

    def applied(self, function: Function, inputs: tuple[Any, ...], output: Any, started: float) -> None:
        """A formula has run: `output` is the array that it gave, `inputs` are as the caller gave them."""

    def sent_back(self, function: Function, grad: Any, gradients: tuple[Any, ...], started: float) -> None:
        """A rule has run: it made `gradients`, one for each input or None, of `grad`."""

    def called(self, module: Any, started: float) -> None:
        """A module of tt-nn was called and has returned."""

    def span(self, what: Any, started: float) -> None:
        """Something else is over. `what` is its name, or the object whose class names it."""


active: Observer | None = None
"""The observer in the slot. Read it as `observing.active`."""


def install(observer: Observer | None) -> Observer | None:
    """Put `observer` into the slot (None empties it) and return the one that was there."""
    global active
    before, active = active, observer
    return before
