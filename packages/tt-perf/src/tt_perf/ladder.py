"""The matmul ladder: one formula, z[i, j] = Σ_k x[i, k] y[k, j], from three loops in Python to BLAS.

Each rung is a function (n, k), (k, m) → (n, m) of float32 arrays, and changes one thing about the rung before it:

    lists       three loops over Python's numbers: the definition
    dots        the inner loop is one call of NumPy: n · m calls
    rows        a row of y times a number, for each number of x: n · k calls on whole rows, each in the order of memory
    ijk         the three loops again, compiled: no interpreter, but a column of y is read across its rows
    ikj         two loops swapped: the innermost goes along rows, and the compiler takes 16 numbers at once
    blocked     blocks that stay in the caches, and four rows at a time, so that what was loaded is used four times
    threads     the same, the rows of x shared out to all cores
    blas        `np.matmul`: the same ideas, by people who did nothing else for years

`for rung, function in tt_perf.matmul_ladder().items(): ...` climbs it. "blocked" and "threads" also stand in the table:
`with kernels.use("threads", "matmul"):` runs a model on it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from tt_nn import shards
from tt_tensor import kernels
from tt_tensor.kernels.matmul import check_shapes

__all__ = ["COMPILED", "blas", "blocked", "dots", "ijk", "ikj", "lists", "matmul_ladder", "rows", "threads"]

Rung = Callable[[Any, Any], Any]

COMPILED = ("ijk", "ikj", "blocked", "threads")
"""The rungs that need numba."""

LEAST_ROWS = 16
"""Rows of x that are worth a thread."""


def matmul_ladder() -> dict[str, Rung]:
    """The rungs from the bottom up, name → function; without numba those of `COMPILED` are missing.

    Source of the order: Drepper, "What every programmer should know about memory", 2007; Goto & van de Geijn,
    "Anatomy of high-performance matrix multiplication", ACM TOMS 34, 2008.
    """
    rungs: dict[str, Rung] = {
        "lists": lists, "dots": dots, "rows": rows, "ijk": ijk, "ikj": ikj, "blocked": blocked,
        "threads": threads, "blas": blas,
    }  # fmt: skip
    if importlib.util.find_spec("numba") is None:
        return {name: rung for name, rung in rungs.items() if name not in COMPILED}
    return rungs


def lists(x: Any, y: Any) -> Any:
    """Three loops over lists: NumPy's own numbers would be slower one by one."""
    x, y = _checked(x, y)
    left, right = x.tolist(), y.tolist()
    n, depth, m = len(x), len(y), y.shape[1]
    z = [[0.0] * m for _ in range(n)]
    for i in range(n):
        for j in range(m):
            total = 0.0
            for k in range(depth):
                total += left[i][k] * right[k][j]
            z[i][j] = total
    return np.array(z, np.float32).reshape(n, m)


def dots(x: Any, y: Any) -> Any:
    """z[i, j] = x[i] · y[:, j]."""
    x, y = _checked(x, y)
    z = np.empty((len(x), y.shape[1]), np.float32)
    for i in range(len(x)):
        for j in range(y.shape[1]):
            z[i, j] = np.dot(x[i], y[:, j])
    return z


def rows(x: Any, y: Any) -> Any:
    """z[i] = Σ_k x[i, k] y[k]: no number by itself any more."""
    x, y = _checked(x, y)
    z = np.zeros((len(x), y.shape[1]), np.float32)
    for i in range(len(x)):
        for k in range(len(y)):
            z[i] += x[i, k] * y[k]
    return z


def ijk(x: Any, y: Any) -> Any:
    """The loops of `lists`, compiled."""
    from tt_perf.compiled import matmul

    return _filled(matmul.ijk, x, y)


def ikj(x: Any, y: Any) -> Any:
    """The loops of `rows`, compiled."""
    from tt_perf.compiled import matmul

    return _filled(matmul.ikj, x, y)


def blocked(x: Any, y: Any) -> Any:
    """`ikj` in blocks, on one core."""
    from tt_perf.compiled import matmul

    return _filled(matmul.blocked, x, y)


def threads(x: Any, y: Any) -> Any:
    """`blocked` on all cores: each takes some rows of x."""
    from tt_perf.compiled import matmul

    def shared_out(x: Any, y: Any, z: Any) -> None:
        def body(start: int, stop: int, part: int) -> None:
            matmul.blocked(x[start:stop], y, z[start:stop])

        shards.run(body, len(x), LEAST_ROWS)

    return _filled(shared_out, x, y)


def blas(x: Any, y: Any) -> Any:
    """What `@` calls."""
    return np.matmul(*_checked(x, y))


def _filled(kernel: Callable[[Any, Any, Any], None], x: Any, y: Any) -> Any:
    x, y = _checked(x, y)
    z = np.zeros((len(x), y.shape[1]), np.float32)
    kernel(x, y, z)
    return z


def _checked(x: Any, y: Any) -> tuple[Any, Any]:
    """Both as float32 matrices whose rows lie side by side. Raises ShapeError where they do not fit."""
    x, y = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(y, np.float32)
    check_shapes(x.shape, y.shape)
    return x, y


def _in_table(rung: Rung) -> Callable[[Any, Any], Any]:
    """A rung as a kernel: for float32 matrices; the rest goes to NumPy's."""

    def kernel(x: Any, y: Any) -> Any:
        suits = isinstance(x, np.ndarray) and isinstance(y, np.ndarray) and x.dtype == y.dtype == np.float32
        if suits and x.ndim == y.ndim == 2:
            return rung(x, y)
        return kernels.kernel("matmul", "numpy")(x, y)

    return kernel


if importlib.util.find_spec("numba") is not None:
    kernels.register("matmul", "blocked", _in_table(blocked))
    kernels.register("matmul", "threads", _in_table(threads))
