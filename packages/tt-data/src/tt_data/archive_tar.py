"""tar (POSIX ustar and pax, GNU) as a stream of bytes, block by block; memory of a block, whatever it claims.

The standard library parses a header's 512 bytes. Its own loop over an archive is not used: it keeps
extended headers of any size in memory.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tt_data.archive_stream import Member, MemberStream, Source
from tt_data.download_errors import ArchiveError

__all__ = ["Wanted", "checked_name", "tar_members"]

BLOCK = 512
EXTENDED = 1 << 16
"""The largest extended header: room for a long name, an owner, times."""
PIECE = 1 << 16


class Wanted:
    """The members asked for, and which of them were found."""

    def __init__(self, members: Sequence[Member], where: Path) -> None:
        self._where = where
        self._left = {member.file_name: member for member in members}
        self._all = dict(self._left)

    def take(self, name: str, size: int) -> Member | None:
        """The member that an entry is, or None. Raises ArchiveError if it came before or has another size."""
        last = name.rpartition("/")[2]
        member = self._all.get(last)
        if member is None:
            return None
        if last not in self._left:
            raise ArchiveError(f"{self._where} holds {last} twice; which one is meant cannot be told")
        if size != member.size:
            raise ArchiveError(
                f"{self._where}: {name} has {size:,} bytes, {member.size:,} were published: not the same file"
            )
        return self._left.pop(last)

    def check(self) -> None:
        """Raises ArchiveError if one is missing."""
        if self._left:
            raise ArchiveError(f"{self._where} does not hold {', '.join(self._left)}")


def checked_name(name: str, where: Path) -> str:
    """The name of an entry. Raises ArchiveError if it is empty, absolute, or leads out of its folder."""
    parts = re.split(r"[/\\]", name)
    if not name or name[0] in "/\\" or re.match(r"[A-Za-z]:", name) or ".." in parts or "\0" in name:
        raise ArchiveError(
            f"{where} holds the name {name!r}, which leads out of a folder; such an archive is refused"
        )
    return name


def tar_members(
    source: Source, members: Sequence[Member], where: Path
) -> Iterator[tuple[Member, MemberStream]]:
    """As `tt_data.archive.iter_members`, for the decompressed bytes of a tar file."""
    wanted = Wanted(members, where)
    renamed: dict[str, str] = {}
    while (header := _block(source, where)) != bytes(BLOCK):
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.TarError as error:
            raise ArchiveError(f"{where} is no tar archive, or is damaged: {error}") from error
        if info.size < 0:
            raise ArchiveError(f"{where} claims a negative size; it is damaged")
        match info.type:
            case tarfile.GNUTYPE_LONGNAME | tarfile.XHDTYPE | tarfile.XGLTYPE | tarfile.SOLARIS_XHDTYPE:
                extended = _extended(source, info, where)
                if info.type != tarfile.XGLTYPE:
                    renamed |= extended
            case tarfile.REGTYPE | tarfile.AREGTYPE | tarfile.CONTTYPE:
                name = checked_name(renamed.pop("path", info.name), where)
                size = int(renamed.pop("size", info.size))
                member = wanted.take(name, size)
                if member is None:
                    _skip(source, size, where)
                else:
                    stream = MemberStream(source, member, where)
                    yield member, stream
                    stream.drain()
                _skip(source, -size % BLOCK, where)
                renamed.clear()
            case tarfile.DIRTYPE:
                checked_name(renamed.pop("path", info.name), where)
                _skip(source, -(-info.size // BLOCK) * BLOCK, where)
                renamed.clear()
            case _:
                raise ArchiveError(
                    f"{where}: {info.name} is a link, a device, or of another kind that is refused "
                    f"(type {info.type!r}); only plain files and folders are read"
                )
    wanted.check()
    while source.read(PIECE):  # to the end, where a compressed file has its checksum
        pass


def _extended(source: Source, info: tarfile.TarInfo, where: Path) -> dict[str, str]:
    """What an extended header says of the next entry: its name and its size, if they did not fit elsewhere."""
    if info.size > EXTENDED:
        raise ArchiveError(
            f"{where} has an extended header of {info.size:,} bytes; more than {EXTENDED:,} is refused"
        )
    content = _exactly(source, info.size, where)
    _skip(source, -info.size % BLOCK, where)
    if info.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": content.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    said = {}
    while content.strip(b"\0"):
        # "%d %s=%s\n", the number counting the whole record.
        found = re.match(rb"(\d{1,6}) ([^=]+)=", content)
        length = int(found[1]) if found else 0
        if found is None or not found.end() < length <= len(content) or content[length - 1 : length] != b"\n":
            raise ArchiveError(f"{where} has an extended header that is damaged")
        key, value = found[2].decode("utf-8", "replace"), content[found.end() : length - 1]
        if key == "linkpath" or key.startswith("GNU.sparse"):
            raise ArchiveError(f"{where} holds a link or a sparse file; such an archive is refused")
        if key in ("path", "size"):
            said[key] = value.decode("utf-8", "surrogateescape")
        content = content[length:]
    if not re.fullmatch(r"\d{1,19}", said.get("size", "0"), re.ASCII):
        raise ArchiveError(f"{where} claims a size that is no number; it is damaged")
    return said


def _block(source: Source, where: Path) -> bytes:
    return _exactly(source, BLOCK, where)


def _exactly(source: Source, size: int, where: Path) -> bytes:
    content = bytearray()
    while len(content) < size:
        piece = source.read(size - len(content))
        if not piece:
            raise ArchiveError(f"{where} ends in the middle, before the mark of its end; it is truncated")
        content += piece
    return bytes(content)


def _skip(source: Source, size: int, where: Path) -> None:
    while size:
        piece = source.read(min(size, PIECE))
        if not piece:
            raise ArchiveError(f"{where} ends in the middle of an entry; it is truncated")
        size -= len(piece)
