"""How average pools share out the pixels of an image: by a window that slides, or in bins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tt_vision.axis_map import AxisMap, bins, spans
from tt_vision.pooling import fitted
from tt_vision.window import Pair, Window

__all__ = ["AvgBins", "AvgWindow", "Grid", "Shares", "grid_of"]

Grid = tuple[AxisMap, AxisMap, Any]
"""Which rows and which columns each place sums, and by what its sum is divided (H', W')."""


@dataclass(frozen=True)
class AvgWindow:
    """A window that slides: see AvgPool2d."""

    window: Window
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None

    @property
    def dims(self) -> int:
        """2 for images, 1 for rows of samples."""
        return self.window.dims

    def grid(self, image: Pair) -> Grid:
        """For images of this size (height, width)."""
        window = fitted(self.window, image, self.ceil_mode, "avg_pool")
        places = window.output(image, "avg_pool")
        rows, columns = (spans(window, axis, image[axis], places[axis]) for axis in (0, 1))
        if self.divisor_override is not None:
            return rows, columns, np.full(places, float(self.divisor_override))
        if not self.count_include_pad:
            return rows, columns, _outer(_pixels(rows), _pixels(columns))
        counts = []
        for axis in (0, 1):
            # What a window of ceil_mode has beyond the padding counts never.
            before, after = self.window.padding[axis]
            first = np.arange(places[axis]) * window.stride[axis] - before
            counts.append(np.minimum(first + window.size[axis], image[axis] + after) - first)
        return rows, columns, _outer(*counts)


@dataclass(frozen=True)
class AvgBins:
    """The image cut in height · width bins; where it does not divide, neighbours share a pixel. None: its own size."""

    height: int | None
    width: int | None
    dims: int = 2

    def grid(self, image: Pair) -> Grid:
        """For images of this size (height, width)."""
        fitted(Window((1, 1)), image, False, "adaptive_avg_pool")
        rows, columns = (
            bins(pixels, pixels if size is None else size)
            for pixels, size in zip(image, (self.height, self.width), strict=True)
        )
        return rows, columns, _outer(_pixels(rows), _pixels(columns))


Shares = AvgWindow | AvgBins


@lru_cache(maxsize=256)
def grid_of(shares: Shares, image: Pair) -> Grid:
    """shares.grid(image), kept: a training asks for the same at each step."""
    return shares.grid(image)


def _pixels(axis_map: AxisMap) -> Any:
    """How many pixels each place sums."""
    return np.bincount([place for place, _, _ in axis_map.entries], minlength=axis_map.places)


def _outer(down: Any, across: Any) -> Any:
    return np.multiply.outer(down, across).astype(float)
