"""figures.json: what one run reached, with what, and on which machine."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from milestone_kit.figures import Figure, all_met
from milestone_kit.options import Options

__all__ = ["as_bytes", "machine", "report"]


def report(
    name: str,
    year: int,
    options: Options,
    figures: Sequence[Figure],
    pictures: Sequence[Path],
    elapsed: float,
) -> dict[str, Any]:
    """The report of one run as plain JSON values; `elapsed` is in seconds."""
    return {
        "milestone": name,
        "year": year,
        "version": version_of(f"milestone-{name}"),
        "seed": options.seed,
        "options": {key: _plain(value) for key, value in sorted(vars(options).items())},
        "figures": [figure.as_json() for figure in figures],
        "met": all_met(figures),
        "elapsed_seconds": round(elapsed, 3),
        "machine": machine(),
        "pictures": [picture.as_posix() for picture in pictures],
    }


def as_bytes(document: Mapping[str, Any]) -> bytes:
    """Strict JSON (RFC 8259: no NaN, no Infinity), ASCII, ending in a newline."""
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode("ascii")


def machine() -> dict[str, Any]:
    """Python and NumPy versions, the number of cores, the platform."""
    import numpy

    return {
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "cpu_count": os.cpu_count(),
        "platform": platform.platform(),
    }


def version_of(distribution: str) -> str | None:
    """The installed version, or None when the code runs without being installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)
