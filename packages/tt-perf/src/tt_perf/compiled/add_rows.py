"""The gradient of a table whose rows were looked up: each row of the gradient added to the one that it came from.

table[ids[i]] += grad[i]      in runs, so that a row that is met often is no long sum in float32
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types

from tt_perf.compiled.jit import jit
from tt_perf.compiled.table import fallback

__all__ = ["add_rows"]

RUN = 64
"""So many rows are added in one run."""

_ROWS = types.Array(types.float32, 2, "C", readonly=True)
_IDS = types.Array(types.int64, 1, "C", readonly=True)
_TABLE, _SEEN = types.Array(types.float32, 2, "C"), types.Array(types.int64, 1, "C")


@jit(types.void(_ROWS, _IDS, _TABLE, _TABLE, _SEEN))
def add_in_runs(grad: Any, ids: Any, table: Any, run: Any, counts: Any) -> None:
    """`run` is as large as the table: what was added to a row since it was last put into the table, `counts` times."""
    for i in range(ids.size):
        row = ids[i]
        into, some = run[row], grad[i]
        if counts[row] == 0:
            for j in range(some.size):
                into[j] = some[j]
        else:
            for j in range(some.size):
                into[j] += some[j]
        counts[row] += 1
        if counts[row] == RUN:
            counts[row] = 0
            total = table[row]
            for j in range(some.size):
                total[j] += into[j]
    for row in range(counts.size):
        if counts[row] > 0:
            total, into = table[row], run[row]
            for j in range(into.size):
                total[j] += into[j]


def add_rows(grad: Any, ids: Any, rows: int) -> Any:
    """Zeros (rows, D) plus grad (M, D) at the rows ids (M,): for a table that is no larger than the gradient."""
    suits = (
        grad.dtype.char == "f"
        and grad.flags.c_contiguous
        and ids.dtype == np.int64
        and ids.flags.c_contiguous
    )
    if not suits or not grad.size or rows > len(ids):
        return fallback("add_rows")(grad, ids, rows)
    table = np.zeros((rows, grad.shape[1]), np.float32)
    add_in_runs(grad, ids, table, np.empty_like(table), np.zeros(rows, np.int64))
    return table
