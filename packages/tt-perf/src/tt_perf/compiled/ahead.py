"""Compiling ahead: while one module's kernels are compiled here, another process compiles those that come next.

numba compiles one function at a time in a process. What another process compiled is found in the cache on disk.
`begin` starts that process for the modules that are likely to be needed; `wait` holds whoever needs one of them until
it is there, as to compile it a second time would take longer.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from collections.abc import Iterable

__all__ = ["begin", "main", "wait"]

_lock = threading.Lock()
_finished = threading.Condition(_lock)
_coming: set[str] = set()
_begun = False


def begin(modules: Iterable[str]) -> None:
    """Compile these modules in another process, in their order; once in a process, later calls do nothing."""
    global _begun
    wanted = list(modules)
    with _lock:
        if _begun or not wanted:
            return
        _begun = True
        _coming.update(wanted)
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "tt_perf.compiled.ahead", *wanted],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError:  # no process to be had: each module is compiled when it is needed
        with _lock:
            _coming.clear()
        return
    threading.Thread(target=_listen, args=(child,), daemon=True, name="tt-compile").start()


def _listen(child: subprocess.Popen[str]) -> None:
    """Take what it finished off the list; all of it when it ends, in whatever way."""
    try:
        with child:
            for line in child.stdout or ():
                with _finished:
                    _coming.discard(line.strip())
                    _finished.notify_all()
    finally:
        with _finished:
            _coming.clear()
            _finished.notify_all()


def wait(module: str) -> None:
    """Until `module` is not being compiled elsewhere."""
    with _finished:
        while module in _coming:
            _finished.wait()


def main(modules: Iterable[str]) -> None:
    """Import, and with it compile, one after the other, and name each that is done on the standard output."""
    global _begun
    _begun = True  # one such process is enough
    for module in modules:
        importlib.import_module(module)
        sys.stdout.write(module + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    from tt_perf.compiled import ahead

    ahead.main(sys.argv[1:])  # the module that kernels import, of which this one is a copy
