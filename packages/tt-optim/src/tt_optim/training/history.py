"""History: what training reported, one JSON object a line, readable after any crash.

A line is written whole and flushed at once, so that a killed process leaves at most one torn line, the last; `sync`
(called before every checkpoint) puts all of them on the disk. A checkpoint remembers how many lines there were; a
resume cuts the file to that many, so no line comes twice.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, TTError

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["TIMES", "History", "HistoryError"]

TIMES = ("seconds", "samples_per_second")
"""The fields that differ between two runs of the same training."""


class HistoryError(TTError, ValueError):
    """A history file is not what it should be."""


class History:
    """The records of a run, in memory and, given a path, in a file.

    A record is a dict with "kind" ("step", "evaluate" or "epoch"), "step", "epoch", "seconds" and figures. A figure
    that is not finite is None, as JSON has no nan.

        history["val_loss"]         its values, in order
        history.column("loss")      (steps, values)
        history.epochs              the records at the ends of epochs

    Args:
        path: the file to append to; None keeps the records in memory only.
    """

    def __init__(self, path: str | PathLike[str] | None = None) -> None:
        self.path = None if path is None else Path(path)
        self.records: list[dict[str, Any]] = []
        self._file: IO[bytes] | None = None

    @classmethod
    def read(cls, path: str | PathLike[str]) -> History:
        """The records of a file, without a torn last line. Raises HistoryError for a file of another kind."""
        history = cls(path)
        history.records, _ = _parse(Path(path))
        return history

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record, and write its line. Raises OSError where the disk refuses."""
        kept = {name: _plain(value) for name, value in record.items()}
        self.records.append(kept)
        if self.path is not None:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = open(self.path, "ab")  # noqa: SIM115  (closed by close())
            self._file.write(json.dumps(kept, allow_nan=False).encode() + b"\n")
            self._file.flush()

    def cut(self, lines: int) -> None:
        """Keep the first `lines` records, in memory and in the file; what follows them goes.

        Raises HistoryError for a file with fewer lines, or of another kind; it is left as it is.
        """
        self.close()
        if self.path is None or not self.path.exists():
            # Moved to another place: it goes on there.
            del self.records[lines:]
            return
        found, ends = _parse(self.path)
        if len(found) < lines:
            raise HistoryError(
                f"{self.path} has {len(found)} lines, but {lines} were written before the checkpoint; it is another "
                "run's, or was cut since. Move it away, or give another path as `history`"
            )
        self.records = found[:lines]
        size = ends[lines - 1] if lines else 0
        if self.path.stat().st_size > size:
            with open(self.path, "r+b") as file:
                file.truncate(size)
                os.fsync(file.fileno())

    def sync(self) -> None:
        """Put what was written on the disk itself."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; the next `append` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """The records at the ends of epochs."""
        return [record for record in self.records if record["kind"] == "epoch"]

    @property
    def names(self) -> list[str]:
        """The figures that there are."""
        found = (name for record in self.records for name in record)
        return [name for name in dict.fromkeys(found) if name not in ("kind", "step", "epoch")]

    def column(self, name: str, kind: str | None = None) -> tuple[list[int], list[Any]]:
        """(steps, values) of a figure: in the records of one kind, by default all that have it, "step" ones aside.

        Raises ArgumentError for a figure that no record has.
        """
        found = [record for record in self.records if name in record]
        if not found:
            raise ArgumentError(f"History: no figure {name!r}; there are {', '.join(self.names) or 'none'}")
        if kind is not None:
            found = [record for record in found if record["kind"] == kind]
        elif any(record["kind"] != "step" for record in found):
            found = [record for record in found if record["kind"] != "step"]
        return [record["step"] for record in found], [record[name] for record in found]

    def __getitem__(self, name: str) -> list[Any]:
        return self.column(name)[1]

    def __contains__(self, name: object) -> bool:
        return any(name in record for record in self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.records)

    def __repr__(self) -> str:
        where = "" if self.path is None else f", {str(self.path)!r}"
        return f"<History of {len(self.records)} records{where}>"


def _parse(path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """The records of a file, and at which byte each line ends. A last line without its end was torn, and is none."""
    records, ends, at = [], [], 0
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        if not line.endswith(b"\n"):
            break
        at += len(line)
        try:
            record = json.loads(line)
            if not (isinstance(record, dict) and isinstance(record["kind"], str) and "step" in record):
                raise ValueError
        except (ValueError, KeyError) as error:
            raise HistoryError(f"{path}, line {number}, is no record of a history") from error
        records.append(record)
        ends.append(at)
    return records, ends


def _plain(value: Any) -> Any:
    """`value` as JSON holds it."""
    if isinstance(value, Tensor):
        value = value.array
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
