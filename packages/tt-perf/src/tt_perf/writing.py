"""Files that are written whole: aside first, flushed, then renamed; what was there before stays until then."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from tt_tensor.files import whole_file

__all__ = ["check_place", "write_whole"]


def check_place(path: str | os.PathLike[str]) -> Path:
    """Where a file of this name would be written: behind links, so that a link stays one.

    Raises IsADirectoryError where a folder has that name, FileNotFoundError where there is no folder to put it in.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "this is a folder; give the name of a file", str(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder to write in", str(target.parent))
    return target


def write_whole(path: str | os.PathLike[str], text: str) -> None:
    """Write text as UTF-8; the file is there as a whole or not at all. Devices and pipes are written to as they are.

    Raises OSError as `check_place`, and where the disk refuses; nothing is left behind.
    """
    contents = text.encode("utf-8")
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        Path(path).write_bytes(contents)  # /dev/stdout is no file to be renamed away
        return
    with whole_file(check_place(path)) as file:
        file.write(contents)
