"""What values a hyperparameter may take, and the error for one that it may not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError, DTypeError

__all__ = [
    "BETAS",
    "CHOICE",
    "COUNT",
    "FLAG",
    "FRACTION",
    "NONNEGATIVE",
    "NUMBER",
    "POSITIVE",
    "UNIT",
    "Range",
    "number",
]

Range = Callable[[str, Any], Any]
"""Takes the full name ("Adam: lr") and a value; gives the value to keep, or raises."""


def number(name: str, value: Any) -> float:
    """`value` as a Python float: from a number, a NumPy scalar, or a tensor of one element.

    A Python float is weak (NEP 50), so that a float32 parameter is computed in float32.
    """
    if isinstance(value, bool | str | bytes):
        raise DTypeError(f"{name} must be a number, not {value!r}")
    try:
        # item() is what NumPy's, our and PyTorch's tensors of one element have in common.
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DTypeError(f"{name} must be a number, not {type(value).__name__}") from error


def _between(text: str, test: Callable[[float], bool]) -> Range:
    def check(name: str, value: Any) -> float:
        found = number(name, value)
        if not test(found):
            raise ArgumentError(f"{name} must be {text}, not {value!r}")
        return found

    return check


NUMBER = _between("finite", math.isfinite)
NONNEGATIVE = _between("at least 0 and finite", lambda value: 0 <= value < math.inf)
POSITIVE = _between("greater than 0 and finite", lambda value: 0 < value < math.inf)
FRACTION = _between("in [0, 1)", lambda value: 0 <= value < 1)
UNIT = _between("in [0, 1]", lambda value: 0 <= value <= 1)


def FLAG(name: str, value: Any) -> bool:  # noqa: N802 - a Range like the others
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise DTypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def BETAS(name: str, value: Any) -> tuple[float, ...]:  # noqa: N802
    """Two fractions, each in [0, 1)."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ArgumentError(f"{name} must be two numbers in [0, 1), not {value!r}")
    return tuple(FRACTION(f"{name}[{index}]", beta) for index, beta in enumerate(value))


def COUNT(low: int, high: float = math.inf) -> Range:  # noqa: N802
    """An integer with low ≤ value < high."""
    text = f"an integer of at least {low}" + ("" if high == math.inf else f" and below {high}")

    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value < high:
            raise ArgumentError(f"{name} must be {text}, not {value!r}")
        return int(value)

    return check


def CHOICE(*options: Any) -> Range:  # noqa: N802
    """One of `options`."""

    def check(name: str, value: Any) -> Any:
        if value not in options:
            raise ArgumentError(f"{name} must be one of {', '.join(map(repr, options))}, not {value!r}")
        return value

    return check
