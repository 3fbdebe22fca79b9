"""Embeddings on a plane: the directions in which they differ most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_data.pictures import INK, QUIET, finished, new_picture
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.tensor import as_array
from tt_text.pictures.style import legible, style

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.figure import Figure

__all__ = ["embedding_projection", "principal_components"]

LABELLED = 400
"""Up to so many points have their labels written beside them."""


def principal_components(vectors: Any, count: int = 2) -> tuple[Any, Any]:
    """Where vectors x_i stand along the `count` orthogonal directions of the greatest variance: (x_i - mean) V.

    With the singular value decomposition x - mean = U S Vᵀ. Of the two signs of a direction the one is taken whose
    largest entry is positive, so the same vectors give the same picture.

    Args:
        vectors: (N, C).
        count: how many directions; those beyond min(N, C) are zeros.

    Returns the places (N, count), and the share of the variance along each direction (count,), both float64.

    Raises ShapeError for other than two axes or no vector, DTypeError for other than floating numbers, ArgumentError
    for ones that are none or not finite.

    >>> places, shares = principal_components([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]], count=1)
    >>> places.round(3).tolist(), shares.round(3).tolist()
    ([[-2.828], [0.0], [2.828]], [1.0])
    """
    x = as_array(vectors, "principal_components")
    if x.ndim != 2 or not x.size:
        raise ShapeError(f"principal_components: vectors are (N, C), not {x.shape}")
    if x.dtype.kind != "f":
        raise DTypeError(f"principal_components: vectors are floating numbers, not {x.dtype}")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"principal_components: count is a whole number from 1 up, not {count!r}")
    x = x.astype(np.float64)
    if not np.isfinite(x).all():
        raise ArgumentError(
            "principal_components: a number is infinite or none at all; such vectors have no place"
        )
    _, sizes, directions = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    directions = directions[:count]
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    directions *= np.where(largest < 0, -1.0, 1.0)
    places, shares = np.zeros((len(x), count)), np.zeros(count)
    places[:, : len(directions)] = (x - x.mean(axis=0)) @ directions.T
    variance = sizes**2
    shares[: len(directions)] = variance[:count] / (variance.sum() or 1.0)
    return places, shares


def embedding_projection(
    vectors: Any,
    labels: Sequence[str] | None = None,
    title: str | None = None,
    path: str | PathLike[str] | None = None,
) -> Figure:
    """A point for each vector, on the plane along which they differ most (see principal_components).

    Args:
        vectors: (N, C), the rows of `embedding.weight`, for example.
        labels: the N tokens, as text.
        title: by default how many vectors of what size.
        path: where to write the picture as PNG.

    Raises ShapeError for other shapes or another count of labels, DTypeError for other than floating numbers,
    ArgumentError for ones that are not finite, MissingWheelError without matplotlib.
    """
    places, shares = principal_components(vectors)
    names = None if labels is None else list(labels)
    if names is not None and len(names) != len(places):
        raise ShapeError(f"embedding_projection: {len(names)} labels for {len(places)} vectors")
    for name in names or ():
        if not isinstance(name, str):
            raise DTypeError(f"embedding_projection: labels are text, not {name!r}; decode the ids first")
    with style("embedding_projection"):
        size = as_array(vectors, "embedding_projection").shape
        heading = f"{size[0]:,} embeddings of {size[1]:,} numbers" if title is None else title
        figure, (axis,) = new_picture(1, 1, 7.0, 6.5, heading)
        written = names is not None and len(names) <= LABELLED
        axis.scatter(places[:, 0], places[:, 1], s=4 if written else 12, color=QUIET, linewidths=0)
        if written and names is not None:
            for (x, y), name in zip(places, names, strict=True):
                axis.annotate(
                    legible(name),
                    (x, y),
                    (3, 2),
                    textcoords="offset points",
                    color=INK,
                    fontsize=8,
                    parse_math=False,
                )
        axis.set_xlabel(f"first component ({shares[0]:.0%} of the variance)")
        axis.set_ylabel(f"second component ({shares[1]:.0%})")
        axis.spines[["top", "right"]].set_visible(False)
        return finished(figure, path)
