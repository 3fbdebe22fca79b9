"""Where data files lie: in TT_DATA_HOME, or in the platform's cache folder.

| folder | what for | where |
|---|---|---|
| `data_home()` | published files, as they were published | TT_DATA_HOME, else `cache_home()` |
| `cache_home()` | what can be made or fetched again | TT_CACHE_HOME, else the platform's cache folder, `tt` in it |

TT_DATA_HOME may be read-only, and is then only read.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

__all__ = ["Root", "cache_home", "data_home", "home_for_writing", "is_writable", "places"]

Root: TypeAlias = "str | os.PathLike[str] | None"


def data_home() -> Path:
    """TT_DATA_HOME where it is set, else `cache_home()`."""
    return _from_environment("TT_DATA_HOME") or cache_home()


def cache_home() -> Path:
    """TT_CACHE_HOME where it is set, else the platform's cache folder: on Linux `~/.cache/tt`."""
    found = _from_environment("TT_CACHE_HOME")
    if found is None:
        from pooch import os_cache  # type: ignore[import-untyped]

        found = Path(os_cache("tt"))
    return found


def places(root: Root = None) -> list[Path]:
    """The folders to look in, best first: `root` alone where it is given, else `data_home()` and `cache_home()`."""
    if root is not None:
        return [Path(root).expanduser()]
    return list(dict.fromkeys((data_home(), cache_home())))


def home_for_writing(root: Root = None) -> Path:
    """The folder that new files go to: the first of `places(root)` that can be written, else the first."""
    found = places(root)
    return next(filter(is_writable, found), found[0])


def is_writable(folder: Path) -> bool:
    """Whether files can be made in `folder`, or the folder itself in the nearest one above it that there is.

    A folder without any write bit is left alone also by the superuser, whom the system would let.
    """
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return (
            folder.is_dir() and bool(folder.stat().st_mode & 0o222) and os.access(folder, os.W_OK | os.X_OK)
        )
    except OSError:
        return False


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value).expanduser() if value else None
