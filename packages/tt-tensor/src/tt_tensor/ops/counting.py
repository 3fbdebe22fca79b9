"""Questions about numbers and places, whose answers have no gradient: bincount, searchsorted, isin, triangles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.ops.casting import tensor_of

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["CountingMethods", "bincount", "isin", "searchsorted", "tril_indices", "triu_indices"]


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2 … occurs in x (n,), as int64; with `weights` (n,), the sum of theirs.

    Raises DTypeError unless x is of whole numbers, ArgumentError for negative ones, ShapeError for other shapes.
    """
    from tt_tensor.tensor import wrap

    numbers = tensor_of(x).array
    if numbers.dtype.kind not in "iu":
        raise DTypeError(f"bincount: it counts whole numbers, not {numbers.dtype}")
    given = None if weights is None else tensor_of(weights).array
    if numbers.ndim != 1 or (given is not None and given.shape != numbers.shape):
        shapes = f"{numbers.shape}" + ("" if given is None else f" and {given.shape}")
        raise ShapeError(f"bincount: numbers, and weights if any, are along one axis, not {shapes}")
    if numbers.size and numbers.min() < 0:
        raise ArgumentError(f"bincount: numbers from 0 up are counted, not {numbers.min()}")
    found = np.bincount(numbers.astype(np.int64), given, whole_number("bincount", "minlength", minlength))
    return wrap(found if given is None or given.dtype.kind != "f" else found.astype(given.dtype))


def searchsorted(sorted_sequence: Any, values: Any, right: bool = False) -> Tensor:
    """Where in a rising sequence (n,) each value would stand, as int64: before its equals, or behind them with `right`.

    Raises ShapeError unless the sequence has one axis.
    """
    from tt_tensor.tensor import wrap

    rising = tensor_of(sorted_sequence).array
    if rising.ndim != 1:
        raise ShapeError(f"searchsorted: the sequence is along one axis, not of shape {rising.shape}")
    return wrap(np.asarray(np.searchsorted(rising, tensor_of(values).array, "right" if right else "left")))


def isin(x: Any, among: Any) -> Tensor:
    """True where an element of x is one of the elements of `among`; of the shape of x."""
    from tt_tensor.tensor import wrap

    return wrap(np.isin(tensor_of(x).array, tensor_of(among).array))


def tril_indices(row: int, col: int, offset: int = 0) -> Tensor:
    """Rows and columns (2, n) of the places of the lower triangle of a matrix (row, col), row by row.

    `offset` > 0 takes diagonals above the main one, too. Raises ArgumentError for what is no whole number.
    """
    return _triangle("tril_indices", np.tril_indices, row, col, offset)


def triu_indices(row: int, col: int, offset: int = 0) -> Tensor:
    """The same for the upper triangle; `offset` > 0 leaves diagonals out."""
    return _triangle("triu_indices", np.triu_indices, row, col, offset)


def _triangle(what: str, function: Any, row: int, col: int, offset: int) -> Tensor:
    from tt_tensor.tensor import wrap

    rows, columns = whole_number(what, "row", row), whole_number(what, "col", col)
    found = function(rows, whole_number(what, "offset", offset, None), columns)
    return wrap(np.stack(found).astype(np.int64))


class CountingMethods:
    """Methods of a Tensor."""

    bincount = bincount
    isin = isin
