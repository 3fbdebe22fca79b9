"""The BLAS libraries of this process, and how many threads each of them uses.

threadpoolctl finds them. Their own functions are then called as they are, for two reasons. Its `set_num_threads` of
OpenBLAS heeds one Python thread and ignores all others without a word (from 3.8 on), so of two that limit BLAS at the
same time, the one that restores it may be the one that isn't heard. And it builds the function's name anew at each
call, which takes longer than the call, and of which Python keeps some thousands.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

__all__ = ["Library", "libraries"]

PREFIXES, SUFFIXES = ("scipy_", ""), ("64_", "", "_64")
"""What stands around the names of OpenBLAS's functions: the one in NumPy's wheels has `scipy_` and `64_`."""


class Library(NamedTuple):
    """How a BLAS library tells, and is told, its number of threads."""

    number: Callable[[], int]
    use: Callable[[int], Any]


@lru_cache
def libraries() -> tuple[Library, ...]:
    """Those that were loaded when this was first called: looking for them takes milliseconds."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return tuple(_library(found) for found in ThreadpoolController().select(user_api="blas").lib_controllers)


def _library(found: Any) -> Library:
    # With OpenMP the number is each thread's own, and OpenMP's to tell.
    if found.internal_api == "openblas" and found.threading_layer != "openmp":
        for prefix in PREFIXES:
            for suffix in SUFFIXES:
                number = getattr(found.dynlib, f"{prefix}openblas_get_num_threads{suffix}", None)
                use = getattr(found.dynlib, f"{prefix}openblas_set_num_threads{suffix}", None)
                if number is not None and use is not None:
                    return Library(number, use)
    return Library(found.get_num_threads, found.set_num_threads)
