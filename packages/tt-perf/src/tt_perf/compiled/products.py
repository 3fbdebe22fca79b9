"""Matrix products of layers: c = a b for float32, a strip of 12 × 32 numbers of c in registers at a time.

    for each piece of the columns of b (512) and of the depth (256)
        copy that piece of b, so that a panel of 32 columns is one run of memory (32 KiB: it stays in the level-1 cache)
        for each block of 384 rows, for each panel, for each strip of 12 rows
            c[12, 32] += a[12, 256] b[256, 32]

b may be a weight that is used transposed: rows and columns change places in the copy. a is read where it lies, one
number to a whole register. Where its columns are its runs (the gradient of y, for that of a weight), the next twelve
numbers of a strip stand on another page each time; so a strip meets all panels before the next one comes.
Source: Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication (2008).

A BLAS does the same, but for any size; one tile that is compiled for this processor is up to 1.3 times as fast on the
sizes that layers have. It needs 32 registers of 64 bytes: elsewhere, and for what is small, BLAS goes on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding  # type: ignore[import-untyped]
from numba import types

from tt_nn import shards
from tt_nn.blocks import room
from tt_perf.compiled.arrays import FLOAT32
from tt_perf.compiled.gang import share, state
from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import LANES, load, store
from tt_perf.compiled.table import fallback
from tt_perf.compiled.tile_product import tile_product
from tt_perf.compiled.tiles import turn

__all__ = ["matrix_product"]

STRIP, PANEL = 12, 2 * LANES
"""Rows and columns of a tile: 24 registers of sums, 2 of b and one of a."""
BLOCK, DEEP, WIDE = 384, 256, 512
"""Rows of a, numbers of the depth and columns of b in a piece: so much stays in a level-2 cache."""
FEW = 96
"""Up to so many rows BLAS, which turns none of b, copies it as fast as one core does here."""
WORTH = 1 << 18
"""So many products of two numbers are worth the copy of b."""
LARGE = 256
"""Where no side is shorter, the pieces do not suit the caches any more, and BLAS is quicker."""

_twelve, _four, _one = tile_product(STRIP, 2), tile_product(4, 2), tile_product(1, 2)
_FLAT, _INT = types.Array(types.float32, 1, "C"), types.int64
_SUITS = bool(binding.get_host_cpu_features().get("avx512f"))


@jit(types.void(_FLAT, *6 * [_INT], _FLAT))
def _copy(b: Any, at: Any, across: Any, along: Any, turned: Any, wide: Any, deep: Any, panels: Any) -> None:
    """A piece (deep, wide) of b as panels, the last filled up with zeros; element (d, s) is at d along + s across."""
    to = 0
    for first in range(0, wide, PANEL):
        start = at + first * across
        if first + PANEL > wide:
            for d in range(deep):
                for s in range(PANEL):
                    there = first + s < wide
                    panels[to + d * PANEL + s] = b[start + d * along + s * across] if there else np.float32(0)
        elif not turned:
            for d in range(deep):
                store(panels, to + d * PANEL, load(b, start + d * along))
                store(panels, to + d * PANEL + LANES, load(b, start + d * along + LANES))
        else:
            whole = deep // LANES * LANES
            for d in range(0, whole, LANES):
                turn(b, start + d, across, panels, to + d * PANEL, PANEL)
                turn(b, start + LANES * across + d, across, panels, to + d * PANEL + LANES, PANEL)
            for d in range(whole, deep):
                for s in range(PANEL):
                    panels[to + d * PANEL + s] = b[start + s * across + d]
        to += deep * PANEL


@jit(types.void(_FLAT, *3 * [_INT], _FLAT, *2 * [_INT], _FLAT, *3 * [_INT], types.boolean))
def _column(
    a: Any, i: Any, down: Any, along: Any, b: Any, j: Any, deep: Any,
    c: Any, k: Any, wide: Any, rows: Any, onto: Any,
) -> None:  # fmt: skip
    """c[k:] (rows, 32) = or += a[i:] (rows, deep) b[j:] (deep, 32)."""
    for _ in range(rows // STRIP):
        _twelve(a, i, down, along, b, j, PANEL, deep, c, k, wide, onto)
        i += STRIP * down
        k += STRIP * wide
    rows %= STRIP
    for _ in range(rows // 4):
        _four(a, i, down, along, b, j, PANEL, deep, c, k, wide, onto)
        i += 4 * down
        k += 4 * wide
    for _ in range(rows % 4):
        _one(a, i, down, along, b, j, PANEL, deep, c, k, wide, onto)
        i += down
        k += wide


@jit(types.void(*4 * [_INT], _FLAT, types.boolean, _FLAT, types.boolean, _FLAT, *3 * [_INT]))
def _piece(
    start: Any, stop: Any, left: Any, right: Any, a: Any, a_turned: Any, b: Any, b_turned: Any,
    c: Any, rows: Any, depth: Any, width: Any,
) -> None:  # fmt: skip
    """Rows start to stop, columns left to right of c (rows, width) = a (rows, depth) b (depth, width).

    With `turned`, what lies in memory is aᵀ (depth, rows) or bᵀ (width, depth).
    """
    down, along = (1, rows) if a_turned else (depth, 1)
    across, onward = (depth, 1) if b_turned else (1, width)
    block, most = (STRIP, DEEP * 3 // 4) if a_turned else (BLOCK, DEEP)
    most = -(-depth // max(1, -(-depth // most)))  # pieces of one size
    panels = np.empty((min(right - left, WIDE) + PANEL) * most, np.float32)
    edge = np.empty((stop - start) * PANEL if (right - left) % PANEL else 0, np.float32)
    for first in range(left, right, WIDE):
        wide = min(WIDE, right - first)
        whole = wide // PANEL * PANEL
        for d in range(0, depth, most):
            deep, at = min(most, depth - d), first * across + d * onward
            _copy(b, at, across, onward, b_turned, wide, deep, panels)
            for row in range(start, stop, block):
                tall, i = min(block, stop - row), row * down + d * along
                if a_turned and tall == STRIP:
                    # Where 1 is known as it is compiled, no address is a sum.
                    for j in range(0, whole, PANEL):
                        k = row * width + first + j
                        _twelve(a, i, 1, along, panels, j * deep, PANEL, deep, c, k, width, d > 0)
                else:
                    for j in range(0, whole, PANEL):
                        k = row * width + first + j
                        _column(a, i, down, along, panels, j * deep, deep, c, k, width, tall, d > 0)
                if whole < wide:
                    k = (row - start) * PANEL
                    _column(a, i, down, along, panels, whole * deep, deep, edge, k, PANEL, tall, d > 0)
        for row in range(start, stop):
            for s in range(whole, wide):
                c[row * width + first + s] = edge[(row - start) * PANEL + s - whole]


@jit(types.void(*2 * [_INT], _FLAT, types.boolean, _FLAT, types.boolean, _FLAT, *3 * [_INT]))
def _strips(
    start: Any, stop: Any, a: Any, a_turned: Any, b: Any, b_turned: Any, c: Any, rows: Any, depth: Any, width: Any
) -> None:  # fmt: skip
    """Strips start ≤ p < stop of the rows."""
    _piece(start * STRIP, min(stop * STRIP, rows), 0, width, a, a_turned, b, b_turned, c, rows, depth, width)


@jit(types.void(*2 * [_INT], _FLAT, types.boolean, _FLAT, types.boolean, _FLAT, *3 * [_INT]))
def _panels(
    start: Any, stop: Any, a: Any, a_turned: Any, b: Any, b_turned: Any, c: Any, rows: Any, depth: Any, width: Any
) -> None:  # fmt: skip
    """Panels start ≤ p < stop of the columns."""
    _piece(0, rows, start * PANEL, min(stop * PANEL, width), a, a_turned, b, b_turned, c, rows, depth, width)


@jit(
    types.void(
        types.Array(types.int64, 1, "C"), _INT, _FLAT, types.boolean, _FLAT, types.boolean, _FLAT, *3 * [_INT]
    )
)
def _product(
    gang: Any, cores: Any, a: Any, a_turned: Any, b: Any, b_turned: Any, c: Any, rows: Any, depth: Any, width: Any
) -> None:  # fmt: skip
    """The whole, on all cores: each takes columns, of which it copies its own; or rows, where columns are few."""
    arguments = (a, a_turned, b, b_turned, c, rows, depth, width)
    panels, strips = -(-width // PANEL), -(-rows // STRIP)
    if cores == 1:
        _piece(0, rows, 0, width, *arguments)
    elif panels >= 4 * cores or (panels % cores == 0 and rows < 4 * width):
        share(gang, _panels, panels, -(-panels // (4 * cores)), arguments)
    else:
        share(gang, _strips, strips, -(-strips // (2 * cores)), arguments)


def matrix_product(x: Any, y: Any) -> Any:
    """x y, for x (rows, depth) and y (depth, width): see tt_nn.products."""
    (rows, depth), width = x.shape, y.shape[1]
    left, right = _flat(x), _flat(y)
    cores = 1 if shards.inside() else shards.get_num_threads()
    if left is None or right is None or not _suit(rows, depth, width):
        return fallback("matrix_product")(x, y)
    if cores == 1 and rows <= FEW and not left[1] and not right[1]:
        return fallback("matrix_product")(x, y)
    out = room((rows, width), FLOAT32)
    _product(state(), cores, *left, *right, out.reshape(-1), rows, depth, width)
    return out


def _suit(rows: int, depth: int, width: int) -> bool:
    if rows < STRIP or width < LANES or rows * depth * width < WORTH or min(rows, depth, width) > LARGE:
        return False
    return -width % PANEL <= width // 4  # of the last panel, not too much is thrown away


def _flat(x: Any) -> tuple[Any, bool] | None:
    """What lies in memory, as a row, and whether that is xᵀ; None where it does not suit."""
    flags = x.flags
    if not _SUITS or x.dtype is not FLOAT32 or not flags.aligned or not flags.writeable:
        return None
    if flags.c_contiguous:
        return x.reshape(-1), False
    return (x.T.reshape(-1), True) if flags.f_contiguous else None
