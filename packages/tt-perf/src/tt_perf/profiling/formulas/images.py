"""Convolutions, pools, patches, resampling: k taps a place; the zeros of padding count as pixels do."""

from __future__ import annotations

import math
from typing import Any

from tt_perf.profiling.application import Application
from tt_perf.profiling.formulas.formula import Formula

__all__ = ["FORMULAS"]


def _taps(a: Application, index: int = 1) -> int:
    """Weights that each place sees: (C / groups) · kh · kw."""
    return math.prod(a.shape(index)[1:])


def _conv(a: Application) -> int:
    """2 · places · O · (C / groups) · kh · kw, and one for the bias: 2 m k + m."""
    return 2 * a.n * _taps(a) + (a.n if a.has(2) else 0)


def _conv_back(a: Application) -> int:
    """dx and dw are as much as the convolution each; db is a sum."""
    return 2 * a.n * _taps(a) * (a.wants(0) + a.wants(1)) + (a.n if a.wants(2) else 0)


def _then(a: Application) -> int:
    """A convolution, then what follows it: k - 1 comparisons a place, a product, a sum, a comparison."""
    pool, scaled, relu = a.facts
    places = 4 * a.n if pool else a.n
    after = 3 * a.n * pool + a.n * (scaled + a.has(2) + relu)
    return 2 * places * _taps(a) + after


def _then_back(a: Application) -> int:
    pool, scaled, relu = a.facts
    places = 4 * a.n if pool else a.n
    return 2 * places * _taps(a) * (a.wants(0) + a.wants(1)) + a.n * (relu + scaled + a.wants(2))


def _following(function: Any) -> tuple[bool, bool, bool]:
    return function.pool, function.scale is not None, function.relu


def _transposed(a: Application) -> int:
    """Each number that goes in is added to so many places, weighted."""
    return 2 * a.size() * _taps(a) + (a.n if a.has(2) else 0)


def _transposed_back(a: Application) -> int:
    return 2 * a.size() * _taps(a) * (a.wants(0) + a.wants(1)) + (a.n if a.wants(2) else 0)


def _of_weight(a: Application) -> int:
    """Inputs x and g, a weight comes out: each number of g meets (C / groups) · kh · kw of x."""
    return 2 * a.size(1) * math.prod(a.output[1:])


def _of_weight_back(a: Application) -> int:
    return _of_weight(a) * (a.wants(0) + a.wants(1))


# --- pools ----------------------------------------------------------------------------------------------------


def _window(function: Any) -> Any:
    """Taps of a window; None for bins, which follow from the shapes."""
    window = getattr(function, "window", None)
    if window is None:
        window = getattr(getattr(function, "shares", None), "window", None)
    return None if window is None else math.prod(window.size)


def _bins(pixels: int, places: int) -> int:
    """The sizes of all bins along an axis: bin i goes from ⌊i p / n⌋ to ⌈(i + 1) p / n⌉."""
    return sum(-(-(i + 1) * pixels // places) - i * pixels // places for i in range(places))


def _pixels(a: Application, dims: int = 2) -> int:
    """Pixels that all places see, with repetition."""
    if a.facts is not None:
        return a.n * int(a.facts)
    image = a.shape()
    dims = min(dims, len(image) - 1)
    if len(a.output) < len(image):  # the mean of all: no axes are left
        return a.size()
    total = math.prod(a.output[: len(a.output) - dims])
    for pixels, places in zip(image[-dims:], a.output[-dims:], strict=True):
        total *= _bins(pixels, places) if places else 0
    return total


def _max_pool(a: Application) -> int:
    """k - 1 comparisons a place."""
    return max(_pixels(a) - a.n, 0)


def _avg_pool(a: Application) -> int:
    """k - 1 additions and a division a place."""
    return _pixels(a)


def _avg_back(a: Application) -> int:
    """A division a place; its quotient is added to k pixels."""
    return (_pixels(a) + a.n) if a.wants(0) else 0


def _unpool(a: Application) -> int:
    k = int(a.facts) if a.facts is not None else 1
    return a.size() * (k + 1)


# --- resampling -----------------------------------------------------------------------------------------------


def _axis(entries: Any, to: int) -> int:
    """Products with weights that are not 1, and additions beyond the first of each place (or pixel, going back)."""
    return sum(entry[2] != 1 for entry in entries) + len(entries) - len({entry[to] for entry in entries})


def _maps(function: Any) -> tuple[int, int, int, int]:
    """Operations for a column and for a row, there and back."""
    rows, columns = function.rows.entries, function.columns.entries
    return _axis(rows, 0), _axis(columns, 0), _axis(rows, 1), _axis(columns, 1)


def _images(a: Application) -> tuple[int, int, int]:
    """Planes, the width that goes in, the height that comes out."""
    shape, out = a.shape(), a.output
    if a.facts[0] == a.facts[2] == 0 and len(shape) < 3:
        return math.prod(shape[:-1]), shape[-1], 1
    return math.prod(shape[:-2]), shape[-1], out[-2]


def _resample(a: Application) -> int:
    """y = R x Cᵀ: the rows first."""
    planes, width, height = _images(a)
    return planes * (a.facts[0] * width + a.facts[1] * height)


def _resample_back(a: Application) -> int:
    """dx = Rᵀ grad C, the rows first."""
    planes = _images(a)[0]
    height = a.shape()[-2] if len(a.shape()) > 1 else 1
    return planes * (a.facts[2] * a.output[-1] + a.facts[3] * height) if a.wants(0) else 0


_RESAMPLE = Formula(_resample, _resample_back, facts=_maps)

FORMULAS = {
    "ConvFunction": Formula(_conv, _conv_back),
    "ConvThenFunction": Formula(_then, _then_back, facts=_following),
    "ConvTransposeFunction": Formula(_transposed, _transposed_back),
    "ConvWeightFunction": Formula(_of_weight, _of_weight_back),
    "MaxPoolFunction": Formula(_max_pool, lambda a: a.n if a.wants(0) else 0, facts=_window),
    "AdaptiveMaxPoolFunction": Formula(_max_pool, lambda a: a.n if a.wants(0) else 0),
    "MaxUnpoolFunction": Formula(lambda a: a.size(), lambda a: 0),
    "MaxPickFunction": Formula(lambda a: 0, lambda a: a.n, "move"),
    "AvgPoolFunction": Formula(_avg_pool, _avg_back, facts=_window),
    "GlobalAvgPoolFunction": Formula(_avg_pool, _avg_back),
    "AvgUnpoolFunction": Formula(_unpool, _unpool, facts=_window),
    # Each number of a patch is copied from a pixel, and added to one.
    "UnfoldFunction": Formula(lambda a: 0, lambda a: a.n if a.wants(0) else 0, "move"),
    "FoldFunction": Formula(lambda a: a.size(), lambda a: 0),
    "ResampleFunction": _RESAMPLE,
    "InterpolateFunction": _RESAMPLE,
    "PadImagesFunction": _RESAMPLE,
}
