"""The matrix product, compiled: three loops, the same in another order, and in blocks that fit registers and caches.

z[i, j] = Σ_k x[i, k] y[k, j], float32. Each adds to z, which starts at 0.
"""

from __future__ import annotations

from typing import Any

from tt_perf.compiled.jit import inline, jit

__all__ = ["blocked", "ijk", "ikj"]

_TYPES = "void(float32[:, ::1], float32[:, ::1], float32[:, ::1])"

WIDTH = 512
"""Columns of one block: four rows of z and four of y, 16 KiB, stay in a level-1 cache."""

DEPTH = 128
"""Rows of y in one block: DEPTH · WIDTH numbers, 256 KiB, stay in a level-2 cache."""


@jit(_TYPES)
def ijk(x: Any, y: Any, z: Any) -> None:
    """One number of z after the other. The inner loop walks down a column of y: a cache line for each number."""
    for i in range(x.shape[0]):
        for j in range(y.shape[1]):
            total = z[i, j]
            for k in range(x.shape[1]):
                total += x[i, k] * y[k, j]
            z[i, j] = total


@jit(_TYPES)
def ikj(x: Any, y: Any, z: Any) -> None:
    """The two inner loops swapped: the innermost walks along rows of y and z, so the compiler takes 16 at a time."""
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            a = x[i, k]
            for j in range(y.shape[1]):
                z[i, j] += a * y[k, j]


@inline
def _four_rows(x: Any, y: Any, z: Any, i: int, j0: int, j1: int, k0: int, k1: int) -> None:
    """z[i : i + 4, j0:j1] += x[i : i + 4, k0:k1] y[k0:k1, j0:j1]."""
    z0, z1, z2, z3 = z[i, j0:j1], z[i + 1, j0:j1], z[i + 2, j0:j1], z[i + 3, j0:j1]
    last = k1 - (k1 - k0) % 4
    for k in range(k0, last, 4):
        a, b, c, d = y[k, j0:j1], y[k + 1, j0:j1], y[k + 2, j0:j1], y[k + 3, j0:j1]
        x00, x01, x02, x03 = x[i, k], x[i, k + 1], x[i, k + 2], x[i, k + 3]
        x10, x11, x12, x13 = x[i + 1, k], x[i + 1, k + 1], x[i + 1, k + 2], x[i + 1, k + 3]
        x20, x21, x22, x23 = x[i + 2, k], x[i + 2, k + 1], x[i + 2, k + 2], x[i + 2, k + 3]
        x30, x31, x32, x33 = x[i + 3, k], x[i + 3, k + 1], x[i + 3, k + 2], x[i + 3, k + 3]
        for j in range(j1 - j0):
            z0[j] += x00 * a[j] + x01 * b[j] + x02 * c[j] + x03 * d[j]
            z1[j] += x10 * a[j] + x11 * b[j] + x12 * c[j] + x13 * d[j]
            z2[j] += x20 * a[j] + x21 * b[j] + x22 * c[j] + x23 * d[j]
            z3[j] += x30 * a[j] + x31 * b[j] + x32 * c[j] + x33 * d[j]
    for k in range(last, k1):
        a = y[k, j0:j1]
        for j in range(j1 - j0):
            z0[j] += x[i, k] * a[j]
            z1[j] += x[i + 1, k] * a[j]
            z2[j] += x[i + 2, k] * a[j]
            z3[j] += x[i + 3, k] * a[j]


@jit(_TYPES)
def blocked(x: Any, y: Any, z: Any) -> None:
    """Blocks of y that stay in the cache, and in them 4 × 4 numbers of x at a time: 16 products for 12 accesses."""
    n, depth, m = x.shape[0], x.shape[1], y.shape[1]
    for j0 in range(0, m, WIDTH):
        j1 = min(j0 + WIDTH, m)
        for k0 in range(0, depth, DEPTH):
            k1 = min(k0 + DEPTH, depth)
            for i in range(0, n - n % 4, 4):
                _four_rows(x, y, z, i, j0, j1, k0, k1)
            for i in range(n - n % 4, n):
                for k in range(k0, k1):
                    a = x[i, k]
                    for j in range(j0, j1):
                        z[i, j] += a * y[k, j]
