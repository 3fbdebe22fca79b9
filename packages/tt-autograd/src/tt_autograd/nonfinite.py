"""NaN and Inf in an array: whether there are any, where the first one is, and how a message says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tt_tensor import Tensor

__all__ = ["described", "first_bad", "has", "is_finite", "range_of"]


def is_finite(x: Any) -> bool:
    """Whether a Tensor or an array has neither NaN nor Inf."""
    return bool(np.isfinite(x.array if isinstance(x, Tensor) else x).all())


def has(test: Callable[[Any], Any], x: Any) -> bool:
    """Whether `test` holds for some number in `x`: a Tensor, an array, a number, or a nesting of these."""
    if isinstance(x, list | tuple):
        return any(has(test, part) for part in x)
    if isinstance(x, Tensor):
        x = x.array
    if isinstance(x, np.ndarray | np.generic | float):
        return np.asarray(x).dtype.kind == "f" and bool(np.any(test(x)))
    return False


def first_bad(x: Any, bad: Any = None) -> str:
    """The first value that is not finite (or where `bad` holds), and its index.

    >>> first_bad(np.array([[1.0, np.nan], [np.inf, 2.0]]))
    'nan at [0, 1] (2 of 4 values are not finite)'
    """
    array = np.asarray(x.array if isinstance(x, Tensor) else x)
    if not array.ndim:
        return f"{array}"
    wrong = ~np.isfinite(array)
    at = tuple(map(int, np.unravel_index(int((wrong if bad is None else bad).argmax()), array.shape)))
    count = int(np.count_nonzero(wrong))
    share = f"{count} of {array.size} values are not finite" if array.size > 1 else "the only value"
    return f"{array[at]} at {list(at)} ({share})"


def described(x: Any) -> str:
    """An operand in a message: shape, dtype and range of an array, anything else as it is."""
    if isinstance(x, Tensor | np.ndarray):
        return f"{x.shape} {x.dtype} {range_of(x)}"
    return repr(x)


def range_of(x: Any) -> str:
    """Smallest to largest value.

    >>> range_of(np.array([3.0, -1.0]))
    '(-1.0 to 3.0)'
    """
    array = x.array if isinstance(x, Tensor) else x
    if not array.size:
        return "(empty)"
    low, high = array.min(), array.max()
    return f"(all {low})" if low == high else f"({low} to {high})"
