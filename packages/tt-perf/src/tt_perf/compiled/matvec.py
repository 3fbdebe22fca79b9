# mypy: disable-error-code="untyped-decorator"
"""Matrix–vector products: y = W x + b for few rows of x, at the speed at which W comes from memory.

Each number of W is used once for each row of x, so the product is as quick as memory, or a cache, gives W. Eight rows
of W go by at once, as one alone does not ask for enough, from eight places that are far from each other; and all cores
take part (`gang`), as one cannot, either. Up to three rows of x meet them in registers, further ones in a cache. What
comes out for a row of x does not depend on how many there are, to the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from tt_perf.compiled.atomics import intrinsic
from tt_perf.compiled.dot_products import dot_products
from tt_perf.compiled.gang import share, state
from tt_perf.compiled.jit import inline, jit
from tt_perf.compiled.table import fallback

__all__ = [
    "EIGHT", "FEW", "GRAIN", "NOTHING", "all_rows", "grain", "linear_infer", "peek", "places", "rows", "run_of"
]  # fmt: skip

FEW = 8
"""Rows of x up to which this is quicker than BLAS's product of matrices."""

EIGHT = 8
"""Rows of W that go by at once."""

GRAIN = 1 << 14
"""Products of two numbers that are taken at a time: some 2 µs where W is in a cache."""

PIECES = 64
"""A large weight is taken in so many pieces, of which each core gets about half."""

FLOAT32 = np.dtype(np.float32)
NOTHING = np.empty(0, np.float32)
"""The bias of a layer that has none."""


@intrinsic
def peek(_: Any, array: Any, index: Any) -> Any:
    """The number that stands `index` numbers behind the first, whatever the shape and the strides say.

    A row of a matrix would do, but to make one counts references to the matrix, and both cores would count the same.
    """

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, given[0]).data
        return builder.load(builder.gep(data, [given[1]]))

    return array.dtype(array, types.int64), code


@inline
def places(count: Any) -> Any:
    """How long the range is that `rows` makes of so many rows of a weight."""
    return (count + EIGHT - 1) // EIGHT


@inline
def grain(x: Any, count: Any) -> Any:
    """How many of those places are taken at a time for x (N, in): a GRAIN, but of a large weight more."""
    return max(GRAIN // max(x.size, 1) // EIGHT, places(count) // PIECES, 1)


_one, _two, _three, _single = (
    dot_products(EIGHT, 1),
    dot_products(EIGHT, 2),
    dot_products(EIGHT, 3),
    dot_products(1, 1),
)


@jit("void(int64, int64, float32[:, ::1], float32[:, ::1], float32[::1], float32[:, ::1])")
def rows(start: Any, stop: Any, x: Any, weight: Any, bias: Any, y: Any) -> None:
    """y[n, i] = Σⱼ weight[i, j] x[n, j] + bias[i] for the rows at start ≤ place < stop; no bias where it is empty.

    At place p are the rows p, p + apart, … p + 7 apart, with apart = out // 8: eight rows that are far from each other.
    So a core that goes from place to place reads eight long runs of memory side by side, each of which the processor
    foresees; of rows that are neighbours it would ask for the next ones too late. What is left over stands at a last
    place.
    """
    size, count, many = weight.shape[1], len(weight), len(x)
    apart = count // EIGHT
    step = apart * size
    biased = len(bias) > 0
    for i in range(start, min(stop, apart)):
        n = 0
        while n < many:
            at, to, left = n * size, n * count + i, many - n
            if left == 3 or left > 4:
                _three(weight, i * size, step, x, at, size, size, y, to, apart, count)
                n += 3
            elif left > 1:
                _two(weight, i * size, step, x, at, size, size, y, to, apart, count)
                n += 2
            else:
                _one(weight, i * size, step, x, at, size, size, y, to, apart, count)
                n += 1
        if biased:
            for n in range(many):
                for k in range(i, EIGHT * apart, apart):
                    y[n, k] += bias[k]
    if stop > apart:
        for i in range(EIGHT * apart, count):
            for n in range(many):
                _single(weight, i * size, 0, x, n * size, 0, size, y, n * count + i, 0, 0)
                if biased:
                    y[n, i] += bias[i]


@inline
def run_of(k: Any, start: Any, stop: Any, count: Any, streams: Any) -> Any:
    """From where to where the k-th run of rows at start ≤ place < stop goes, 0 ≤ k ≤ streams."""
    apart = count // streams
    if k < streams:
        return k * apart + start, k * apart + min(stop, apart)
    return streams * apart, count if stop > apart else streams * apart


@jit("void(int64[::1], float32[:, ::1], float32[:, ::1], float32[::1], float32[:, ::1])")
def all_rows(gang: Any, x: Any, weight: Any, bias: Any, y: Any) -> None:
    """The same for all rows, on all cores."""
    share(gang, rows, places(len(weight)), grain(x, len(weight)), (x, weight, bias, y))


def linear_infer(x: Any, weight: Any, bias: Any) -> Any:
    """x Wᵀ + b, for x (…, in) of few rows, W (out, in), b (out,) or None: see tt_nn.linear."""
    if x.dtype is FLOAT32 and 0 < x.size <= FEW * x.shape[-1]:
        given = x.reshape(-1, x.shape[-1])
        y = np.empty((len(given), len(weight)), FLOAT32)
        try:
            all_rows(state(), given, weight, NOTHING if bias is None else bias, y)
        except TypeError:  # an array of another kind than the kernel's signature says
            return fallback("linear_infer")(x, weight, bias)
        return y.reshape((*x.shape[:-1], len(weight)))
    return fallback("linear_infer")(x, weight, bias)
