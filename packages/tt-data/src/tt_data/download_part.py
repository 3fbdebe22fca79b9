"""The file as far as it has come: `<name>.part`, and beside it `<name>.part.json`, which tells what it is part of."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from tt_data.download_spec import RemoteFile
from tt_tensor.files import sync_folder

__all__ = ["Part"]

PIECE = 1 << 20


class Part:
    """Opens what an earlier download left, or nothing, for writing at its end. For the holder of the lock."""

    def __init__(self, target: Path, file: RemoteFile) -> None:
        self.target, self.file = target, file
        self.path = target.with_name(target.name + ".part")
        self.note = target.with_name(target.name + ".part.json")
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._opened = os.fdopen(os.open(self.path, flags, 0o666), "r+b", buffering=0)
        self._committed = False
        try:
            self.size = self._opened.seek(0, os.SEEK_END)
            self.resumed = self.size > 0
            self._said = self._read_note()
            if self._said.get("sha256") != file.sha256 or self.size > file.size:
                self.restart()
        except BaseException:
            self._opened.close()
            raise

    def headers(self, url: str) -> dict[str, str]:
        """Those that ask `url` for the rest: only if its file is still the same one, where it can tell."""
        if not self.size:
            return {}
        headers = {"Range": f"bytes={self.size}-"}
        if self._said.get("url") == url and self._said.get("validator"):
            headers["If-Range"] = self._said["validator"]
        return headers

    def restart(self, url: str = "", validator: str = "") -> None:
        """Begin anew, with bytes from `url`, which calls this version of the file `validator` (its ETag, or time)."""
        self._opened.seek(0)
        self._opened.truncate()
        self.size, self.resumed = 0, False
        self._said = {"sha256": self.file.sha256, "url": url, "validator": validator}
        self.note.write_text(json.dumps(self._said), encoding="utf-8")

    def write(self, data: bytes) -> None:
        """Append."""
        view = memoryview(data)
        while view:
            count = self._opened.write(view)
            self.size += count
            view = view[count:]

    def commit(self) -> bool:
        """Give the file its name if its sha256, read back from the file, is right. Returns whether it was."""
        self._opened.seek(0)
        right = hashlib.file_digest(self._opened, "sha256").hexdigest() == self.file.sha256
        self._opened.seek(0, os.SEEK_END)
        if right:
            os.fsync(self._opened.fileno())
            if sys.platform == "win32":  # an open file has no other name there
                self._opened.close()
            os.replace(self.path, self.target)
            self._committed = True
            sync_folder(self.target.parent)
        return right

    def _read_note(self) -> dict[str, str]:
        try:
            said: Any = json.loads(self.note.read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(said, dict):
            return {}
        return {key: value for key, value in said.items() if isinstance(value, str)}

    def __enter__(self) -> Part:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()
        with contextlib.suppress(OSError):
            if not self._committed and not self.size:
                self.path.unlink(missing_ok=True)
            if self._committed or not self.size:
                self.note.unlink(missing_ok=True)
