"""The gradient of a table whose rows were looked up: each row of the gradient added to the row that it came from.

np.add.at on rows does it in one line, 5 to 20 times slower than what follows: it goes through one number at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor import kernels

__all__ = ["add_rows", "add_rows_loops", "rows_added"]

WHOLE = 1 << 20
"""Bytes of gradient up to which all its rows are sorted at once; beyond, those of one id at a time."""

SHORT = 1 << 16
"""Rows of a table up to which its indices are sorted as 16-bit numbers, which NumPy sorts by radix."""


def add_rows_loops(grad: Any, ids: Any, rows: int) -> Any:
    """table[ids[i]] += grad[i] for every i, into zeros (rows, D): grad (M, D), ids (M,) integers from 0 to rows - 1."""
    table = np.zeros((rows, grad.shape[1]), grad.dtype)
    for i in range(len(ids)):
        for j in range(grad.shape[1]):
            table[ids[i], j] += grad[i, j]
    return table


def add_rows(grad: Any, ids: Any, rows: int) -> Any:
    """The same: sorted by their ids, equal ones stand together, and a product with ones sums them.

    Ids that occur once, in a large vocabulary most, are copied all at once.
    """
    if grad.dtype == np.float16:  # sums of many are not for half precision, and BLAS has no products of it
        return add_rows(grad.astype(np.float32), ids, rows).astype(np.float16)
    table = np.zeros((rows, grad.shape[1]), grad.dtype)
    if not grad.size:
        return table
    order = (ids.astype(np.uint16) if rows <= SHORT else ids).argsort(kind="stable")
    held = ids.take(order)
    # Where another id begins, and where it ends.
    edges = (np.flatnonzero(held[1:] != held[:-1]) + 1).tolist()
    starts, stops = np.array([0, *edges]), np.array([*edges, len(held)])
    several = stops - starts > 1
    once = starts[~several]
    if once.size:
        table[held[once]] = grad.take(order[once], 0)
    first, last = starts[several], stops[several]
    ones = np.ones(int((last - first).max(initial=0)), grad.dtype)
    parts = zip(held[first].tolist(), first.tolist(), last.tolist(), strict=True)
    if grad.nbytes <= WHOLE:
        grad = grad.take(order, 0)
        for row, start, stop in parts:
            np.dot(ones[: stop - start], grad[start:stop], table[row])
    else:
        for row, start, stop in parts:
            np.dot(ones[: stop - start], grad.take(order[start:stop], 0), table[row])
    return table


def rows_added(grad: Any, ids: Any, rows: int) -> Any:
    """By the kernel "add_rows" in use."""
    return kernels.kernel("add_rows")(grad, ids, rows)


kernels.register("add_rows", "loops", add_rows_loops)
kernels.register("add_rows", "numpy", add_rows, default=True)
