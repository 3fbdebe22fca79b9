"""Numbers that callers give, checked. For the error, `what` is the operation, and `name` the argument."""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError

__all__ = ["number", "positive", "probability", "whole_number"]


def number(what: str, name: str, value: Any) -> float:
    """`value` if it is a real number; an int stays one. Raises ArgumentError otherwise."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ArgumentError(f"{what}: {name} must be a number, not {value!r}")
    return value if isinstance(value, int) else float(value)


def positive(what: str, name: str, value: Any) -> float:
    """`value` as a float, if it is a number above 0. Raises ArgumentError otherwise."""
    if not isinstance(value, Real) or isinstance(value, bool) or not float(value) > 0:
        raise ArgumentError(f"{what}: {name} must be a number above 0, not {value!r}")
    return float(value)


def probability(what: str, name: str, value: Any) -> float:
    """`value` if it is a number from 0 to 1. Raises ArgumentError otherwise."""
    found = number(what, name, value)
    if not 0 <= found <= 1:
        raise ArgumentError(f"{what}: {name} is a probability from 0 to 1, not {value!r}")
    return found


def whole_number(what: str, name: str, value: Any, least: int | None = 0) -> int:
    """`value` as an int; from `least` up, where that is not None. Raises ArgumentError otherwise."""
    try:
        found = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        found = None
    if found is None or (least is not None and found < least):
        bounds = "" if least is None else f" from {least} up"
        raise ArgumentError(f"{what}: {name} must be a whole number{bounds}, not {value!r}")
    return found
