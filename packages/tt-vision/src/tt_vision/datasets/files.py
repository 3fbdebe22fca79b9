"""Where the files of a dataset are: unpacked in a folder, in an archive, in the cache, or on the publisher's server.

Whichever it is, what counts is the checksum of each member's bytes, so equivalent copies are as good as the official
ones: other compression, another archive, other folders. Archives are decoded once; the members are then kept,
verified, as files of their own in the cache folder, and their checksums are checked again each time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from tt_data.archive import Member, MemberStream, iter_members, open_member
from tt_data.cache import Root, cache_home, is_writable, places
from tt_data.cache_aside import Aside
from tt_data.cache_lock import exclusive
from tt_data.download import RemoteFile, fetch
from tt_data.download_errors import ArchiveError, DownloadError
from tt_data.download_progress import Progress, Show
from tt_data.errors import DatasetError

__all__ = ["Published", "read_members"]

Take: TypeAlias = Callable[[Member, MemberStream], object]
PACKED = ("", ".gz", ".xz", ".bz2")


@dataclass(frozen=True)
class Published:
    """A dataset as it was published.

    Args:
        title: what people call it.
        members: all its files, with their checksums.
        folders: those in which the members may lie, from a place to look in; "." is that place itself.
        archives: what an archive with all members may be called there.
        downloads: the archive; or one file for each member, packed or not, in the order of `members`.
    """

    title: str
    members: tuple[Member, ...]
    folders: tuple[str, ...]
    archives: tuple[str, ...]
    downloads: tuple[RemoteFile, ...]


@dataclass
class _Search:
    published: Published
    wanted: Sequence[Member]
    take: Take
    progress: Progress
    faults: list[str] = field(default_factory=list)


def read_members(
    published: Published, wanted: Sequence[Member], take: Take, root: Root, download: bool, progress: Progress
) -> None:
    """Hand each of `wanted` to `take(member, stream)`, which reads the stream to its end.

    What `take` was given counts only once this returns: a member that turns out damaged is given again from elsewhere.

    Args:
        root: a folder, or an archive, to use instead of TT_DATA_HOME and the cache.
        download: whether the network may be used.

    Raises DatasetError that tells what was found, what is wrong with it, and which file to put where.
    """
    search = _Search(published, wanted, take, progress)
    found = places(root)
    if root is not None and found[0].is_file():
        if not _from_archive(search, found[0]):
            raise _nothing(search, f"{found[0]} is the only place to look in")
        return
    for place in found:
        if any(_from_folder(search, place / folder) for folder in published.folders):
            return
    for place in found:
        for name in published.archives:
            if (place / name).is_file() and _from_archive(search, place / name):
                return
    if not published.downloads:
        raise _nothing(search, "nothing is known to download")
    if len(published.downloads) == 1:
        whole = _from_archive(search, _fetched(search, published.downloads, root, download)[0])
    else:
        files = [published.downloads[published.members.index(member)] for member in wanted]
        paths = _fetched(search, files, root, download)
        whole = all(_took(search, member, path) for member, path in zip(wanted, paths, strict=True))
    if not whole:
        raise _nothing(search, "what was published does not hold it")


def _fetched(search: _Search, files: Sequence[RemoteFile], root: Root, download: bool) -> list[Path]:
    """The files on this machine. Raises DatasetError that names all of those that cannot be had."""
    paths: list[Path] = []
    errors: list[DownloadError] = []
    for file in files:
        try:
            # Where one could not be had, the others are looked for, but not waited for.
            paths.append(fetch(file, root, download=download and not errors, progress=search.progress))
        except DownloadError as error:
            errors.append(error)
    if errors:
        raise _nothing(search, "\n".join(map(str, errors))) from errors[0]
    return paths


def _from_folder(search: _Search, folder: Path) -> bool:
    """Whether all that is wanted was read from files in `folder`."""
    found = []
    for member in search.wanted:
        paths = [path for end in PACKED if (path := folder / (member.file_name + end)).is_file()]
        if not paths:
            return False
        found.append((member, paths))
    return all(any(_took(search, member, path) for path in paths) for member, paths in found)


def _took(search: _Search, member: Member, path: Path) -> bool:
    try:
        with open_member(path, member) as stream:
            search.take(member, stream)
            stream.drain()
    except (ArchiveError, DatasetError) as error:
        search.faults.append(str(error))
        return False
    return True


def _from_archive(search: _Search, path: Path) -> bool:
    """Whether all that is wanted was read from the archive, or from what the cache kept of one."""
    kept = cache_home() / search.published.folders[0]
    if _from_folder(search, kept):
        return True
    total = sum(member.size for member in search.published.members)
    with Show(f"reading {path.name}", total, search.progress) as show:
        try:
            with _to_keep(kept, lambda: show.note("another process reads it; waiting")) as keep:
                # Only now: another process may have finished while we waited.
                if keep is not None and _from_folder(search, kept):
                    return True
                _decode(search, path, keep, show)
        except (ArchiveError, DatasetError) as error:
            search.faults.append(str(error))
            return False
    return True


def _decode(search: _Search, path: Path, keep: _Keep | None, show: Show) -> None:
    done = 0
    # All members, also those not wanted now: the other split would have to decode the archive once more.
    for member, stream in iter_members(path, search.published.members):

        def saw(piece: memoryview, member: Member = member) -> None:
            nonlocal done
            done += len(piece)
            show.at(done)
            if keep is not None:
                keep.write(member, piece)

        stream.tee = saw
        if member in search.wanted:
            search.take(member, stream)
        stream.drain()
    if keep is not None:
        keep.commit()


class _Keep:
    """Members on their way into the cache; given up quietly where there is no room for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asides: dict[str, Aside] = {}
        self.failed = False

    def write(self, member: Member, piece: memoryview) -> None:
        if self.failed:
            return
        try:
            if member.file_name not in self.asides:
                self.asides[member.file_name] = Aside(self.folder / member.file_name)
            self.asides[member.file_name].write(piece)
        except OSError:
            self.failed = True
            self.discard()

    def commit(self) -> None:
        """Give all of them their names. Each was verified when its last byte was read."""
        if not self.failed:
            with contextlib.suppress(OSError):
                for aside in self.asides.values():
                    aside.commit()

    def discard(self) -> None:
        """Remove what has no name yet, and the folder if nothing is in it."""
        for aside in self.asides.values():
            aside.discard()
        with contextlib.suppress(OSError):
            self.folder.rmdir()


@contextlib.contextmanager
def _to_keep(folder: Path, waiting: Callable[[], object]) -> Iterator[_Keep | None]:
    """The cache folder, locked; None if nothing can be written there."""
    with contextlib.ExitStack() as stack:
        keep = None
        with contextlib.suppress(OSError):
            if is_writable(folder):
                folder.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(exclusive(folder.with_name(folder.name + ".lock"), waiting))
                folder.mkdir(exist_ok=True)
                keep = _Keep(folder)
                stack.callback(keep.discard)
        yield keep


def _nothing(search: _Search, reason: str) -> DatasetError:
    found = "".join(f"\n  found, but {fault}" for fault in search.faults)
    return DatasetError(f"{search.published.title}: no files that can be used.{found}\n{reason}")
