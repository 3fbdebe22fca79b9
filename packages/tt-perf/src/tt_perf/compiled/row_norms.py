"""Layer norm and RMS norm, one pass over each row forth and back.

    x̂ = (x - m) r,  y = x̂ w + b                           r = 1 / √(mean((x - m)²) + eps)
    d = w · grad,   dx = r (d - mean(d) - x̂ mean(d x̂)),  dw = Σ grad x̂,  db = Σ grad

A row is short enough for the fastest cache, so it is read from memory once, whatever is summed over it. x̂ is not kept:
x is there anyway, and m and r of each row are few numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types

from tt_nn import shards
from tt_nn.blocks import room
from tt_perf.compiled.arrays import FLOAT32, whole
from tt_perf.compiled.jit import inline, jit
from tt_perf.compiled.table import fallback

__all__ = ["LAYER_NORM", "RMS_NORM", "RowNorm"]

_0, _1 = np.float32(0), np.float32(1)
_READ = types.Array(types.float32, 2, "C", readonly=True)
_ROW = types.Array(types.float32, 1, "C", readonly=True)
_WRITE, _SUMS = types.Array(types.float32, 2, "C"), types.Array(types.float32, 1, "C")

RUN = 64
"""So many rows are summed in one run: a longer sum loses digits."""


@inline
def total(row: Any) -> Any:
    """Σ x."""
    s = _0
    for j in range(row.size):
        s += row[j]
    return s


@inline
def total_off(row: Any, mean: Any) -> Any:
    """Σ (x - mean) and Σ (x - mean)²."""
    s, squares = _0, _0
    for j in range(row.size):
        d = row[j] - mean
        s += d
        squares += d * d
    return s, squares


@inline
def totals_back(row: Any, grad: Any, weight: Any, mean: Any) -> Any:
    """Σ d and Σ d (x - mean)."""
    s, along = _0, _0
    for j in range(row.size):
        d = grad[j] * weight[j]
        s += d
        along += d * (row[j] - mean)
    return s, along


@jit(
    types.void(
        _READ, _ROW, _ROW, types.float32, types.boolean, _WRITE, _WRITE, _SUMS, types.int64, types.int64
    ),
    fastmath={"contract"},
)
def forward_rows(
    x: Any,
    weight: Any,
    bias: Any,
    eps: Any,
    centred: Any,
    y: Any,
    means: Any,
    scales: Any,
    first: Any,
    last: Any,
) -> None:
    """y, m and r of the rows first to last."""
    n = x.shape[1]
    share = _1 / np.float32(max(n, 1))
    for i in range(first, last):
        row, out = x[i], y[i]
        mean = total(row) * share if centred else _0
        off, squares = total_off(row, mean)
        rest = off * share if centred else _0
        variance = squares * share
        if rest * rest > np.float32(1e-14) * variance:
            # The mean was rounded; against a large offset that shows in what is left.
            mean += rest
            off, squares = total_off(row, mean)
            rest = off * share
            variance = squares * share - rest * rest
        else:
            rest = _0
        r = _1 / np.sqrt(variance + eps)
        # In two numbers, as their sum in one would lose digits again.
        means[i, 0], means[i, 1], scales[i] = mean, rest, r
        for j in range(n):
            out[j] = ((row[j] - mean) - rest) * r * weight[j] + bias[j]


@jit(
    types.void(
        _READ, _READ, _ROW, _WRITE, _SUMS, types.boolean, _WRITE, _SUMS, _SUMS, types.int64, types.int64
    ),
    fastmath={"contract"},
)  # fmt: skip
def backward_rows(
    grad: Any, x: Any, weight: Any, means: Any, scales: Any, centred: Any, dx: Any, dw: Any, db: Any,
    first: Any, last: Any,
) -> None:  # fmt: skip
    """dx of the rows first to last, and what they add to dw and db."""
    n = x.shape[1]
    share = _1 / np.float32(max(n, 1))
    sums_w, sums_b = np.empty(n, np.float32), np.empty(n, np.float32)
    for start in range(first, last, RUN):
        sums_w[:] = _0
        sums_b[:] = _0
        for i in range(start, min(start + RUN, last)):
            row, g, out = x[i], grad[i], dx[i]
            mean, rest, r = means[i, 0], means[i, 1], scales[i]
            s, along = totals_back(row, g, weight, mean)
            along = (along - rest * s) * r * share
            s = s * share if centred else _0
            for j in range(n):
                one = g[j]
                y = ((row[j] - mean) - rest) * r
                out[j] = (one * weight[j] - s - y * along) * r
                sums_w[j] += one * y
                sums_b[j] += one
        for j in range(n):
            dw[j] += sums_w[j]
            db[j] += sums_b[j]


WORTH = 1 << 18
"""So many numbers are worth a thread."""

LONGEST = 1 << 14
"""Numbers of a row up to which its sums may be taken in a few running sums, in float32."""


class RowNorm:
    """A kernel as `tt_nn.norm_kernels.NormKernel`, for the operation of that name."""

    def __init__(self, operation: str) -> None:
        self.operation, self.centred = operation, operation == "layer_norm"
        self.constants: dict[int, tuple[Any, Any]] = {}

    def forward(self, x: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any]:
        """(y, saved)."""
        if not _suits(x, weight, bias):
            plain: Any = fallback(self.operation)
            return plain.forward(x, weight, bias, eps)  # type: ignore[no-any-return]
        rows, n = x.shape
        y, means, scales = room(x.shape, x.dtype), np.empty((rows, 2), np.float32), np.empty(rows, np.float32)
        ones, zeros = self.constants.get(n) or self._ones_and_zeros(n)
        weight, bias = ones if weight is None else weight, zeros if bias is None else bias
        if rows * n < 2 * WORTH or shards.inside():
            forward_rows(x, weight, bias, eps, self.centred, y, means, scales, 0, rows)
            return y, (self, x, means, scales)

        def body(start: int, stop: int, part: int) -> None:
            forward_rows(x, weight, bias, eps, self.centred, y, means, scales, start, stop)

        shards.run(body, rows, -(-WORTH // n))
        return y, (self, x, means, scales)

    __call__ = forward

    def backward(
        self, grad: Any, weight: Any, saved: Any, of_weight: bool, of_bias: bool
    ) -> tuple[Any, Any, Any]:
        """(dx, dw, db)."""
        if saved[0] is not self:
            plain: Any = fallback(self.operation)
            return plain.backward(grad, weight, saved, of_weight, of_bias)  # type: ignore[no-any-return]
        _, x, means, scales = saved
        rows, n = x.shape
        grad = whole(grad if grad.dtype is FLOAT32 else np.asarray(grad, np.float32))
        weight = self._ones_and_zeros(n)[0] if weight is None else weight
        dx = room(x.shape, x.dtype)
        if rows * n < 2 * WORTH or shards.inside():
            dw, db = np.zeros(n, np.float32), np.zeros(n, np.float32)
            backward_rows(grad, x, weight, means, scales, self.centred, dx, dw, db, 0, rows)
            return dx, dw if of_weight else None, db if of_bias else None
        cut = shards.parts(rows, -(-WORTH // n))
        sums = np.zeros((2, len(cut), n), np.float32)

        def body(start: int, stop: int, part: int) -> None:
            backward_rows(
                grad, x, weight, means, scales, self.centred, dx, sums[0, part], sums[1, part], start, stop
            )

        shards.run_parts(body, cut)
        # In the order of the parts, so the same bits each time.
        dw, db = sums[:, 0] if len(cut) == 1 else np.add.reduce(sums, 1)
        return dx, dw if of_weight else None, db if of_bias else None

    def _ones_and_zeros(self, n: int) -> tuple[Any, Any]:
        """What stands in for a weight and a bias that are not there."""
        found = self.constants.get(n)
        if found is None:
            found = self.constants[n] = np.ones(n, np.float32), np.zeros(n, np.float32)
        return found


def _suits(x: Any, weight: Any, bias: Any) -> bool:
    # A row of one number has no gradient, to the bit; fused products would leave a rounding error of it, times r.
    return 1 < x.shape[1] <= LONGEST and _plain(x) and _plain(weight) and _plain(bias)


def _plain(array: Any) -> bool:
    """May a kernel take this one, or is there none?"""
    if array is None:
        return True
    flags = array.flags
    return array.dtype is FLOAT32 and flags.c_contiguous and flags.aligned


LAYER_NORM, RMS_NORM = RowNorm("layer_norm"), RowNorm("rms_norm")
