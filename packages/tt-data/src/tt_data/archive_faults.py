"""One error for all the ways in which the standard library finds a file damaged."""

from __future__ import annotations

import contextlib
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tt_data.download_errors import ArchiveError

__all__ = ["faults_of"]

FAULTS = (
    OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, zipfile.LargeZipFile,
    struct.error, NotImplementedError, ValueError, MemoryError,
)  # fmt: skip


@contextlib.contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Whatever the standard library raises for damaged or unreadable files becomes ArchiveError."""
    try:
        yield
    except ArchiveError:
        raise
    except FAULTS as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ArchiveError(f"{path} cannot be read: {reason}; if it is damaged, fetch it again") from error
