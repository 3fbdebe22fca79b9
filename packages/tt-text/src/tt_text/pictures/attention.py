"""Where each head looks: attention weights as maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_data.pictures import finished, new_picture
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.tensor import as_array
from tt_text.pictures.style import legible, style

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.figure import Figure

__all__ = ["attention_maps"]

LABELLED = 64
"""Up to so many tokens, axes have their names."""

ABREAST = 4
"""Maps beside each other at most."""


def attention_maps(
    weights: Any,
    tokens: Sequence[str] | None = None,
    queries: Sequence[str] | None = None,
    title: str | None = None,
    path: str | PathLike[str] | None = None,
) -> Figure:
    """A map for each head: row t shows by its darkness which keys s query t looks at, on the head's own scale.

    Args:
        weights: (H, T, S), from 0 up, as `watch_attention` gives them for each sequence; (T, S) for one head.
        tokens: the S tokens that are looked at, as text.
        queries: the T tokens that look; by default the last T of `tokens`.
        title: by default the number of heads.
        path: where to write the picture as PNG.

    Raises ShapeError for other shapes or another count of tokens, DTypeError for other than floating numbers,
    ArgumentError for negative ones or ones that are none, MissingWheelError without matplotlib.
    """
    maps = as_array(weights, "attention_maps")
    maps = maps[None] if maps.ndim == 2 else maps
    if maps.ndim != 3 or not maps.size:
        raise ShapeError(
            f"attention_maps: weights are (H, T, S), not {maps.shape}; of a batch (N, H, T, S) take weights[0]"
        )
    if maps.dtype.kind != "f":
        raise DTypeError(f"attention_maps: weights are floating numbers, not {maps.dtype}")
    maps = maps.astype(np.float64)
    if not (maps >= 0).all() or not np.isfinite(maps).all():
        raise ArgumentError("attention_maps: a weight is negative or no number; give weights, not scores")
    heads, t, s = maps.shape
    below, beside = _names("tokens", tokens, s), None
    if queries is None and below is not None and t <= s:
        beside = below[s - t :]
    else:
        beside = _names("queries", queries, t)
    columns = min(heads, ABREAST)
    rows = math.ceil(heads / columns)
    side = min(max(0.16 * s + 0.6, 2.4), 8.0)
    with style("attention_maps"):
        heading = f"{heads} head{'s' * (heads != 1)}" if title is None else title
        height = side * min(max(t / s, 0.4), 1.5) + 0.5
        figure, axes = new_picture(rows, columns, columns * side, rows * height, heading)
        for head, axis in enumerate(axes):
            if head >= heads:
                axis.set_axis_off()
                continue
            most = maps[head].max()
            axis.imshow(maps[head], cmap="Blues", vmin=0, vmax=most or 1.0, aspect="auto")
            axis.set_title(f"head {head}: up to {most:.2f}")
            axis.tick_params(length=0, labelsize=7)
            axis.spines[:].set_visible(False)
            first = head % columns == 0
            left = _legible(beside if first and t <= LABELLED else None)
            axis.set_yticks(range(len(left)), left, parse_math=False)
            under = _legible(below if s <= LABELLED else None)
            axis.set_xticks(range(len(under)), under, rotation=90, parse_math=False)
        return finished(figure, path)


def _names(what: str, names: Sequence[str] | None, count: int) -> list[str] | None:
    if names is None:
        return None
    found = list(names)
    if len(found) != count:
        raise ShapeError(f"attention_maps: {len(found)} {what} for an axis of {count} weights")
    for name in found:
        if not isinstance(name, str):
            raise DTypeError(f"attention_maps: {what} are text, not {name!r}; decode the ids first")
    return found


def _legible(names: list[str] | None) -> list[str]:
    return [] if names is None else [legible(name) for name in names]
