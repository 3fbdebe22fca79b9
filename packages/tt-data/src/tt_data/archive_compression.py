"""Decompression with a bound on its memory and on what comes out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from pathlib import Path
from typing import Any, BinaryIO

from tt_data.archive_faults import faults_of
from tt_data.archive_stream import Source
from tt_data.download_errors import ArchiveError

__all__ = ["Bounded", "XzFile", "decompressed"]

LZMA_MEMORY = 70 << 20
"""What an xz file may ask for: its level 9 takes 65 MiB, a hostile header claims 4 GiB."""

PIECE = 1 << 17


def decompressed(file: BinaryIO) -> Source:
    """The content of a file: of one packed by gzip, bzip2 or xz what was packed, of any other the file itself."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file, mode="rb")
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if start == b"\xfd7zXZ\0":
        return io.BufferedReader(XzFile(file), PIECE)
    return file


class XzFile(io.RawIOBase):
    """As `lzma.LZMAFile` reads, with a limit on the memory that the file may claim."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LZMA_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        while view:
            if self._decoder.eof:
                packed = self._next_stream(self._decoder.unused_data)
                if not packed:
                    return 0
                self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LZMA_MEMORY)
            elif self._decoder.needs_input:
                packed = self._file.read(PIECE)
                if not packed:
                    raise EOFError("it ends in the middle of the compressed data")
            else:
                packed = b""
            piece = self._decoder.decompress(packed, len(view))
            if piece:
                view[: len(piece)] = piece
                return len(piece)
        return 0

    def _next_stream(self, after: bytes) -> bytes:
        """What follows the padding of zeros after a stream: nothing, or the start of another."""
        while not after.strip(b"\0"):
            after = self._file.read(PIECE)
            if not after:
                return b""
        return after.lstrip(b"\0")


class Bounded:
    """A source that gives at most `limit` bytes: a bomb raises ArchiveError instead of going off."""

    def __init__(self, source: Source, limit: int, path: Path) -> None:
        self._source, self._limit, self._path = source, limit, path
        self.left = limit

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, empty at the end."""
        with faults_of(self._path):
            piece = self._source.read(min(size, self.left + 1))
        self.left -= len(piece)
        if self.left < 0:
            raise ArchiveError(
                f"{self._path} unpacks to more than {self._limit:,} bytes, more than is expected; "
                "not read further"
            )
        return piece
