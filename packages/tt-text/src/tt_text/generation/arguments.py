"""What callers of generation give, checked: numbers, and lists of tokens."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError, DTypeError, IndexingError

__all__ = ["count", "number", "token_set"]


def count(where: str, name: str, value: Any, least: int = 0) -> int:
    """`value` as an int of at least `least`. Raises DTypeError for no integer, ArgumentError for a smaller one."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        found = operator.index(value)
    except TypeError:
        raise DTypeError(f"{where}: {name} is a whole number, not {value!r}") from None
    if found < least:
        raise ArgumentError(f"{where}: {name} is at least {least}, not {found}")
    return found


def number(where: str, name: str, value: Any, least: float = -math.inf, most: float = math.inf) -> float:
    """`value` as a float in [least, most].

    Raises DTypeError for no number, ArgumentError for one that is outside, or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise DTypeError(f"{where}: {name} is a number, not {value!r}")
    if not (math.isfinite(value) and least <= value <= most):
        bounds = f"from {least:g} up" if math.isinf(most) else f"from {least:g} to {most:g}"
        raise ArgumentError(
            f"{where}: {name} is a finite number{'' if math.isinf(least) else ' ' + bounds}, not {value}"
        )
    return float(value)


def token_set(where: str, name: str, value: Any, vocab_size: int) -> tuple[int, ...]:
    """A token, or several, as a tuple. Raises DTypeError for what is no token, IndexingError for one out of range."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    several = value if isinstance(value, Iterable) and not isinstance(value, str | bytes) else (value,)
    found = []
    for one in several:
        try:
            if isinstance(one, bool | np.bool_):
                raise TypeError
            token = operator.index(one)
        except TypeError:
            raise DTypeError(f"{where}: {name} is a token or a list of tokens, not {value!r}") from None
        if not 0 <= token < vocab_size:
            raise IndexingError(
                f"{where}: {name} has the token {token}, but the model's tokens are 0 to {vocab_size - 1}"
            )
        found.append(token)
    return tuple(found)
