"""A folder with the tensors of one model: model.safetensors, or several shards and an index.

What is in the files is compared with what the configuration needs before any memory is taken: a header of a few
kilobytes tells all names and shapes. Then the shards are read one after the other.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tt_nn import WeightsError, load
from tt_tensor import Tensor
from tt_text.errors import PretrainedError
from tt_text.models.config_file import read_object

__all__ = ["Entry", "SafetensorsFolder", "read_header"]

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
HEADER = 1 << 24
"""Bytes that a header may have; that of a model with a thousand tensors has 100 KB."""
FLOATS = ("F16", "BF16", "F32", "F64")
MOST_FAULTS = 8
"""So many are listed; of a model that is another one altogether, the rest tells nothing new."""


class Entry(NamedTuple):
    """What a header says of a tensor."""

    dtype: str
    """As safetensors calls it: F32, BF16, …"""
    shape: tuple[int, ...]
    file: Path


class SafetensorsFolder:
    """The tensors of a folder by name.

    Args:
        folder: holds model.safetensors, or model.safetensors.index.json and the shards that it names.

    Raises PretrainedError where files are missing or damaged, where a shard lies outside of the folder, or where a
    tensor is in two of them or not where the index says.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        if (self.folder / SINGLE).exists():
            self.entries = read_header(self.folder / SINGLE)
        elif (self.folder / INDEX).exists():
            self.entries = self._sharded()
        else:
            pickled = sorted(path.name for path in self.folder.glob("*.bin"))
            raise PretrainedError(
                f"{self.folder} has neither {SINGLE} nor {INDEX}"
                + (
                    f"; {pickled[0]} is a pickle, which runs code when it is read: convert it first"
                    if pickled
                    else ""
                )
            )

    def _sharded(self) -> dict[str, Entry]:
        path = self.folder / INDEX
        where = read_object(path, "the index of the model's shards", PretrainedError).get("weight_map")
        if not isinstance(where, dict) or not where:
            raise PretrainedError(f"{path}: weight_map must map tensors' names to files, not {_shown(where)}")
        entries: dict[str, Entry] = {}
        for name in dict.fromkeys(_plain_name(path, shard) for shard in where.values()):
            for tensor, entry in read_header(self.folder / name).items():
                if tensor in entries:
                    raise PretrainedError(
                        f"{tensor!r} is in {entries[tensor].file.name} and in {name}; one is too many"
                    )
                entries[tensor] = entry
        for tensor, name in where.items():
            if tensor not in entries or entries[tensor].file.name != name:
                raise PretrainedError(f"{path}: {_shown(tensor)} shall be in {name}, but is not there")
        return entries

    def rename(self, change: Any) -> None:
        """Give every tensor the name `change(name)`, or none where that is None: then it is left out.

        Raises PretrainedError where two get the same.
        """
        self.sources: dict[str, str] = {}
        for name in self.entries:
            new = change(name)
            if new is not None and self.sources.setdefault(new, name) != name:
                raise PretrainedError(
                    f"{self.folder}: {_shown(name)} and {_shown(self.sources[new])} are the same tensor, {new!r}"
                )

    def check(self, needed: Iterable[tuple[str, tuple[int, ...]]], optional: Iterable[str] = ()) -> None:
        """Compare the tensors (as renamed) with the names and shapes that a model needs.

        `needed` may be an iterator without end: it is left as soon as enough is wrong. `optional` names may be absent.

        Raises PretrainedError that names tensors that are missing, unexpected, mis-shaped (with both shapes) or of a
        dtype that is no floating one.
        """
        optional = set(optional)
        known: set[str] = set()
        missing: list[str] = []
        wrong: list[str] = []
        for name, shape in needed:
            known.add(name)
            if name not in self.sources:
                if name not in optional:
                    missing.append(name)
            else:
                entry = self.entries[self.sources[name]]
                if entry.shape != shape:
                    wrong.append(f"{self.sources[name]} is {entry.shape}, the configuration makes it {shape}")
                elif entry.dtype not in FLOATS:
                    wrong.append(
                        f"{self.sources[name]} is of dtype {entry.dtype}, not one of {', '.join(FLOATS)}"
                    )
            if len(missing) + len(wrong) >= MOST_FAULTS:
                break
        else:
            unexpected = [_shown(self.sources[name]) for name in self.sources if name not in known]
            if not (missing or wrong or unexpected):
                return
            wrong += [f"not expected: {', '.join(unexpected[:MOST_FAULTS])}"] if unexpected else []
            wrong += ["… and more"] if len(unexpected) > MOST_FAULTS else []
        if missing:
            wrong.insert(0, f"missing: {', '.join(missing)}")
        raise PretrainedError(
            f"{self.folder}: the tensors are not those of its config.json. {'; '.join(wrong)}"
        )

    def tensors(self) -> Iterator[tuple[str, Any]]:
        """The arrays by their new names, file by file; float16 and bfloat16 come as float32.

        Raises PretrainedError for a file that is damaged.
        """
        files = dict.fromkeys(entry.file for entry in self.entries.values())
        for path in files:
            yield from self._of(path)

    def _of(self, path: Path) -> Iterator[tuple[str, Any]]:
        try:
            found: dict[str, Tensor] = load(path)
        except (WeightsError, OSError) as error:
            raise PretrainedError(f"{path}: {error}") from error
        for new, old in self.sources.items():
            entry = self.entries[old]
            if entry.file != path:
                continue
            tensor = found.pop(old, None)
            # The header was read twice, and the file may have changed between.
            if tensor is None or tensor.shape != entry.shape or tensor.dtype.kind != "f":
                raise PretrainedError(
                    f"{path}: {old!r} is another tensor than a moment ago; is the file being written?"
                )
            array = tensor.array
            yield new, array.astype(np.float32) if array.dtype == np.float16 else array


def read_header(path: Path) -> dict[str, Entry]:
    """The dtypes and shapes of a safetensors file: 8 bytes with the length of the JSON that follows.

    Only what `check` needs is verified here; reading the file verifies the rest.

    Raises PretrainedError where it is missing or damaged.
    """
    if not path.is_file():
        raise PretrainedError(f"{path} {'is a folder, not a file' if path.is_dir() else 'does not exist'}")
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, HEADER):
                raise PretrainedError(
                    f"{path}: a header of {length:,} bytes in a file of {size:,}, so it is truncated, damaged, or no "
                    f"safetensors file (a header has at most {HEADER:,})"
                )
            header = json.loads(file.read(length))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, PretrainedError):
            raise
        raise PretrainedError(f"{path}: the header cannot be read: {error}") from error
    if not isinstance(header, dict):
        raise PretrainedError(f"{path}: the header is {type(header).__name__}, not an object")
    header.pop("__metadata__", None)
    entries = {}
    for name, told in header.items():
        shape, dtype = (told.get("shape"), told.get("dtype")) if isinstance(told, dict) else (None, None)
        if not isinstance(dtype, str) or not isinstance(shape, list) or not all(map(_is_size, shape)):
            raise PretrainedError(f"{path}: the header tells neither shape nor dtype of {_shown(name)}")
        entries[name] = Entry(dtype, tuple(shape), path)
    return entries


def _plain_name(index: Path, name: Any) -> str:
    """The name of a shard. Raises PretrainedError for one that leads out of the folder or is no safetensors file."""
    if (
        isinstance(name, str)
        and re.fullmatch(r"[\w.-]{1,200}\.safetensors", name, re.ASCII)
        and not name.startswith(".")
    ):
        return name
    raise PretrainedError(
        f"{index}: {_shown(name)} is no name of a shard: a file *.safetensors in this folder, in at most 200 "
        "letters, digits, dots, dashes"
    )


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _shown(value: Any) -> str:
    """A value from a file, not longer than a line: it may be anything."""
    shown = repr(value)
    return shown if len(shown) <= 120 else f"{shown[:100]}… ({len(shown):,} characters)"
