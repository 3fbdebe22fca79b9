"""Rows of classes: what the losses of one class out of many share.

A prediction (N, C), (N, C, d₁, …) or (C,) is looked at as (N, C) or (N, C, B): each of its rows, along C, is one
prediction with one target.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tt_nn.loss import check_prediction, narrowed
from tt_nn.sums import over_classes, total
from tt_tensor.errors import DTypeError, IndexingError, ShapeError
from tt_tensor.kernels.softmax import LOWEST

__all__ = ["ClassRows", "Rows", "column", "exponentials"]

SAFE = 36.0
"""exp of logits up to here, and sums of such, neither overflow nor underflow, nor lose a digit to a shift."""


class Rows:
    """Part of a Function of rows of classes: their shapes, the weight of each class, the reduction over the rows.

    `weight` (C,) is a constant: a parameter of the loss, none of its inputs. float16 is computed in float32.
    """

    def __init__(self, reduction: str, weight: Any) -> None:
        self.reduction, self.weight = reduction, weight

    def look_at(self, what: str, x: Any) -> None:
        """Check the prediction and the weight; note the shapes: `flat` that of the rows, `rows` that of the losses."""
        shape = x.shape
        if len(shape) == 2:
            self.flat, self.rows = shape, shape[:1]
        elif len(shape) == 1:
            self.flat, self.rows = (1, *shape), ()
        elif shape:
            self.flat = (*shape[:2], math.prod(shape[2:]))
            self.rows = shape[:1] + shape[2:]
        else:
            raise ShapeError(
                f"{what}: the prediction is a single number; it needs an axis of classes, (C,) or (N, C)"
            )
        check_prediction(what, x)
        if not shape[min(len(shape) - 1, 1)] and math.prod(self.rows):
            raise ShapeError(f"{what}: a prediction of shape {shape} has no classes to choose from")
        self.shape = shape
        self.half = x.dtype == np.float16
        if self.weight is not None:
            if self.weight.shape != (self.flat[1],):
                raise ShapeError(
                    f"{what}: weight has shape {self.weight.shape}; it needs one number for each of {self.flat[1]} "
                    "classes"
                )
            self.w = self.weight.astype(np.float32 if self.half else x.dtype, copy=False)
        else:
            self.w = None

    def flattened(self, x: Any) -> Any:
        """`x` in the shape of the rows, contiguous, in the dtype to compute in."""
        if self.half:
            x = x.astype(np.float32)
        if x.shape == self.flat and x.flags.c_contiguous:
            return x
        return np.ascontiguousarray(x).reshape(self.flat)

    def along(self, w: Any) -> Any:
        """The weights of the classes, so shaped that they broadcast over the rows."""
        return w if len(self.flat) == 2 else w[:, None]

    def result(self, losses: Any) -> Any:
        """The rows' losses, reduced."""
        if self.reduction == "none":
            losses = losses.reshape(self.rows)
        else:
            losses = total(losses)
            if self.reduction == "mean":
                share = self.share()
                losses = losses * share if share else np.where(True, 0.0, losses)  # 0 even if they are inf
        return narrowed(losses) if self.half else losses

    def share(self) -> float:
        """What one row counts for in the result."""
        if self.reduction != "mean":
            return 1.0
        count = math.prod(self.rows)
        return 1.0 / count if count else math.nan

    def shared(self, grad: Any) -> Any:
        """The gradient at the rows' losses, from the one at the result."""
        if self.half:
            grad = grad.astype(np.float32)
        if self.reduction == "none":
            return grad.reshape(self.flat[:1] + self.flat[2:])
        return grad if self.reduction == "sum" else grad * self.share()


class ClassRows(Rows):
    """Rows whose target is the index of a class: each has the weight of that class, and 0 if it is ignored.

    The mean divides by the sum of these weights; where that is 0, the mean is 0, and so is its gradient.
    """

    def __init__(self, ignore_index: int, reduction: str, weight: Any) -> None:
        super().__init__(reduction, weight)
        self.ignore_index = ignore_index

    def look_at_both(self, what: str, x: Any, target: Any) -> None:
        """Check both; note `index`, where in a row, `at`, where in all rows; the rows' weights, and the ignored."""
        self.look_at(what, x)
        if target.shape != self.rows:
            raise ShapeError(
                f"{what}: a prediction of shape {x.shape} has its classes on axis {min(x.ndim - 1, 1)}, so class "
                f"indices have shape {self.rows}, not {target.shape}"
            )
        n, classes = self.flat[:2]
        self.index, self.ignored = checked_index(what, target, classes, self.ignore_index)
        if len(self.flat) == 2:
            self.index = self.index if self.rows else self.index.reshape(1)
            self.at = starts(n, classes) + self.index
        else:
            inner = self.flat[2]
            self.index = self.index.reshape(n, inner)
            self.at = starts(n, classes * inner)[:, None] + (self.index * inner + np.arange(inner))
        if self.ignored is not None:
            self.ignored = self.ignored.reshape(self.index.shape)
        # What each row counts (None: 1).
        self.row_weight = None if self.w is None else self.w[self.index]
        if self.ignored is not None and self.row_weight is not None:
            self.row_weight[self.ignored] = 0

    def share(self) -> float:
        if self.reduction != "mean":
            return 1.0
        if self.row_weight is not None:
            weights = float(np.add.reduce(self.row_weight, axis=None, dtype=np.float64))
        else:
            weights = self.index.size - (0 if self.ignored is None else int(np.count_nonzero(self.ignored)))
        return 1.0 / weights if weights else 0.0 if self.index.size else math.nan

    def weighted(self, losses: Any) -> Any:
        """Losses of the rows times their weights, in place. What counts 0 is 0, also where the loss is inf or NaN."""
        if self.row_weight is not None:
            with np.errstate(invalid="ignore"):
                losses *= self.row_weight
            losses[self.row_weight == 0] = 0
        elif self.ignored is not None:
            losses[self.ignored] = 0
        return losses


def checked_index(what: str, target: Any, classes: int, ignored: Any) -> tuple[Any, Any]:
    """The targets with 0 in the place of ignored ones, and which are ignored (None: none is).

    Raises DTypeError for indices that are no integers, IndexingError for one out of range.
    """
    if target.dtype.kind not in "iu":
        raise DTypeError(
            f"{what}: class indices are integers, not {target.dtype}; probabilities for each class have the "
            "shape of the prediction"
        )
    index = target.astype(np.int64, copy=False)
    # As unsigned, a negative number is a huge one, so one comparison sees both ends.
    if not index.size or (
        np.maximum.reduce(index.view(np.uint64), axis=None) < classes and not 0 <= ignored < classes
    ):
        return index, None
    skip = index == ignored
    wrong = ~skip & ((index < 0) | (index >= classes))
    if wrong.any():
        at = tuple(map(int, np.argwhere(wrong)[0]))
        raise IndexingError(
            f"{what}: the target at {at} is {target[at]}, but there are {classes} classes, 0 to {classes - 1} "
            f"(and {ignored} to be ignored)"
        )
    if not skip.any():
        return index, None
    return np.where(skip, 0, index), skip


def starts(n: int, size: int) -> Any:
    """0, size, 2 size, …: where each of n rows begins."""
    return _starts(n, size) if n <= 4096 else np.arange(0, n * size, size) if size else np.zeros(n, np.int64)


@functools.lru_cache(maxsize=64)
def _starts(n: int, size: int) -> Any:
    found = np.arange(n) * size
    found.flags.writeable = False
    return found


def exponentials(x: Any, out: Any = None) -> tuple[Any, Any, Any]:
    """exp(x - m) for the rows, their sums over the classes, and m, a number for each row: None stands for 0.

    m is the row's maximum, unless all logits are small anyway. A row of nothing but -inf gives zeros and m is
    finite; one with NaN or +inf in it gives NaN. None of this warns.
    """
    if not x.size:
        return x.copy(), np.ones(x.shape[:1] + x.shape[2:], x.dtype), None
    # The sum of the squares costs a quarter of the two extremes, while it is the price of a call that counts.
    if (x.size <= 1024 and np.vdot(x, x) < SAFE * SAFE) or (
        np.maximum.reduce(x, axis=None) < SAFE and np.minimum.reduce(x, axis=None) > -SAFE
    ):
        e = np.exp(x, out)
        return e, over_classes(e), None
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        top = np.maximum(np.maximum.reduce(x, axis=1, keepdims=True), LOWEST[x.dtype.char])
        e = np.subtract(x, top, out)
        np.exp(e, e)
        return e, over_classes(e), top


def column(rows: Any) -> Any:
    """A number for each row, so shaped that it broadcasts along the classes."""
    return rows[:, None]
