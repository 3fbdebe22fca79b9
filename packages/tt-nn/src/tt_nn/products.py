"""Matrix products of layers: by BLAS with its own threads, or in shards beside other layers that run in shards.

A BLAS thread that has nothing to do looks for work for some 25 ms before it sleeps, and takes a core from the shards
of the next layer meanwhile. So where layers in shards are about (tt_vision says so when it is imported), products run
in shards, too, or on one thread if they are small. Which way depends on shapes only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_tensor.kernels import table
from tt_tensor.kernels.matmul import product

__all__ = ["matrix_product"]

BLAS_ALONE = 1 << 18
"""Up to so many multiplications OpenBLAS uses one thread by itself."""

WORTH = 1 << 22
"""So many multiplications are worth a thread."""


def matrix_product(x: Any, y: Any) -> Any:
    """x @ y, for x (…, k) and y (k, n); on the kernel in use."""
    if not shards.preferred or x.ndim != 2 or not table.plain:
        return product(x, y)
    rows, n = x.shape[0], y.shape[1]
    work = rows * x.shape[1] * n
    if work <= BLAS_ALONE or x.shape[1] != y.shape[0] or shards.inside():
        return x.dot(y)
    out = np.empty((rows, n), np.result_type(x, y))

    def body(start: int, stop: int, part: int) -> None:
        np.matmul(x[start:stop], y, out=out[start:stop])

    with shards.one_blas_thread():
        shards.run(body, rows, -(-WORTH // (x.shape[1] * n)))
    return out
