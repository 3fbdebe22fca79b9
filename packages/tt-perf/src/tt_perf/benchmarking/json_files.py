"""JSON in files, strictly: what is written is whole or not there, what is read is what the standard allows.

Python's own reader takes NaN, lets a name that comes twice win silently, and follows brackets until the stack is
full. None of that is JSON as others read it (RFC 8259), so here each is an error.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tt_perf.benchmarking.errors import ResultFileError
from tt_perf.writing import write_whole

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["canonical", "parse", "read_json", "write_json"]

MOST_BYTES = 64 << 20
DEEPEST = 32
LONGEST_NUMBER = 40
"""Digits of a number; Python would go on for minutes about some millions."""


def parse(text: str | bytes, where: str) -> Any:
    """The value of a JSON text. `where` begins the message of errors.

    Raises ResultFileError for what is no JSON: NaN and infinities, names given twice, numbers that a float does not
    hold or that have more than 40 characters, more than 32 brackets inside each other, bytes that are no UTF-8.
    """

    def refuse(what: str) -> NoReturn:
        raise ResultFileError(f"{where} is no JSON that can be taken: {what}")

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(found)
        if len(names) != len(found):
            given = [name for name, _ in found]
            refuse(f"the name {next(name for name in given if given.count(name) > 1)!r} is given twice")
        return names

    def whole(digits: str) -> int:
        if len(digits) > LONGEST_NUMBER:
            refuse(f"a number of {len(digits)} digits")
        return int(digits)

    def real(digits: str) -> float:
        value = float(digits) if len(digits) <= LONGEST_NUMBER else math.inf
        if not math.isfinite(value):
            refuse(f"a float does not hold the number {digits[:LONGEST_NUMBER]}")
        return value

    try:
        plain = text.decode("utf-8") if isinstance(text, bytes) else text
        _check_depth(plain, refuse)
        return json.loads(
            plain,
            object_pairs_hook=pairs,
            parse_int=whole,
            parse_float=real,
            parse_constant=lambda name: refuse(f"it holds {name}"),
        )
    except ResultFileError:
        raise
    except (ValueError, RecursionError) as error:  # also UnicodeDecodeError
        raise ResultFileError(f"{where} is no JSON that can be taken: {error}") from error


def read_json(path: str | PathLike[str]) -> Any:
    """The value in a JSON file. Raises ResultFileError as `parse`, and where the file cannot be read."""
    try:
        if Path(path).is_file() and Path(path).stat().st_size > MOST_BYTES:
            raise ResultFileError(f"{path} has {Path(path).stat().st_size:,} bytes, more than {MOST_BYTES:,}")
        contents = Path(path).read_bytes()
    except OSError as error:
        raise ResultFileError(f"cannot read {path}: {error.strerror or error}") from error
    return parse(contents, str(path))


def write_json(path: str | PathLike[str], value: Any) -> None:
    """Write `value` whole (`tt_perf.writing`). Raises OSError where that fails, ValueError for NaN."""
    write_whole(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def canonical(value: Any) -> bytes:
    """The one text of a JSON value that digests are made over: names sorted, nothing between, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _check_depth(text: str, refuse: Any) -> None:
    """Count brackets outside of strings before a parser recurses into them."""
    depth, inside, escaped = 0, False, False
    for character in text:
        if inside:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                inside = False
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            if depth > DEEPEST:
                refuse(f"more than {DEEPEST} brackets inside each other")
        elif character in "]}":
            depth -= 1
