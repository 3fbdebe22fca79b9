"""Matrix products of layers: by BLAS with its own threads, or in shards beside other layers that run in shards.

A BLAS thread that has nothing to do looks for work for some 25 ms before it sleeps, and takes a core from the shards
of the next layer meanwhile. So where layers in shards are about (convolutions say so when they are made), products run
in shards, too, or on one thread if they are small. Which way depends on shapes only.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import shards
from tt_tensor import kernels
from tt_tensor.kernels import table
from tt_tensor.kernels.matmul import loops, product

__all__ = ["matrix_product"]

BLAS_ALONE = 1 << 18
"""Up to so many multiplications OpenBLAS uses one thread by itself."""

WORTH = 1 << 22
"""So many multiplications are worth a thread."""


def matrix_product(x: Any, y: Any) -> Any:
    """x @ y, for x (…, k) and y (k, n); on the kernel in use."""
    if not shards.preferred:
        return product(x, y)
    if x.ndim != 2 or y.ndim != 2:
        if x.ndim < 2 or y.ndim != 2 or x.shape[-1] != len(y) or not x.flags.c_contiguous:
            return product(x, y)
        return matrix_product(x.reshape(math.prod(x.shape[:-1]), len(y)), y).reshape(
            *x.shape[:-1], y.shape[1]
        )
    if x.shape[1] != len(y) or (table.plain and x.size * y.shape[1] <= BLAS_ALONE):
        return product(x, y)
    return kernels.kernel("matrix_product")(x, y)


def matrix_product_numpy(x: Any, y: Any) -> Any:
    """By BLAS, the rows of x or the columns of y in shards, which have one thread of it each.

    The longer side of the result is cut: each shard copies all of the other matrix to where BLAS multiplies it.
    """
    rows, n = x.shape[0], y.shape[1]
    if x.size * n <= BLAS_ALONE or shards.inside():
        return x.dot(y)
    out = np.empty((rows, n), np.result_type(x, y))

    def some_rows(start: int, stop: int, part: int) -> None:
        np.matmul(x[start:stop], y, out=out[start:stop])

    def some_columns(start: int, stop: int, part: int) -> None:
        np.matmul(x, y[:, start:stop], out=out[:, start:stop])

    least = -(-WORTH // (x.shape[1] * min(rows, n)))
    with shards.one_blas_thread():
        shards.run(some_rows if rows >= n else some_columns, max(rows, n), least)
    return out


kernels.register("matrix_product", "loops", loops)
kernels.register("matrix_product", "numpy", matrix_product_numpy, default=True)
