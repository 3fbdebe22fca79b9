"""How images lie in memory: NCHW by name, channels last inside.

A Tensor of images has the shape (N, C, H, W), as everywhere. The layers of this wheel store it as (N, H, W, C): the
channels of a pixel side by side, as a matrix product wants them. The array of the Tensor is a view, so nothing that
does not look at strides can tell.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards

__all__ = ["channel_sums", "channels_first", "channels_last", "rows_of"]

RUN = 1 << 12
"""So many rows are added up in float32; the sums of runs are added in float64."""


def channels_last(x: Any) -> Any:
    """(N, C, H, W) in any memory order as a C-contiguous (N, H, W, C); no copy where it is stored so already."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def channels_first(y: Any) -> Any:
    """(N, H, W, C) seen as (N, C, H, W)."""
    return y.transpose(0, 3, 1, 2)


def rows_of(y: Any) -> Any:
    """A C-contiguous (N, H, W, C) as a matrix (N·H·W, C): one row for each pixel."""
    return y.reshape(y.shape[0] * y.shape[1] * y.shape[2], y.shape[3])


def channel_sums(rows: Any) -> Any:
    """Σ of each column of (M, C), in float64.

    A product with ones adds up a run of rows in BLAS, in one pass and without a temporary.
    """
    length = len(rows)
    cut = shards.parts(length, max(1, (1 << 18) // max(rows.shape[1], 1)))
    sums = np.zeros((len(cut), rows.shape[1]))

    def body(start: int, stop: int, part: int) -> None:
        ones = np.ones(min(RUN, stop - start), rows.dtype)
        for first in range(start, stop, RUN):
            some = rows[first : min(first + RUN, stop)]
            sums[part] += ones[: len(some)].dot(some)

    shards.run_parts(body, cut)
    return sums.sum(axis=0)
