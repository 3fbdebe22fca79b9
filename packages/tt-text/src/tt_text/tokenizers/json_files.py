"""JSON in files: read with bounds, so that a damaged file is a TokenizerError; written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from tt_tensor.files import whole_file
from tt_text.errors import TokenizerError

__all__ = ["digest", "parse_json", "read_bytes", "read_json", "write_bytes", "write_json"]

LIMIT = 1 << 27
"""The largest tokenizer files that are known have a quarter of this."""

DEEPEST = 32
"""Levels of JSON; tokenizer.json has about ten. Deeper ones could not even be shown in an error."""


def read_bytes(path: str | os.PathLike[str], limit: int = LIMIT) -> bytes:
    """The contents of a file. Raises TokenizerError if it is missing, no file, cannot be read, or is too large."""
    where = Path(path)
    if not where.is_file():
        what = "is a folder, not a file" if where.is_dir() else "does not exist"
        raise TokenizerError(f"{where} {what}")
    try:
        with open(where, "rb") as file:
            # As much as there is: a read takes memory for all that it is asked for.
            data = file.read(min(os.fstat(file.fileno()).st_size, limit) + 1)
    except OSError as error:
        raise TokenizerError(f"{where} cannot be read: {error}") from error
    if len(data) > limit:
        raise TokenizerError(f"{where} has more than {limit:,} bytes, too many for a tokenizer")
    return data


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The object in a JSON file."""
    return parse_json(read_bytes(path), path)


def parse_json(data: bytes, where: Any) -> dict[str, Any]:
    """The object that is JSON text.

    Raises TokenizerError for what is no JSON or no object, a key that comes twice, and nesting without end.
    """
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
    except RecursionError:
        raise TokenizerError(f"{where}: the JSON is nested too deep for a tokenizer's file") from None
    except ValueError as error:
        raise TokenizerError(f"{where} is no JSON, or is damaged: {error}") from None
    if not isinstance(found, dict):
        raise TokenizerError(f"{where}: a tokenizer's file holds a JSON object, not {type(found).__name__}")
    level: list[Any] = [found]
    for _ in range(DEEPEST):
        inside = [value for each in level for value in (each.values() if isinstance(each, dict) else each)]
        level = [value for value in inside if isinstance(value, dict | list)]
    if level:
        raise TokenizerError(f"{where}: the JSON is nested deeper than {DEEPEST} levels; no tokenizer's is")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} comes twice in one object")
    return made


def digest(document: dict[str, Any]) -> str:
    """sha256 over a JSON object, whatever its layout in a file."""
    text = json.dumps(document, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def write_json(path: str | os.PathLike[str], document: dict[str, Any], indent: int | None = None) -> None:
    """Write JSON as `write_bytes` does."""
    write_bytes(path, json.dumps(document, ensure_ascii=False, indent=indent).encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write aside, flush to the disk and rename: `path` holds the old file or the new, never half of one.

    Raises OSError where the system refuses; nothing is left behind then.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(
            errno.ENOENT,
            "the folder of the tokenizer's file does not exist; make it first",
            str(target.parent),
        )
    with whole_file(target) as file:
        file.write(data)
