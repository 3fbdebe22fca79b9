"""What transforms are told, checked: sizes, paddings, intervals, probabilities, fills. As torchvision takes them."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tt_tensor.arguments import number
from tt_tensor.errors import ArgumentError, ShapeError

__all__ = [
    "chosen",
    "fill_of",
    "interval_of",
    "padding_of",
    "per_image",
    "share_of",
    "size_of",
    "spread_of",
    "whole",
]

Sides = tuple[int, int, int, int]
"""left, top, right, bottom"""


def whole(where: str, name: str, value: Any, least: int | None = None) -> int:
    """`value` as an int that is at least `least`, if there is one. Raises ArgumentError otherwise."""
    try:
        found = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        found = None
    if found is None or (least is not None and found < least):
        bound = "" if least is None else f" from {least}"
        raise ArgumentError(f"{where}: {name} is made of integers{bound}, not {value!r}")
    return found


def size_of(where: str, size: Any) -> tuple[int, int]:
    """(h, w) of an int, a sequence of one, or a pair."""
    given = (size,) if not isinstance(size, Sequence) else tuple(size)
    if len(given) not in (1, 2):
        raise ArgumentError(f"{where}: size is one integer or (height, width), not {size!r}")
    return whole(where, "size", given[0], 1), whole(where, "size", given[-1], 1)


def padding_of(where: str, padding: Any) -> Sides:
    """(left, top, right, bottom) of one int for all, (left and right, top and bottom), or all four."""
    given = (padding,) if not isinstance(padding, Sequence) else tuple(padding)
    if len(given) not in (1, 2, 4):
        raise ArgumentError(
            f"{where}: padding is one integer, (left and right, top and bottom) or (left, top, right, bottom), "
            f"not {padding!r}"
        )
    sides = [whole(where, "padding", side, 0) for side in given]
    left, top, right, bottom = sides * (4 // len(sides))
    return left, top, right, bottom


def interval_of(
    where: str, name: str, value: Any, low: float = -math.inf, high: float = math.inf
) -> tuple[float, float]:
    """A pair (least, most) of numbers in order, both from `low` to `high`."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise ArgumentError(f"{where}: {name} is a pair (least, most), not {value!r}")
    least, most = (float(number(where, name, end)) for end in value)
    if not (low <= least <= most <= high and math.isfinite(least) and math.isfinite(most)):
        bounds = f" from {low:g} to {high:g}" if math.isfinite(low) or math.isfinite(high) else ""
        raise ArgumentError(f"{where}: {name} is (least, most) in this order{bounds}, not {value!r}")
    return least, most


def spread_of(where: str, name: str, value: Any) -> float:
    """A number that says how far to both sides: finite, not negative."""
    if isinstance(value, str) or not 0 <= number(where, name, value) < math.inf:
        raise ArgumentError(f"{where}: {name} is a number from 0 or a pair (least, most), not {value!r}")
    return float(value)


def share_of(where: str, name: str, value: Any) -> float:
    """A number from 0 to 1."""
    if not 0 <= number(where, name, value) <= 1:
        raise ArgumentError(f"{where}: {name} is from 0 to 1, not {value!r}")
    return float(value)


def chosen(where: str, name: str, value: Any, allowed: Sequence[str]) -> str:
    """One of the words `allowed`."""
    if value not in allowed:
        raise ArgumentError(f"{where}: {name} is one of {', '.join(map(repr, allowed))}, not {value!r}")
    return str(value)


def fill_of(where: str, fill: Any, channels: int, dtype: Any) -> Any:
    """One value for all channels or one for each, as an array (C,) or (1,) of `dtype`.

    Raises ShapeError for another count than the channels', ArgumentError for values that the dtype does not hold.
    """
    values = np.asarray(0 if fill is None else fill)
    if values.dtype.kind not in "iuf":
        raise ArgumentError(f"{where}: a fill is made of numbers, not {fill!r}")
    values = values.reshape(1) if values.ndim == 0 else values
    if values.shape not in ((1,), (channels,)):
        raise ShapeError(f"{where}: {values.shape} values to fill with for images of {channels} channels")
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if not np.all((values >= limits.min) & (values <= limits.max)):
            raise ArgumentError(
                f"{where}: {fill!r} does not fit into {dtype} ({limits.min} to {limits.max}), in which the images are"
            )
    return values.astype(dtype)


def per_image(where: str, name: str, value: Any, count: int) -> Any:
    """One number for all images or an array with one for each, as a float64 array (N,) or (1,)."""
    values = np.asarray(value)
    if values.dtype.kind not in "iuf" or values.shape not in ((), (1,), (count,)):
        raise ArgumentError(f"{where}: {name} is a number or one for each of {count} images, not {value!r}")
    values = values.astype(np.float64).reshape(-1)
    if not np.all(np.isfinite(values)):
        raise ArgumentError(f"{where}: {name} is finite, not {value!r}")
    return values
