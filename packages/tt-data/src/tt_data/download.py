"""Published files: found on this machine, or fetched from a mirror, and used only if their sha256 is right.

file = RemoteFile(
    "tinyshakespeare/input.txt",
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    size=1115394,
    urls=("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
)
text = fetch(file).read_text()
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from tt_data.cache import Root, home_for_writing, is_writable, places
from tt_data.cache_lock import exclusive
from tt_data.download_errors import DownloadError, MissingFileError
from tt_data.download_mirrors import download
from tt_data.download_progress import Progress, Show
from tt_data.download_spec import RemoteFile

__all__ = ["RemoteFile", "fetch", "find", "is_verified"]


def fetch(file: RemoteFile, root: Root = None, *, download: bool = True, progress: Progress = "auto") -> Path:
    """The path of `file`, whole and verified; downloaded first if it is not on this machine.

    It is looked for in `root`, or without one in TT_DATA_HOME and the platform's cache folder: under its name, and
    under the last part of its name in the folder and in those directly in it. What is downloaded goes to the first
    of these folders that can be written.

    The mirrors are asked in order; what one breaks off another goes on with. Until it is whole and its sha256 is
    right the file is called `<name>.part`, which stays when the download is interrupted and is gone on with the next
    time. Several processes may ask at once: one fetches, the others wait for it.

    Args:
        file: what to fetch.
        root: the folder to use instead of TT_DATA_HOME and the cache.
        download: whether the network may be used.
        progress: True, False, or "auto": only on a terminal.

    Raises MissingFileError if the file is not here and no mirror gives it (the message says which file to put where,
    with its checksum, and what each mirror answered); DownloadError if it cannot be written.
    """
    wrong: list[str] = []
    found = find(file, root, wrong)
    if found is not None:
        return found
    target = home_for_writing(root) / file.name
    if not download:
        _missing(file, target, [*wrong, "downloading was not allowed (download=False)"])
    try:
        if not is_writable(target.parent):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        target.parent.mkdir(parents=True, exist_ok=True)
        with Show(file.name, file.size, progress) as show:
            lock = target.with_name(target.name + ".lock")
            with exclusive(lock, lambda: show.note("another process fetches it; waiting")):
                # Only now: another process may have finished while we waited.
                if not is_verified(target, file):
                    _download(file, target, wrong, show)
    except DownloadError:
        raise
    except OSError as error:
        _unwritable(file, target, error)
    return target


def find(file: RemoteFile, root: Root = None, wrong: list[str] | None = None) -> Path | None:
    """The path of a verified copy of `file` on this machine, or None.

    It looks where :func:`fetch` does. Files of that name that are not the file are named in `wrong`.
    """
    for path in _candidates(file.name, places(root)):
        reason = _fault(path, file)
        if reason is None:
            return path
        if wrong is not None:
            wrong.append(f"{path} {reason}")
    return None


def is_verified(path: Path, file: RemoteFile) -> bool:
    """Whether there is a file at `path` with the size and the sha256 of `file`. Reads all of it."""
    return path.is_file() and _fault(path, file) is None


def _candidates(name: str, folders: Iterable[Path]) -> list[Path]:
    last = Path(name).name
    found: dict[Path, None] = {}
    for folder in folders:
        try:
            inside = sorted(entry / last for entry in folder.iterdir() if entry.is_dir())
        except OSError:  # not there, or not ours to look into
            inside = []
        found |= dict.fromkeys(path for path in (folder / name, folder / last, *inside) if path.is_file())
    return list(found)


def _fault(path: Path, file: RemoteFile) -> str | None:
    """What is wrong with the file at `path`, or None."""
    try:
        size = path.stat().st_size
        if size != file.size:
            return f"has {size:,} bytes instead of {file.size:,}"
        with open(path, "rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None if digest == file.sha256 else f"is damaged or another file: its sha256 is {digest}"


def _download(file: RemoteFile, target: Path, wrong: list[str], show: Show) -> None:
    refused = download(file, target, show)
    if refused or not file.urls:
        _missing(file, target, [*wrong, *(f"{url}: {reason}" for url, reason in refused.items())])


def _missing(file: RemoteFile, target: Path, reasons: list[str]) -> NoReturn:
    lines = [f"{file.name} ({file.size:,} bytes) is not here and could not be fetched:"]
    lines += [f"  {reason}" for reason in reasons or ["no mirror of it is known"]]
    lines += [
        f"Without a network, bring the file yourself and put it at {target.absolute()}",
        f"  sha256 {file.sha256}",
    ]
    lines += [f"  md5    {file.md5}"] * bool(file.md5)
    lines += [f"  from   {url}" for url in file.urls]
    lines += [f"  terms  {file.licence}"] * bool(file.licence)
    raise MissingFileError("\n".join(lines))


def _unwritable(file: RemoteFile, target: Path, error: OSError) -> NoReturn:
    elsewhere = "set TT_DATA_HOME, or root, to a folder"
    advice = f"{elsewhere} that you may write to"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        advice = f"free some space ({file.size:,} bytes are needed) or {elsewhere} on another disk"
    if target.with_name(target.name + ".part").exists():
        advice += ". What came so far stays and is gone on with"
    failure = DownloadError(
        f"cannot write {file.name} to {os.fspath(target.parent)}: {error.strerror or error}; {advice}"
    )
    failure.errno = error.errno
    raise failure from error
