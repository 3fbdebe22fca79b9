"""The files of a submission, read once and as if somebody meant harm.

A folder has three files and nothing else: submission.json, weights.safetensors, figures.json. They are opened without
following links, must be plain files, and are read up to a limit, into memory: what is checked is what is judged,
whatever happens to the folder meanwhile.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from tt_perf.competition.errors import SubmissionError, UnsafeSubmissionError

__all__ = ["FIGURES", "MOST", "SUBMISSION", "WEIGHTS", "read_folder"]

SUBMISSION, WEIGHTS, FIGURES = "submission.json", "weights.safetensors", "figures.json"

MOST = {SUBMISSION: 64 << 10, WEIGHTS: 256 << 20, FIGURES: 64 << 10}
"""Bytes that each may have."""


def read_folder(folder: str | PathLike[str], wanted: Iterable[str] = tuple(MOST)) -> dict[str, bytes]:
    """The contents of the files by name.

    Raises SubmissionError where a file is missing, UnsafeSubmissionError for links, other kinds of files, files that
    do not belong there, and files that are too large.
    """
    path = Path(folder)
    try:
        kind = os.lstat(path).st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SubmissionError(f"{folder}: a submission is a folder, and there is none: {reason}") from error
    if stat.S_ISLNK(kind):
        raise UnsafeSubmissionError(f"{folder} is a link; give the folder itself")
    if not stat.S_ISDIR(kind):
        raise SubmissionError(f"{folder} is no folder; a submission is one, with {', '.join(MOST)}")
    names = list(wanted)
    there = sorted(os.listdir(path))
    if strangers := [name for name in there if name not in names]:
        raise UnsafeSubmissionError(
            f"{folder}: {', '.join(map(repr, strangers[:5]))} does not belong in a submission; it has "
            f"{', '.join(names)} and nothing else"
        )
    if missing := [name for name in names if name not in there]:
        raise SubmissionError(f"{folder}: {' and '.join(missing)} is missing")
    return {name: _read(path / name, MOST[name]) for name in names}


def _read(path: Path, most: int) -> bytes:
    # O_NONBLOCK: a pipe by that name would be waited for.
    flags = os.O_RDONLY
    for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, flag, 0)
    if path.is_symlink():  # where the system has no O_NOFOLLOW
        raise UnsafeSubmissionError(f"{path} is a link; a submission has files of its own")
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnsafeSubmissionError(f"{path} is a link; a submission has files of its own") from error
        raise SubmissionError(f"cannot read {path}: {error.strerror or error}") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise UnsafeSubmissionError(f"{path} is no plain file")
    with open(descriptor, "rb") as file:
        contents = file.read(most + 1) if found.st_size <= most else b""
    if found.st_size > most or len(contents) > most:
        raise UnsafeSubmissionError(
            f"{path} has {found.st_size:,} bytes, more than the {most:,} that are taken"
        )
    return contents
