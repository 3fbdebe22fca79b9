"""Where results go is settled before any training: a place that cannot be written is a wrong argument."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from pathlib import Path

from milestone_kit.errors import UsageError

if sys.platform != "win32":
    import fcntl

__all__ = ["STAGED_SUFFIX", "Places", "staged_name"]

STAGED_SUFFIX = ".part"
ORPHAN_AGE_SECONDS = 60.0


def staged_name() -> str:
    """A fresh name for a file that is written aside: ``.<16 hex digits>.part``."""
    return f".{secrets.token_hex(8)}{STAGED_SUFFIX}"


class Places:
    """Directories made ready for writing, and taken back if nothing was written into them."""

    def __init__(self) -> None:
        self._made: list[Path] = []
        self._held: list[int] = []

    def file(self, path: Path, option: str) -> None:
        """Make the directory of `path` and its parents, and try a file in it.

        Raises :class:`UsageError`, naming `option`, if `path` is there and not a plain file, or if
        its directory is not one, or cannot be made or written.
        """
        folder = path.parent
        try:
            if folder.exists() and not folder.is_dir():
                raise UsageError(f"argument {option}: {str(folder)!r} is a file; give a directory")
            self._make(folder)
            _sweep(folder)
            probe = folder / staged_name()
            os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            probe.unlink()
            if path.exists() and not path.is_file():
                raise UsageError(f"argument {option}: {str(path)!r} is not a plain file; give another place")
        except UsageError:
            self.take_back()
            raise
        except OSError as error:
            self.take_back()
            raise UsageError(
                f"argument {option}: cannot write in {str(folder)!r} ({error.strerror or error}); "
                "give a directory that can be written"
            ) from error

    def hold(self, folder: Path, option: str) -> None:
        """Keep other runs out of `folder` until it is taken back: one would remove the checkpoints of the other.

        Raises :class:`UsageError`, naming `option`, if another run is in it. Where system or disk have no such
        locks, nobody is kept out.
        """
        if sys.platform != "win32":
            self._held.append(os.open(folder, os.O_RDONLY))
            try:
                fcntl.flock(self._held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.take_back()
                raise UsageError(
                    f"argument {option}: another run is at work in {str(folder)!r}; wait for it, or give another "
                    "directory"
                ) from None
            except OSError:
                return

    def take_back(self) -> None:
        """Let go of what is held, and remove the directories made here that are still empty."""
        while self._held:
            os.close(self._held.pop())
        while self._made:
            with contextlib.suppress(OSError):
                self._made.pop().rmdir()

    def _make(self, path: Path) -> None:
        missing = []
        while not path.exists() and path != path.parent:
            missing.append(path)
            path = path.parent
        for step in reversed(missing):
            step.mkdir(exist_ok=True)
            self._made.append(step)


def _sweep(directory: Path) -> None:
    """Remove what a killed run left written aside."""
    for orphan in directory.glob(f".{'[0-9a-f]' * 16}{STAGED_SUFFIX}"):
        try:
            if time.time() - orphan.stat().st_mtime > ORPHAN_AGE_SECONDS:
                orphan.unlink()
        except OSError:
            continue
