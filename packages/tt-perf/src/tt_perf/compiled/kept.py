# mypy: disable-error-code="no-untyped-call"
"""Kept: where compiled kernels lie, and which of them are those of the sources.

numba looks at the file in which a kernel stands, but pieces from other files here are compiled into it. So what is kept
bears a stamp of everything that it was made of: the contents of every source here, the versions of what compiled them,
and the settings of numba. The times of files are not in it: where NUMBA_CACHE_DIR names a folder, it has one of its own
for each stamp, in which every copy of the same sources (in another environment) finds what the first compiled.

A process whose sources change while it runs may have read some before and some after. It keeps nothing from then on,
and takes nothing.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import llvmlite  # type: ignore[import-untyped]
import numba
import numpy as np
from numba.core import caching

__all__ = ["keep", "stamp", "unchanged"]

HERE = Path(__file__).parent

_config: Any = numba.config


def keep(kernel: Any) -> None:
    """Let what `kernel` is compiled to be found again, in this process or another, for as long as the stamp holds."""
    kernel._cache = _Cache(kernel.py_func)  # what numba's own enable_caching() does with its own
    found = kernel._cache._cache_file
    if not isinstance(kernel._cache._impl.locator, _Shared):
        # Beside the source, or somebody else's kernel, with our pieces in it: its own file counts, too. Of that, numba
        # looks at the contents in its later versions only.
        found._source_stamp = (found._source_stamp, _content(kernel.py_func.__code__.co_filename), stamp())


def _sources() -> list[Path]:
    return sorted(HERE.glob("*.py"))


def _times() -> dict[str, tuple[int, int]]:
    if not HERE.is_dir():
        return {}  # in an archive, which numba looks at
    # Before each kernel: os.scandir takes a tenth of the time that Path.glob does.
    with os.scandir(HERE) as entries:
        return {
            entry.name: ((found := entry.stat()).st_mtime_ns, found.st_size)
            for entry in entries
            if entry.name.endswith(".py")
        }


_before = _times()  # now: no module with a kernel has been read


def unchanged() -> bool:
    """Whether the sources are those that this process began with."""
    return _times() == _before


@lru_cache
def _content(file: str) -> str:
    """A digest of a file; nothing where it is none, as for what is typed in."""
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        return ""


@lru_cache
def stamp() -> str:
    """A digest of all that a kernel is made of."""
    digest = hashlib.sha256()
    for module in (numba, llvmlite, np):
        digest.update(f"{module.__name__} {module.__version__}\n".encode())
    for name, value in sorted(os.environ.items()):
        if name.startswith("NUMBA_") and not name.startswith(("NUMBA_CACHE_", "NUMBA_NUM_THREADS")):
            digest.update(f"{name} {value}\n".encode())
    for path in _sources():
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


class _Shared(caching._CacheLocator):  # type: ignore[misc]
    """A folder in the one that NUMBA_CACHE_DIR names. numba itself makes one for each path that sources may have."""

    def __init__(self, function: Any) -> None:
        self._line = function.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return os.path.join(_config.CACHE_DIR, "tt_perf_" + stamp()[:32])

    def get_source_stamp(self) -> str:
        return stamp()

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, function: Any, file: str) -> Any:
        """None where there is no such folder, or `function` is not one of ours."""
        if not _config.CACHE_DIR or Path(file).parent != HERE or not os.path.exists(file):
            return None
        found = cls(function)
        try:
            found.ensure_cache_path()
        except OSError:
            return None
        return found


class _Impl(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes: list[Any] = [_Shared, *caching.CompileResultCacheImpl._locator_classes]


class _Cache(caching.FunctionCache):  # type: ignore[misc]
    _impl_class = _Impl
