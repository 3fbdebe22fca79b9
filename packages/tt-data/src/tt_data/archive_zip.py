"""zip by the standard library, behind checks of what it would take on trust."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tt_data.archive_stream import Member, MemberStream
from tt_data.archive_tar import Wanted, checked_name
from tt_data.download_errors import ArchiveError

__all__ = ["is_zip", "zip_members"]

DIRECTORY = 1 << 20
"""The largest table of contents; the standard library holds all of it in memory."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Those whose decompression in zipfile is bounded by what is asked for."""

ENCRYPTED = 1


def is_zip(file: BinaryIO) -> bool:
    """Whether the file begins as zip archives do."""
    start = file.read(4)
    file.seek(0)
    return start in (b"PK\3\4", b"PK\5\6")


def zip_members(
    file: BinaryIO, members: Sequence[Member], where: Path
) -> Iterator[tuple[Member, MemberStream]]:
    """As `tt_data.archive.iter_members`, for a zip file."""
    _check_directory(file, where)
    wanted = Wanted(members, where)
    with zipfile.ZipFile(file) as archive:
        found = []
        for info in archive.infolist():
            name = checked_name(info.orig_filename, where)
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ArchiveError(
                    f"{where}: {name} is a link or a device; only plain files and folders are read"
                )
            if not info.is_dir() and (member := wanted.take(name, info.file_size)) is not None:
                found.append((member, info))
        wanted.check()
        for member, info in found:
            if info.flag_bits & ENCRYPTED or info.compress_type not in METHODS:
                raise ArchiveError(
                    f"{where}: {member.name} is encrypted, or packed by a method other than deflate; "
                    "pack it anew without"
                )
            with archive.open(info) as source:
                stream = MemberStream(source, member, where, alone=True)
                yield member, stream
                stream.drain()


def _check_directory(file: BinaryIO, where: Path) -> None:
    """Refuse a table of contents that is too large, before it is read."""
    size = file.seek(0, 2)
    # The record of 22 bytes at the end, and behind it a comment of up to 65,535.
    file.seek(max(0, size - 22 - 65535))
    tail = file.read()
    file.seek(0)
    place = tail.rfind(b"PK\5\6")
    if place < 0 or len(tail) - place < 22:
        raise ArchiveError(f"{where} has no table of contents: the zip file is truncated or damaged")
    entries, length = struct.unpack_from("<HI", tail, place + 10)
    if length > DIRECTORY or entries == 0xFFFF:
        raise ArchiveError(
            f"{where} has a table of contents of {length:,} bytes; more than {DIRECTORY:,} is refused"
        )
