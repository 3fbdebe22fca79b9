"""What is taken for what: counts of true and predicted classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_data.pictures import INK, finished, new_picture
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.tensor import as_array
from tt_vision.pictures.style import style
from tt_vision.pictures.tiles import named

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.figure import Figure

__all__ = ["confusion_counts", "confusion_matrix"]

NUMBERED, LABELLED = 20, 40
"""Up to so many classes, cells have numbers, and axes have names."""


def confusion_counts(targets: Any, predictions: Any, classes: int) -> Any:
    """counts[t, p]: how many images of class t were taken for p; (classes, classes), int64.

    Args:
        targets, predictions: class numbers, (N,) each.

    Raises ShapeError for other shapes, DTypeError for other than integers, ArgumentError for numbers out of range.
    """
    true, said = (as_array(values, "confusion_counts") for values in (targets, predictions))
    if true.ndim != 1 or true.shape != said.shape:
        raise ShapeError(
            f"confusion_counts: targets and predictions are (N,), not {true.shape} and {said.shape}"
        )
    for name, values in (("targets", true), ("predictions", said)):
        if values.dtype.kind not in "iu":
            raise DTypeError(
                f"confusion_counts: {name} are class numbers, not {values.dtype}; use argmax(axis=1)"
            )
        if values.size and not (values.min() >= 0 and values.max() < classes):
            raise ArgumentError(
                f"confusion_counts: {name} go from {values.min()} to {values.max()}, classes from 0 to {classes - 1}"
            )
    cells = true.astype(np.int64) * classes + said.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def confusion_matrix(
    counts: Any,
    classes: Sequence[str] | None = None,
    title: str | None = None,
    path: str | PathLike[str] | None = None,
) -> Figure:
    """A cell for each true (row) and predicted (column) class, the darker the larger its share of the row.

    Args:
        counts: (K, K), as `confusion_counts` gives them.
        classes: K names.
        title: by default the accuracy.
        path: where to write the picture as PNG.

    Raises ShapeError for counts that are not square or another count of names, ArgumentError for negative ones,
    DTypeError for other than integers, MissingWheelError without matplotlib.
    """
    table = as_array(counts, "confusion_matrix")
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not table.size:
        raise ShapeError(f"confusion_matrix: counts are (K, K), not {table.shape}")
    if table.dtype.kind not in "iu":
        raise DTypeError(f"confusion_matrix: counts are integers, not {table.dtype}")
    if table.min() < 0:
        raise ArgumentError(f"confusion_matrix: a count is negative ({table.min()})")
    k, total = len(table), int(table.sum())
    names = named(classes, k, "confusion_matrix")
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    right = np.trace(table) / max(total, 1)
    side = min(max(0.55 * k, 4.0), 10.0)
    with style("confusion_matrix"):
        heading = f"{right:.1%} of {total:,} right" if title is None else title
        figure, (axis,) = new_picture(1, 1, side + 1.4, side + 1.1, heading)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axis.set_xlabel("predicted")
        axis.set_ylabel("true")
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
        labelled = range(k) if k <= LABELLED else []
        axis.set_xticks(
            labelled, [names[i] for i in labelled], rotation=45, ha="right", rotation_mode="anchor"
        )
        axis.set_yticks(labelled, [names[i] for i in labelled])
        if k <= NUMBERED:
            for (row, column), count in np.ndenumerate(table):
                if count:
                    colour = "white" if shares[row, column] > 0.5 else INK
                    axis.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
        return finished(figure, path)
