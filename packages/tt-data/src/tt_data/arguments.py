"""Arguments that are numbers, checked."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError, DTypeError

__all__ = ["count", "seconds"]


def count(where: str, name: str, value: Any, least: int = 0) -> int:
    """`value` as an int of at least `least`. Raises DTypeError for no integer, ArgumentError for a smaller one."""
    if isinstance(value, bool | np.bool_):
        raise DTypeError(f"{where}: {name} is an integer, not {value}")
    try:
        number = operator.index(value)
    except TypeError:
        raise DTypeError(f"{where}: {name} is an integer, not {value!r}") from None
    if number < least:
        raise ArgumentError(f"{where}: {name} is at least {least}, not {number}")
    return number


def seconds(where: str, name: str, value: Any) -> float:
    """`value` as a time. Raises DTypeError for no number, ArgumentError for one below 0 or without end."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise DTypeError(f"{where}: {name} is in seconds, not {value!r}")
    if not (value >= 0 and math.isfinite(value)):
        raise ArgumentError(f"{where}: {name} is a time in seconds, not {value}")
    return float(value)
