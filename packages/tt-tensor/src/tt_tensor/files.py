"""Files that are written whole: aside, flushed to the disk, then renamed; what was there before stays until then."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["sync_folder", "whole_file"]


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file to write in the block; at its end, it stands at `path` and on the disk.

    Where the block raises, or the disk refuses (OSError), `path` is as it was, and nothing is left behind.
    """
    target = Path(path)
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with open(aside, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, target)
        sync_folder(target.parent)
    finally:
        aside.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows has no such call, and some network file systems refuse it."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
