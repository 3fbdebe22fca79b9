"""The wheels that the competition needs beside its own, imported late: those of the extra `compete`."""

from __future__ import annotations

import importlib
from typing import Any

from tt_tensor.errors import MissingWheelError

__all__ = ["needed"]


def needed(module: str) -> Any:
    """The module, imported. Raises MissingWheelError that says what to install."""
    top = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != top:
            raise
        raise MissingWheelError(
            f"the competition needs {top.replace('_', '-')}, which is not installed: pip install 'tt-perf[compete]'"
        ) from error
