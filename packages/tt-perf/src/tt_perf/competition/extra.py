"""The wheels that the competition needs beside its own, imported late: those of the extra `compete`."""

from __future__ import annotations

import importlib
from typing import Any

from tt_tensor.errors import MissingWheelError

__all__ = ["needed"]


def needed(module: str) -> Any:
    """The module, imported. Raises MissingWheelError that says what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        wheel = module.partition(".")[0].replace("_", "-")
        raise MissingWheelError(
            f"the competition needs {wheel}, which is not installed: pip install 'tt-perf[compete]'"
        ) from error
