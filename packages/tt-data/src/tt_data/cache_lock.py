"""One process at a time: a lock that the system takes back, however its holder ends."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

from tt_data.download_errors import DownloadError

__all__ = ["exclusive"]

POLL_SECONDS = 0.05


@contextlib.contextmanager
def exclusive(path: Path, waiting: Callable[[], object] | None = None) -> Iterator[None]:
    """Hold the lock file `path`; wait as long as another process or thread holds it.

    The lock is on the open file, so the system frees it when its holder dies: there are no stale locks. The file
    is removed at the end. `waiting` is called once if somebody else was first.

    Raises DownloadError where the file system has no locks, OSError where the file cannot be made.
    """
    descriptor = _locked(path, waiting)
    try:
        yield
    finally:
        if sys.platform != "win32":
            # While it is still held, so that whoever waits for it finds that it is gone, and makes a new one.
            with contextlib.suppress(OSError):
                path.unlink()
        os.close(descriptor)
        if sys.platform == "win32":  # what is open cannot be removed there
            with contextlib.suppress(OSError):
                path.unlink()


def _locked(path: Path, waiting: Callable[[], object] | None) -> int:
    first = True
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOINHERIT", 0), 0o666)
        try:
            while not _try(descriptor, path):
                if first and waiting is not None:
                    waiting()
                first = False
                time.sleep(POLL_SECONDS)
            if sys.platform == "win32" or os.fstat(descriptor).st_nlink:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        # The holder before us has removed the file: what we hold is a lock that nobody else can see.
        os.close(descriptor)


def _try(descriptor: int, path: Path) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise DownloadError(
            f"cannot lock {path}: {error.strerror or error}; its file system has no locks, so set TT_DATA_HOME "
            "(and TT_CACHE_HOME) to a folder on a local disk"
        ) from error
    return True
