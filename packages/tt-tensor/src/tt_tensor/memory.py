"""Whose memory is this, and when was it last written to?

A view shares the bytes of the array it was cut from. Writing into either changes both, and a rule that
saved either would then compute a wrong gradient without a word. So each in-place write is noted here, under
the array that owns the bytes, with the tick of a clock that only writes advance. A Function notes the
clock when it is applied; before its rule runs, it asks whether anything it saved was written since.

Memory that is never written in place costs nothing: it has no entry.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

__all__ = ["clock", "mark_written", "owners", "version", "written_since"]

clock = 0
"""Ticks once with every in-place write of the process. Read it as `memory.clock`."""

_lock = threading.Lock()
# id of the owner -> (its weak reference, how often written, the clock at the last write)
_writes: dict[int, tuple[weakref.ref[np.ndarray], int, int]] = {}


def owners(array: np.ndarray) -> Iterator[np.ndarray]:
    """The arrays whose bytes `array` shows, innermost first: itself if it is no view, else its base.

    NumPy shortens a chain of views to its last link. A buffer that was handed out through memoryviews (as
    an optimizer does with its flat buffer: `np.frombuffer(flat.data, …)`) appears behind the arrays made of
    its pieces: a write to the whole is a write to each piece, a write to one piece is none to its neighbours.
    `np.ndarray(…, buffer=flat.data)` does not do that: NumPy sees `flat` itself through the memoryview.
    """
    link: Any = array
    while True:
        while isinstance(link.base, np.ndarray):
            link = link.base
        yield link
        base = link.base
        # NumPy's stride tricks put an object of their own between a view and its array.
        link = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
        if not isinstance(link, np.ndarray):
            return


def mark_written(array: np.ndarray) -> None:
    """Note that `array` was written in place, and with it every view of the same memory."""
    global clock
    owner = array if array.base is None else next(owners(array))  # a generator costs more than the rest
    key = id(owner)
    with _lock:
        clock += 1
        entry = _writes.get(key)
        if entry is None:
            # The entry goes when the memory goes; until then no other array can have its id.
            reference = weakref.ref(owner, partial(_forget, key))
            _writes[key] = (reference, 1, clock)
        else:
            _writes[key] = (entry[0], entry[1] + 1, clock)


def _forget(key: int, _: Any) -> None:
    _writes.pop(key, None)


def version(array: np.ndarray) -> int:
    """How often the memory under `array` was written in place; shared by all of its views."""
    return sum(_writes[id(owner)][1] for owner in owners(array) if id(owner) in _writes)


def written_since(array: np.ndarray, tick: int) -> bool:
    """True if the memory under `array` was written in place after `tick` of the clock."""
    for owner in owners(array):
        entry = _writes.get(id(owner))
        if entry is not None and entry[2] > tick:
            return True
    return False
