"""A file that is under its final name whole, or not at all: written as `<name>.part`, flushed, renamed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from tt_tensor.files import sync_folder

__all__ = ["Aside"]


class Aside:
    """Writes `<target>.part`, which takes the place of `target` at `commit()` and is removed otherwise.

    For one writer at a time: hold the lock. What a killed writer left is overwritten by the next one.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._file = open(self.path, "wb")  # noqa: SIM115  (closed in `discard` and `commit`)
        self._placed = False

    def write(self, data: Any) -> None:
        """Append all of `data`, any buffer."""
        self._file.write(data)

    def commit(self) -> None:
        """Flush, rename, flush the folder."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self.path, self.target)
        self._placed = True
        sync_folder(self.target.parent)

    def discard(self) -> None:
        """Remove what was written; nothing after `commit()`."""
        if not self._placed:
            with contextlib.suppress(OSError):  # a full disk, when what is in the buffer has to go somewhere
                self._file.close()
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)

    def __enter__(self) -> Aside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()
