"""Archives that are read and never extracted: the members that were asked for, as streams, each checked.

    for member, stream in iter_members("cifar-10-binary.tar.gz", members):
        stream.fill(array)

Whatever the archive says, nothing of it becomes a path here, and no more is taken from it than was declared.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tt_data.archive_compression import Bounded, decompressed
from tt_data.archive_faults import faults_of
from tt_data.archive_stream import Member, MemberStream
from tt_data.archive_tar import tar_members
from tt_data.archive_zip import is_zip, zip_members
from tt_data.download_errors import ArchiveError

__all__ = ["EXTRA", "Member", "MemberStream", "iter_members", "open_bounded", "open_member"]

EXTRA = 1 << 22
"""Bytes that an archive may hold beside the members asked for: headers, padding, a readme."""


def iter_members(
    path: str | os.PathLike[str], members: Sequence[Member]
) -> Iterator[tuple[Member, MemberStream]]:
    """Each of `members` with a stream of its bytes, in the order of the archive: tar (plain, gz, xz, bz2) or zip.

    The kind is told by the first bytes, not by the name. A member is found by the last part of its name, in
    whatever folder it lies. What is not read from a stream is read (and checked) before the next one comes.

    Raises ArchiveError that names the file, the member and what is wrong: a member that is missing, comes twice, is
    larger or smaller than declared, or does not match its checksum; any entry, asked for or not, that is a link or a
    device, or whose name is absolute or has `..` in it; more than `EXTRA` bytes beside the members; damage of any
    kind. Then what came out of a stream that was not read to its end is not verified.
    """
    where = Path(path)
    with faults_of(where), _opened(where) as file:
        if is_zip(file):
            yield from zip_members(file, members, where)
            return
        limit = sum(-(-member.size // 512) * 512 for member in members) + EXTRA
        yield from tar_members(Bounded(decompressed(file), limit, where), members, where)


@contextlib.contextmanager
def open_member(path: str | os.PathLike[str], member: Member) -> Iterator[MemberStream]:
    """A file that is the member, as it is or packed by gzip, xz or bzip2 (told by its first bytes), as a stream.

    Raises ArchiveError, while it is read, if the bytes are not those that `member` declares.
    """
    where = Path(path)
    with contextlib.ExitStack() as stack:
        with faults_of(where):
            file = stack.enter_context(_opened(where))
            stream = MemberStream(decompressed(file), member, where, alone=True)
        yield stream


@contextlib.contextmanager
def open_bounded(path: str | os.PathLike[str], limit: int) -> Iterator[Bounded]:
    """The content of a file of which nothing is known, unpacked if it is packed; for `read(size)`, from its start.

    Raises ArchiveError, while it is read, once more than `limit` bytes come, or if the file is damaged.
    """
    where = Path(path)
    with contextlib.ExitStack() as stack:
        with faults_of(where):
            file = stack.enter_context(_opened(where))
            source = Bounded(decompressed(file), limit, where)
        yield source


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    # A pipe or a device would not end, or not even open.
    if path.exists() and not path.is_file():
        raise ArchiveError(f"{path} is not a file")
    with open(path, "rb") as file:
        yield file
