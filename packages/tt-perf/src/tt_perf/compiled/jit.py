"""jit: numba's compiler with the settings of this package, and a word to the user while it works.

    @jit("void(float32[:, ::1], float32[::1], float32[:, ::1])")
    def scaled(x, weight, y):
        ...

A kernel names the types that it takes, so it is compiled when its module is imported, once a machine: the result is
kept beside the source, or where NUMBA_CACHE_DIR says (kept.py). It runs without the interpreter's lock. Where the cache
turns out to be empty, the other modules that are in use are compiled by another process meanwhile (ahead.py). Where
nothing can be kept (no folder that may be written, a full disk), each process compiles for itself, which one line says.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numba
from numba.core import event

from tt_perf.compiled import ahead, kept
from tt_perf.compiled.table import KERNELS, operations
from tt_perf.compiled.vectors import Wide

__all__ = ["FAST", "inline", "jit", "likely"]

FAST = {"contract", "reassoc", "nsz", "arcp"}
"""Sums may be taken in another order, products and sums fused. NaN and infinities stay what they are."""


def jit(*signatures: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function for each of `signatures`: nogil, cached, no bounds checks, 1 / 0 as NumPy has it."""
    settings = {
        "nogil": True, "cache": True, "fastmath": FAST, "error_model": "numpy", "pipeline_class": Wide, **options
    }  # fmt: skip

    def compiled(function: Callable[..., Any]) -> Any:
        if settings["cache"] and not _nowhere.noted and kept.unchanged():
            try:
                return _compiled(function, signatures, settings)
            except (OSError, EOFError, _NoPlaceError) as error:
                _nowhere.note(error)
        return _compiled(function, signatures, {**settings, "cache": False})

    return compiled


def _compiled(function: Callable[..., Any], signatures: tuple[Any, ...], settings: dict[str, Any]) -> Any:
    kernel = numba.njit(**{**settings, "cache": False})(function)
    if settings["cache"]:
        try:
            kept.keep(kernel)
        except RuntimeError as error:  # numba's "no locator available": no folder that it may write
            raise _NoPlaceError(error) from error
    for signature in signatures:
        kernel.compile(signature)
    kernel.disable_compile()
    return kernel


class _NoPlaceError(Exception):
    """There is no folder for compiled kernels."""


class _Nowhere:
    """What is compiled cannot be kept: found out once, said once, and from then on not tried."""

    def __init__(self) -> None:
        self.noted = False

    def note(self, error: Exception) -> None:
        if not self.noted:
            self.noted = True
            sys.stderr.write(
                "tt_perf: compiled kernels cannot be kept, so every process compiles its own; set NUMBA_CACHE_DIR to a "
                f"folder with room that may be written ({error})\n"
            )


_nowhere = _Nowhere()


def inline(function: Callable[..., Any]) -> Any:
    """A piece that kernels call; it is compiled as part of them."""
    return numba.njit(nogil=True, fastmath=FAST, error_model="numpy", inline="never")(function)


class _Cold(event.Listener):
    """The first time that something is compiled, not found in the cache: say so, and let others be compiled ahead."""

    def __init__(self) -> None:
        self.noted = False
        self.lock = threading.Lock()

    def on_start(self, event: Any) -> None:
        module = event.data["dispatcher"].py_func.__module__ or ""  # none where code is run from a string
        if not module.startswith(__package__):
            return  # somebody else's function
        with self.lock:
            noted, self.noted = self.noted, True
        if noted:
            return
        if _nowhere.noted:
            return  # nothing to find on disk: another process would work for itself
        sys.stderr.write(
            "tt_perf: compiling kernels for this machine; this is done once and takes some seconds\n"
        )
        ahead.begin(likely())

    def on_end(self, event: Any) -> None:
        pass


def likely() -> list[str]:
    """Modules of kernels whose operations are in use, and that nobody has imported yet."""
    modules = dict.fromkeys(KERNELS[operation].partition(":")[0] for operation in operations())
    return [module for module in modules if module not in sys.modules]


event.register("numba:compile", _Cold())  # type: ignore[no-untyped-call]
