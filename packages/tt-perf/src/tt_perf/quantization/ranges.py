"""Which range the integers of a row cover: all of its numbers, most of them, or what gives the least squared error.

A range that leaves out the rarest and largest numbers rounds all others finer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError

__all__ = ["OBSERVERS", "PERCENTILE", "row_ranges"]

OBSERVERS = ("minmax", "percentile", "mse")

PERCENTILE = 99.9
"""How many of 100 numbers the range of "percentile" holds."""

SHRINKS = np.linspace(1.0, 0.4, 31)
"""Parts of the whole range that "mse" tries."""


def row_ranges(
    rows: Any, observer: str, dtype: Any, symmetric: bool, name: str = "row_ranges"
) -> tuple[Any, Any]:
    """(low ≤ 0, high ≥ 0), float64, of each row of (R, n).

    Args:
        rows: finite numbers.
        observer: "minmax": from the least to the greatest. "percentile": what 99.9 % of the numbers are within, by
            size where it is symmetric. "mse": of 31 parts of the whole range, the one of the least Σ (w - ŵ)².
        dtype: of the integers; "mse" needs to know how fine they are.
        symmetric: whether low = -high.

    Raises ArgumentError for another observer.
    """
    if observer not in OBSERVERS:
        raise ArgumentError(f"{name}: no observer is called {observer!r}; there are {', '.join(OBSERVERS)}")
    if not rows.shape[1]:
        return np.zeros(len(rows)), np.zeros(len(rows))
    if observer == "percentile":
        if symmetric:
            high = np.percentile(np.abs(rows), PERCENTILE, axis=1).astype(np.float64)
            return -high, high
        tail = (100 - PERCENTILE) / 2
        low, high = np.percentile(rows, (tail, 100 - tail), axis=1).astype(np.float64)
        return np.minimum(low, 0), np.maximum(high, 0)
    low = np.minimum(rows.min(axis=1), 0).astype(np.float64)
    high = np.maximum(rows.max(axis=1), 0).astype(np.float64)
    if symmetric:
        high = np.maximum(-low, high)
        low = -high
    return (low, high) if observer == "minmax" else _least_error(rows, low, high, dtype, symmetric)


def _least_error(rows: Any, low: Any, high: Any, dtype: Any, symmetric: bool) -> tuple[Any, Any]:
    from tt_perf.quantization.integers import rounded, scales_of

    best = np.full(len(rows), np.inf)
    best_low, best_high = low.copy(), high.copy()
    for shrink in SHRINKS:
        scale, zero = scales_of(low * shrink, high * shrink, dtype, symmetric)
        q = rounded(rows.astype(np.float64), scale[:, None], zero[:, None], dtype, symmetric)
        q -= zero[:, None]
        q *= scale[:, None]
        q -= rows
        error = np.einsum("rn,rn->r", q, q)
        better = error < best
        best[better], best_low[better], best_high[better] = (
            error[better],
            (low * shrink)[better],
            (high * shrink)[better],
        )
    return best_low, best_high
