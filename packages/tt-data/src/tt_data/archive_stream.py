"""The bytes of one member, counted and hashed as they are read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from tt_data.archive_faults import faults_of
from tt_data.download_errors import ArchiveError
from tt_tensor.errors import ArgumentError

__all__ = ["Member", "MemberStream"]

PIECE = 1 << 20


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Member:
    """One file as it was published: its name, its size in bytes, and its checksum.

    `checksum` is written as pooch does: `"sha256:…"`, `"sha1:…"`, `"md5:…"` in hexadecimal digits, sha256 where
    no algorithm is named. An empty one stands for a file whose checksum nobody has published: then its size
    alone is checked.
    """

    name: str
    size: int
    checksum: str = ""

    def __post_init__(self) -> None:
        if not PurePosixPath(self.name).name or self.size < 0:
            raise ArgumentError(f"Member: {self.name!r} of {self.size} bytes is no file")
        algorithm, digits = self.split_checksum()
        lengths = {"sha256": 64, "sha1": 40, "md5": 32}
        if digits and (len(digits) != lengths.get(algorithm) or set(digits) - set("0123456789abcdef")):
            raise ArgumentError(
                f"Member: {self.checksum!r} is no checksum of {self.name}; write sha256:, sha1: or md5: and its digits"
            )

    def split_checksum(self) -> tuple[str, str]:
        """The algorithm and the digits, in small letters."""
        algorithm, _, digits = self.checksum.lower().rpartition(":")
        return algorithm or "sha256", digits

    @property
    def file_name(self) -> str:
        """The last part of the name."""
        return PurePosixPath(self.name).name


class MemberStream(io.RawIOBase):
    """Reads exactly `member.size` bytes. The read that brings the last of them raises ArchiveError if they are wrong.

    `tee`, if given, is called with each piece as it comes; what it got is verified once `verified` is True.
    """

    def __init__(self, source: Source, member: Member, where: Path, alone: bool = False) -> None:
        super().__init__()
        self.member, self.where = member, where
        self.left = member.size
        self.tee: Callable[[memoryview], Any] | None = None
        self.verified = False
        self._source, self._alone = source, alone
        self._algorithm, self._wanted = member.split_checksum()
        self._digest = hashlib.new(self._algorithm, usedforsecurity=False)
        if not self.left:
            self._finish()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer` up to its length. Returns how many bytes came, 0 at the end."""
        view = memoryview(buffer).cast("B")[: min(self.left, PIECE)]
        if not view:
            return 0
        with faults_of(self.where):
            piece = self._source.read(len(view))
        if not piece:
            raise ArchiveError(
                f"{self.where}: {self.member.name} ends after {self.member.size - self.left:,} of "
                f"{self.member.size:,} bytes: the file is truncated; fetch it again"
            )
        view[: len(piece)] = piece
        self._digest.update(piece)
        self.left -= len(piece)
        if self.tee is not None:
            self.tee(view[: len(piece)])
        if not self.left:
            self._finish()
        return len(piece)

    def fill(self, array: Any) -> None:
        """Read as many bytes as `array`, a contiguous buffer, has."""
        view = memoryview(array).cast("B")
        if len(view) > self.left:
            raise ArchiveError(
                f"{self.where}: {self.member.name} has {self.left:,} bytes left, not {len(view):,}"
            )
        while view:
            view = view[self.readinto(view) :]

    def drain(self) -> None:
        """Read, and so check, what is left."""
        buffer = bytearray(min(self.left, PIECE))
        while self.left:
            self.readinto(buffer)

    def _finish(self) -> None:
        # One byte more must not come; asking for it also makes a decompressor check its own checksum.
        with faults_of(self.where):
            more = self._source.read(1) if self._alone else b""
        if more:
            raise ArchiveError(
                f"{self.where} holds more than the {self.member.size:,} bytes of {self.member.name}; not read further"
            )
        found = self._digest.hexdigest()
        if self._wanted and found != self._wanted:
            raise ArchiveError(
                f"{self.where}: {self.member.name} is damaged or another file: expected {self._algorithm} "
                f"{self._wanted}, found {found}; fetch it again"
            )
        self.verified = True
