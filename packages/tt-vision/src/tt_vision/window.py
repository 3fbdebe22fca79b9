"""Window: the geometry that convolutions and pools share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError, ShapeError

__all__ = ["Pair", "Window", "pair", "same_padding"]

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """A window of kh · kw taps that slides over an image of H · W pixels.

    Along each axis, with size k, stride s, padding (before, after) and dilation d, it stands at
    out = ⌊(in + before + after - d (k - 1) - 1) / s⌋ + 1 places, and tap i of place j is on pixel j s - before + i d.
    """

    size: Pair
    stride: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    groups: int = 1
    dims: int = 2
    """2 for images, 1 for rows of samples, which are images of height 1 here."""

    @property
    def reach(self) -> Pair:
        """How many pixels it spans along each axis: d (k - 1) + 1."""
        kh, kw = self.size
        return self.dilation[0] * (kh - 1) + 1, self.dilation[1] * (kw - 1) + 1

    def output(self, image: Pair, what: str) -> Pair:
        """At how many places along each axis it stands. Raises ShapeError where it does not fit even once."""
        (top, bottom), (left, right) = self.padding
        reach = self.reach
        high, wide = image[0] + top + bottom - reach[0], image[1] + left + right - reach[1]
        if high < 0 or wide < 0:
            axis = "height" if high < 0 else "width"
            padded = (high if high < 0 else wide) + reach[axis == "width"]
            raise ShapeError(
                f"{what}: the window spans {reach} pixels, but the image {image} has with its padding "
                f"{self.padding} only {padded} along {axis}; use a smaller kernel or dilation, more padding, or "
                "larger images"
            )
        return high // self.stride[0] + 1, wide // self.stride[1] + 1


def pair(value: Any, what: str, least: int, dims: int = 2) -> Pair:
    """`value`, a whole number or one for each of `dims` axes, as (height, width).

    With one axis there is no height: it comes as 1 for sizes, strides and dilations (`least` 1), as 0 for paddings.

    Raises ArgumentError for anything else, and for numbers below `least`.
    """
    given = value.tolist() if isinstance(value, np.ndarray) else value
    values = list(given) if isinstance(given, tuple | list) else [given] * dims
    whole = all(isinstance(v, int | np.integer) and not isinstance(v, bool) and v >= least for v in values)
    if len(values) == 1 and dims == 2:
        values = values * 2
    if not whole or len(values) != dims:
        numbers = "a whole number" if dims == 1 else "a whole number, or a pair of them for height and width,"
        raise ArgumentError(f"{what} must be {numbers} from {least} up, not {value!r}")
    return (1 if least else 0, int(values[0])) if dims == 1 else (int(values[0]), int(values[1]))


def same_padding(size: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    """The padding that keeps the image's size at stride 1: d (k - 1) in all, the odd one after, as in PyTorch."""
    total = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
    return (total[0] // 2, total[0] - total[0] // 2), (total[1] // 2, total[1] - total[1] // 2)
