"""Traced: the most that NumPy and Python allocated in a block, by tracemalloc, for blocks that lie in each other.

tracemalloc knows one peak, since it was last reset. Who begins a block resets it, so what it was until then is first
noted for the blocks that are under way; and the last of them ends the tracing, if the first one began it.
"""

from __future__ import annotations

import threading
import tracemalloc

__all__ = ["Traced"]

_lock = threading.Lock()
_going: list[Traced] = []


class Traced:
    """One block, from `start` to `stop`."""

    def __init__(self) -> None:
        self._before = self._peak = 0
        self._ends_tracing = False

    def start(self) -> None:
        """The block begins."""
        with _lock:
            self._ends_tracing = not tracemalloc.is_tracing()
            if self._ends_tracing:
                tracemalloc.start()
            _note()
            self._before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            _going.append(self)

    def stop(self) -> int:
        """The block ends; bytes at its peak beyond what there was before."""
        with _lock:
            _note()
            _going.remove(self)
            if self._ends_tracing and _going:
                _going[0]._ends_tracing = True
            elif self._ends_tracing:
                tracemalloc.stop()
        return max(0, self._peak - self._before)


def _note() -> None:
    """What the peak is now, to all that are under way."""
    peak = tracemalloc.get_traced_memory()[1]
    for one in _going:
        one._peak = max(one._peak, peak)
