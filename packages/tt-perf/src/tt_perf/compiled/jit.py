"""jit: numba's compiler with the settings of this package, and a word to the user while it works.

    @jit("void(float32[:, ::1], float32[::1], float32[:, ::1])")
    def scaled(x, weight, y):
        ...

A kernel names the types that it takes, so it is compiled when its module is imported, once a machine: the result is
kept beside the source, or where NUMBA_CACHE_DIR says. It runs without the interpreter's lock.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numba
from numba.core import event

__all__ = ["FAST", "inline", "jit"]

FAST = {"contract", "reassoc", "nsz", "arcp"}
"""Sums may be taken in another order, products and sums fused. NaN and infinities stay what they are."""


def jit(*signatures: str, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function for each of `signatures`: nogil, cached, no bounds checks, 1 / 0 as NumPy has it."""
    settings = {"nogil": True, "cache": True, "fastmath": FAST, "error_model": "numpy", **options}

    def compiled(function: Callable[..., Any]) -> Any:
        return numba.njit(list(signatures), **settings)(function)

    return compiled


def inline(function: Callable[..., Any]) -> Any:
    """A piece that kernels call; it is compiled as part of them."""
    return numba.njit(nogil=True, fastmath=FAST, error_model="numpy", inline="never")(function)


class _Note(event.Listener):
    """One line, the first time that something is compiled and not found in the cache."""

    def __init__(self) -> None:
        self.said = False
        self.lock = threading.Lock()

    def on_start(self, event: Any) -> None:
        with self.lock:
            said, self.said = self.said, True
        if not said:
            sys.stderr.write(
                "tt_perf: compiling kernels for this machine; this is done once and takes some seconds\n"
            )

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Note())
