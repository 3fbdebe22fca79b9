"""A file that is whole or not there: written aside, flushed to the disk, renamed; and what dead writers left.

While a file is being written it has the name `.<final name>.<host>-<pid>-<random>.part` and its writer holds a
lock on it (flock, which the system takes back however the writer ends). So another process can tell the
file of a live writer from an orphan, also where process numbers start again from 1, as in containers.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

if sys.platform != "win32":
    import fcntl

__all__ = ["Aside", "clean"]

PIECE = 1 << 24
STRANGER = 24 * 3600.0
"""Seconds without a write after which another machine's file counts as an orphan; its locks may not reach us."""


class Aside:
    """Writes a file that takes the place of `target` when it is committed, and leaves nothing otherwise.

        with Aside(path) as file:
            file.write(data)
            file.commit()

    Raises OSError where the system refuses; `target` is then as it was. The one exception is a folder that
    cannot be flushed: the new file is then in place, whole, but might not outlive a power cut.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        while True:
            self.path = target.with_name(
                f".{target.name}.{_host()}-{os.getpid()}-{secrets.token_hex(4)}.part"
            )
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            self.descriptor = os.open(self.path, flags, 0o666)
            try:
                # Between the two calls `clean` of another process may have taken it for an orphan.
                if _lock(self.descriptor) is not False and os.fstat(self.descriptor).st_nlink:
                    return
            except BaseException:
                self._discard()
                raise
            self._discard()

    def write(self, data: Any) -> None:
        """Append all of `data`, any buffer."""
        view = memoryview(data).cast("B")
        while view:
            view = view[os.write(self.descriptor, view[:PIECE]) :]

    def commit(self) -> os.stat_result:
        """Flush, rename, flush the folder. Returns what the system says of the file now in place."""
        os.fsync(self.descriptor)
        status = os.fstat(self.descriptor)
        if sys.platform == "win32":  # an open file has no other name there
            self._close()
        os.replace(self.path, self.target)
        _sync_folder(self.target.parent)
        return status

    def _close(self) -> None:
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)

    def _discard(self) -> None:
        if sys.platform == "win32":  # what is open cannot be removed there
            self._close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self._close()

    def __enter__(self) -> Aside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._discard()


def clean(folder: Path, name: re.Pattern[str]) -> list[Path]:
    """Remove what dead writers left aside for files whose name matches `name`. Returns what was removed.

    A file stays if its writer lives, if it is of another machine and younger than a day, or if it may not be
    removed.
    """
    return [path for path in _asides(folder, name) if _removed(path)]


def _asides(folder: Path, name: re.Pattern[str]) -> Iterator[Path]:
    for path in sorted(folder.glob(".*.part")):
        target, _, writer = path.name[1:].removesuffix(".part").rpartition(".")
        if name.fullmatch(target) and re.fullmatch(r"[\w-]+-\d+-[0-9a-f]{8}", writer, re.ASCII):
            yield path


def _removed(path: Path) -> bool:
    host, pid, _ = path.name.removesuffix(".part").rpartition(".")[2].rsplit("-", 2)
    try:
        if host != _host() and time.time() - path.stat().st_mtime < STRANGER:
            return False
        if sys.platform == "win32":  # removing what somebody has open fails
            path.unlink()
            return True
        descriptor = os.open(path, os.O_WRONLY)
        try:
            free = _lock(descriptor)
            if free is None:
                free = host == _host() and not _lives(int(pid))
            if free:
                path.unlink()
            return free
        finally:
            os.close(descriptor)
    except OSError:
        return False


def _lock(descriptor: int) -> bool | None:
    """Take the lock of a file: False if another holds it, None where there are no locks."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _host() -> str:
    return re.sub(r"[^\w-]", "_", socket.gethostname(), flags=re.ASCII)[:32] or "_"


def _sync_folder(folder: Path) -> None:
    """Make the rename durable; Windows has no such call and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
