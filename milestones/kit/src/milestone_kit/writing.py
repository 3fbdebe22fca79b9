"""Results are written together: all of them aside and synced first, then renamed; or none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from milestone_kit.errors import WriteError
from milestone_kit.places import staged_name

__all__ = ["write_together"]


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write every file of `files`, so that a reader sees each one whole, old or new.

    Every file is written under another name in its own directory and fsynced; only when all are on
    the disk are they renamed, in the order given. Raises :class:`WriteError` naming the file; if
    writing failed, nothing was changed; if a rename failed, those before it are new and whole.
    """
    staged: list[tuple[Path, Path]] = []
    path = Path()
    renamed = 0
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.parent / staged_name()
            staged.append((aside, path))
            _write(aside, data)
        for aside, path in staged:
            os.replace(aside, path)
            renamed += 1
        for directory in {path.parent for path in files}:
            _sync_directory(directory)
    except OSError as error:
        state = f"{renamed} of {len(files)} files are new, the others are" if renamed else "every file is"
        raise WriteError(
            f"cannot write {str(path)!r}: {error.strerror or error}; {state} as before. "
            "Free some space or give another place with --out"
        ) from error
    finally:
        for aside, _ in staged[renamed:]:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    if os.name == "nt":  # Windows cannot open a directory for fsync
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        # Some network and container file systems refuse this; the renames are done either way.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
