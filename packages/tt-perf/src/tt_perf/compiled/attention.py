"""Attention, forth and back, a block of queries at a time; weights never lie in memory as a whole.

    S = scale · Q Kᵀ + mask,  E = exp(S - m),  l = Σ E,  out = (E V) / l             m the largest of each row
    P = E / l,  dV = Pᵀ grad,  dS = P (grad Vᵀ - Σ grad · out),  dQ = scale · dS K,  dK = dSᵀ (scale · Q)

A block is 16 queries against all keys that any of them sees: those out of sight by their position are not computed.
Between the two directions only m and 1 / l of each row are kept; the gradient computes E anew. All five products run on
one small one, a tile of 8 × 32 numbers that stay in registers while the sum goes on: for matrices of a head, which are
as small as 64 × 32, BLAS takes longer to prepare than to multiply.

Source: Dao et al., "FlashAttention", 2022, arXiv:2205.14135.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types

from tt_nn import shards
from tt_perf.compiled.arrays import FLOAT32
from tt_perf.compiled.jit import jit
from tt_perf.compiled.lanes import greater, lined_up, load, pick, piece, spread, store
from tt_perf.compiled.mathematics import exp32
from tt_perf.compiled.table import fallback
from tt_perf.compiled.tiles import product, turned

__all__ = ["ATTENTION", "Attention"]

ROWS = 16
"""Queries of a block, one in each lane."""

_INF = np.float32(np.inf)
_0 = np.float32(0)
_LEAST = np.float32(-87)
_READ = types.Array(types.float32, 4, "A", readonly=True)
_BITS = types.Array(types.boolean, 4, "A", readonly=True)
_WRITE = types.Array(types.float32, 4, "A")
_FLAT = types.Array(types.float32, 1, "C")
_INT, _NUMBER, _BOOL = types.int64, types.float32, types.boolean
_SETTINGS = (types.float32, types.boolean, types.int64, types.int64, types.float32)
_MASKS = (_BITS, _READ, _BITS, types.boolean, types.boolean, types.boolean)


@piece
def counted(start: Any, stop: Any) -> Any:
    """The indices start to stop, as numbers that cannot be negative: numba need not ask, and LLVM can vectorise."""
    return range(np.uint64(start), np.uint64(stop))


@piece
def place(x: Any, n: Any, head: Any, i: Any) -> Any:
    """How many numbers after the first one x[n, head, i] begins."""
    return (n * x.strides[0] + head * x.strides[1] + i * x.strides[2]) // 4


@jit(types.void(_READ, _INT, _INT, _INT, _INT, _NUMBER, _FLAT, _INT))
def taken(x: Any, n: Any, head: Any, start: Any, stop: Any, factor: Any, to: Any, width: Any) -> None:
    """Rows start to stop of x[n, head], times a factor, into a flat matrix that is `width` wide."""
    d = x.shape[3]
    for i in range(start, stop):
        at, into = place(x, n, head, i), (i - start) * width
        for j in range(0, d - 15, 16):
            store(to, into + j, load(x, at + j) * spread(factor))
        for j in range(d // 16 * 16, d):
            to[into + j] = x[n, head, i, j] * factor


@jit(types.void(_FLAT, _INT, _INT, _WRITE, _INT, _INT, _INT, _FLAT))
def given(matrix: Any, width: Any, rows: Any, y: Any, n: Any, head: Any, start: Any, factors: Any) -> None:
    """Rows of a flat matrix, each times its factor, into y[n, head], from row `start` on."""
    d = y.shape[3]
    for i in range(rows):
        at, to, factor = i * width, place(y, n, head, start + i), factors[i % ROWS]
        for j in range(0, d - 15, 16):
            store(y, to + j, load(matrix, at + j) * spread(factor))
        for j in range(d // 16 * 16, d):
            y[n, head, start + i, j] = matrix[at + j] * factor


@piece
def in_sight(causal: Any, offset: Any, window: Any, start: Any, stop: Any, s: Any) -> Any:
    """The keys that any of the queries start to stop sees by its position: multiples of 16, from and to."""
    low, high = 0, s
    if causal:
        high = min(s, stop + offset)
    elif window > 0:
        high = min(s, stop - 1 + offset + window)
    if window > 0:
        low = max(0, start + offset - window + 1)
    high = max(high, 0)
    return min(low, high) // 16 * 16, lined_up(high)


@jit(
    types.void(
        _FLAT, _INT, _INT, _INT, _BOOL, _INT, _INT, _FLAT, *4 * [_INT], _BITS, _READ, _BOOL, _BOOL
    )
)  # fmt: skip
def masked(
    scores: Any, low: Any, high: Any, s: Any, causal: Any, offset: Any, window: Any, places: Any,
    n: Any, head: Any, start: Any, rows: Any, bits: Any, numbers: Any, has_bits: Any, has_numbers: Any,
) -> None:  # fmt: skip
    """Add the mask of a block to its scores (keys, 16 queries); -inf where a key is out of sight."""
    end = min(high, s)
    if has_numbers:
        for i in range(rows):
            for j in range(low, end):
                scores[j * ROWS + i] += numbers[n, head, start + i, j]
    if has_bits:
        for i in range(rows):
            for j in range(low, end):
                if not bits[n, head, start + i, j]:
                    scores[j * ROWS + i] = -_INF
    hidden = spread(-_INF)
    for j in range(end, high):
        store(scores, j * ROWS, hidden)
    # The position of each of the 16 queries among the keys; small whole numbers, which float32 has exactly.
    at = load(places, 0) + spread(np.float32(start + offset))
    if causal:
        for j in range(max(low, start + offset + 1), end):
            some = load(scores, j * ROWS)
            store(scores, j * ROWS, pick(greater(spread(np.float32(j)), at), hidden, some))
    elif window > 0:
        ahead = at + spread(np.float32(window - 1))
        for j in range(max(low, start + offset + window), end):
            some = load(scores, j * ROWS)
            store(scores, j * ROWS, pick(greater(spread(np.float32(j)), ahead), hidden, some))
    if window > 0:
        behind = at - spread(np.float32(window - 1))
        for j in range(low, min(end, start + rows + offset - window + 1)):
            some = load(scores, j * ROWS)
            store(scores, j * ROWS, pick(greater(behind, spread(np.float32(j))), hidden, some))


@piece
def exponentials(scores: Any, low: Any, high: Any, top: Any) -> None:
    """exp(score - top), in place; 0 for what is below the smallest normal number, as those take ten times as long."""
    for j in range(low * ROWS, high * ROWS, ROWS):
        store(scores, j, load(scores, j) - top)
    for j in counted(low * ROWS, high * ROWS):
        score = scores[j]
        e = exp32(_LEAST if score < _LEAST else score)
        scores[j] = _0 if score < _LEAST else e


@piece
def largest(scores: Any, low: Any, high: Any) -> Any:
    """The largest score of each query that is not NaN; 0 where it sees no key, so that its exponentials are 0."""
    none = spread(-_INF)
    top = none
    for j in range(low * ROWS, high * ROWS, ROWS):
        some = load(scores, j)
        top = pick(greater(some, top), some, top)
    return pick(greater(top, none), top, spread(0.0))


@jit(types.void(_FLAT, _INT, _INT, _BITS, _INT, _INT, _INT, _INT, _NUMBER))
def dropped(
    scores: Any, low: Any, end: Any, drop: Any, n: Any, head: Any, start: Any, rows: Any, keep: Any
) -> None:
    """Weights times `keep` where `drop` is set, else 0."""
    for i in range(rows):
        for j in range(low, end):
            scores[j * ROWS + i] *= keep * np.float32(drop[n, head, start + i, j])


@jit(types.void(_READ, _READ, _READ, *_MASKS, *_SETTINGS, _WRITE, _FLAT, _FLAT, types.int64, types.int64))
def forward_heads(
    q: Any, k: Any, v: Any, bits: Any, numbers: Any, drop: Any, has_bits: Any, has_numbers: Any, has_drop: Any,
    scale: Any, causal: Any, offset: Any, window: Any, keep: Any,
    out: Any, tops: Any, inverses: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """out, m and 1 / l (16 for each block) for the groups of heads first to last, counted over all sequences."""
    heads, t, d = q.shape[1], q.shape[2], q.shape[3]
    groups, s, e = k.shape[1], k.shape[2], v.shape[3]
    many, wide, deep, broad = heads // groups, lined_up(s), lined_up(d), lined_up(e)
    blocks = lined_up(t) // ROWS
    keys, values = np.zeros(wide * deep, np.float32), np.zeros(wide * broad, np.float32)
    queries, turned_queries = np.zeros(ROWS * deep, np.float32), np.empty(deep * ROWS, np.float32)
    scores, found = np.empty(wide * ROWS, np.float32), np.empty(ROWS * broad, np.float32)
    factors, places = np.zeros(ROWS, np.float32), np.arange(ROWS).astype(np.float32)
    for pair in range(first, last):
        n, group = pair // groups, pair % groups
        taken(k, n, group, 0, s, np.float32(1), keys, deep)
        taken(v, n, group, 0, s, np.float32(1), values, broad)
        for head in range(group * many, (group + 1) * many):
            for block in range(blocks):
                start = block * ROWS
                rows = min(ROWS, t - start)
                low, high = in_sight(causal, offset, window, start, start + rows, s)
                taken(q, n, head, start, start + rows, scale, queries, deep)
                turned(queries, ROWS, deep, turned_queries)
                # (keys, queries), so that what goes on in a row of the softmax goes on in a lane.
                product(
                    keys, low * deep, deep, 1, turned_queries, 0, ROWS, scores, low * ROWS, ROWS,
                    high - low, d, ROWS, False,
                )  # fmt: skip
                masked(
                    scores, low, high, s, causal, offset, window, places, n, head, start, rows, bits, numbers,
                    has_bits, has_numbers,
                )  # fmt: skip
                top = largest(scores, low, high)
                exponentials(scores, low, high, top)
                sums = spread(0.0)
                for j in range(low * ROWS, high * ROWS, ROWS):
                    sums = sums + load(scores, j)
                at = ((n * heads + head) * blocks + block) * ROWS
                store(tops, at, top)
                store(factors, 0, sums)
                for i in range(ROWS):
                    inverse = _0 if factors[i] == _0 else np.float32(1) / factors[i]
                    inverses[at + i], factors[i] = inverse, inverse
                if has_drop:
                    dropped(scores, low, min(high, s), drop, n, head, start, rows, keep)
                product(
                    scores, low * ROWS, 1, ROWS, values, low * broad, broad, found, 0, broad,
                    ROWS, high - low, broad, False,
                )  # fmt: skip
                given(found, broad, rows, out, n, head, start, factors)


@jit(
    types.void(
        _READ, _READ, _READ, _READ, *_MASKS, *_SETTINGS, _READ, _FLAT, _FLAT, _WRITE, _WRITE, _WRITE,
        types.int64, types.int64,
    )
)  # fmt: skip
def backward_heads(
    grad: Any, q: Any, k: Any, v: Any, bits: Any, numbers: Any, drop: Any, has_bits: Any, has_numbers: Any,
    has_drop: Any, scale: Any, causal: Any, offset: Any, window: Any, keep: Any,
    out: Any, tops: Any, inverses: Any, dq: Any, dk: Any, dv: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """The gradients for the groups of heads first to last, counted over all sequences."""
    heads, t, d = q.shape[1], q.shape[2], q.shape[3]
    groups, s, e = k.shape[1], k.shape[2], v.shape[3]
    many, wide, deep, broad = heads // groups, lined_up(s), lined_up(d), lined_up(e)
    blocks = lined_up(t) // ROWS
    keys, values = np.zeros(wide * deep, np.float32), np.zeros(wide * broad, np.float32)
    queries, turned_queries = np.zeros(ROWS * deep, np.float32), np.empty(deep * ROWS, np.float32)
    grads, turned_grads = np.zeros(ROWS * broad, np.float32), np.empty(broad * ROWS, np.float32)
    outs, turned_outs = np.zeros(ROWS * broad, np.float32), np.empty(broad * ROWS, np.float32)
    weights, sent = np.zeros(wide * ROWS, np.float32), np.zeros(wide * ROWS, np.float32)
    kept = np.zeros(wide * ROWS if has_drop else 0, np.float32)
    found = np.empty(ROWS * deep, np.float32)
    dkeys, dvalues = np.empty(wide * deep, np.float32), np.empty(wide * broad, np.float32)
    ones, scales = np.full(ROWS, 1, np.float32), np.full(ROWS, scale, np.float32)
    places = np.arange(ROWS).astype(np.float32)
    for pair in range(first, last):
        n, group = pair // groups, pair % groups
        taken(k, n, group, 0, s, np.float32(1), keys, deep)
        taken(v, n, group, 0, s, np.float32(1), values, broad)
        dkeys[:] = 0
        dvalues[:] = 0
        for head in range(group * many, (group + 1) * many):
            for block in range(blocks):
                start = block * ROWS
                rows = min(ROWS, t - start)
                low, high = in_sight(causal, offset, window, start, start + rows, s)
                span, here = high - low, low * ROWS
                taken(q, n, head, start, start + rows, scale, queries, deep)
                taken(grad, n, head, start, start + rows, np.float32(1), grads, broad)
                taken(out, n, head, start, start + rows, np.float32(1), outs, broad)
                turned(queries, ROWS, deep, turned_queries)
                turned(grads, ROWS, broad, turned_grads)
                turned(outs, ROWS, broad, turned_outs)
                product(
                    keys, low * deep, deep, 1, turned_queries, 0, ROWS, weights, here, ROWS, span, d, ROWS, False,
                )  # fmt: skip
                product(
                    values, low * broad, broad, 1, turned_grads, 0, ROWS, sent, here, ROWS, span, e, ROWS, False,
                )  # fmt: skip
                masked(
                    weights, low, high, s, causal, offset, window, places, n, head, start, rows, bits, numbers,
                    has_bits, has_numbers,
                )  # fmt: skip
                at = ((n * heads + head) * blocks + block) * ROWS
                exponentials(weights, low, high, load(tops, at))
                inverse, along = load(inverses, at), spread(0.0)
                for j in range(0, e * ROWS, ROWS):
                    along = along + load(turned_grads, j) * load(turned_outs, j)
                if has_drop:
                    dropped(sent, low, min(high, s), drop, n, head, start, rows, keep)
                for j in range(here, high * ROWS, ROWS):
                    p = load(weights, j) * inverse
                    store(weights, j, p)
                    store(sent, j, (load(sent, j) - along) * p)
                if has_drop:
                    for j in range(here, high * ROWS, ROWS):
                        store(kept, j, load(weights, j))
                    dropped(kept, low, min(high, s), drop, n, head, start, rows, keep)
                passed = kept if has_drop else weights
                product(
                    passed, here, ROWS, 1, grads, 0, broad, dvalues, low * broad, broad, span, rows, broad, True,
                )  # fmt: skip
                product(
                    sent, here, ROWS, 1, queries, 0, deep, dkeys, low * deep, deep, span, rows, deep, True
                )
                product(sent, here, 1, ROWS, keys, low * deep, deep, found, 0, deep, ROWS, span, deep, False)
                given(found, deep, rows, dq, n, head, start, scales)
        given(dkeys, deep, s, dk, n, group, 0, ones)
        given(dvalues, broad, s, dv, n, group, 0, ones)


_NO_BITS, _NO_NUMBERS = np.zeros((1, 1, 1, 1), bool), np.zeros((1, 1, 1, 1), np.float32)
_OURS = "m, 1 / l"

FEWEST = 4
"""Queries for which it is worth while to turn the keys over."""

WORTH = 1 << 22
"""So many multiplications are worth a thread."""


class Attention:
    """The kernel "attention": see `tt_text.kernels.attention_form.AttentionKernel` for its signature."""

    def forward(self, q: Any, k: Any, v: Any, mask: Any, drop: Any, form: Any, out: Any) -> Any:
        """Writes to `out`; gives m and 1 / l of all rows."""
        if not _suits(q, k, v, out) or (mask is not None and mask.dtype.char not in "?f"):
            return _plain().forward(q, k, v, mask, drop, form, out)
        rows = q.shape[0] * q.shape[1] * -(-q.shape[2] // ROWS) * ROWS
        tops, inverses = np.empty(rows, np.float32), np.empty(rows, np.float32)
        masks, settings = _masks(mask, drop, q, k), _settings(form, drop)

        def body(start: int, stop: int, part: int) -> None:
            forward_heads(q, k, v, *masks, *settings, out, tops, inverses, start, stop)

        _over_heads(body, q, k, v)
        return _OURS, tops, inverses

    __call__ = forward

    def backward(
        self, grad: Any, q: Any, k: Any, v: Any, mask: Any, drop: Any, form: Any, out: Any, saved: Any,
        dq: Any, dk: Any, dv: Any, dmask: Any,
    ) -> None:  # fmt: skip
        """Writes to dq, dk, dv. The gradient of a mask of numbers is left to NumPy's kernel."""
        if not saved or saved[0] is not _OURS:
            _plain().backward(grad, q, k, v, mask, drop, form, out, saved, dq, dk, dv, dmask)
            return
        if dmask is not None or not _laid_out(dq, dk, dv):
            plain = _plain()
            again = np.empty(out.shape, out.dtype)
            saved = plain.forward(q, k, v, mask, drop, form, again)
            plain.backward(grad, q, k, v, mask, drop, form, again, saved, dq, dk, dv, dmask)
            return
        if not _laid_out(grad):
            grad = np.ascontiguousarray(grad)
        _, tops, inverses = saved
        masks, settings = _masks(mask, drop, q, k), _settings(form, drop)

        def body(start: int, stop: int, part: int) -> None:
            backward_heads(grad, q, k, v, *masks, *settings, out, tops, inverses, dq, dk, dv, start, stop)

        _over_heads(body, q, k, v)


def _plain() -> Any:
    """NumPy's kernel of this operation."""
    return fallback("attention")


def _suits(q: Any, k: Any, v: Any, out: Any) -> bool:
    return (
        q.dtype.char == "f"
        and q.shape[2] >= FEWEST
        and min(q.size, k.size, v.size) > 0
        and _laid_out(q, k, v, out)
    )


def _laid_out(*arrays: Any) -> bool:
    """Do the numbers of a row stand side by side, and all of them at multiples of their size?"""
    return all(map(_in_rows, arrays))


def _in_rows(x: Any) -> bool:
    return x.dtype is FLOAT32 and x.strides[3] == 4 and x.flags.aligned and x.shape[3] > 0


_NOTHING = _NO_BITS, _NO_NUMBERS, _NO_BITS, False, False, False


def _masks(mask: Any, drop: Any, q: Any, k: Any) -> tuple[Any, ...]:
    """Bools, numbers, dropout mask, each of the scores' shape, and which of them there are."""
    if mask is None and drop is None:
        return _NOTHING
    shape = (*q.shape[:3], k.shape[2])
    bits, numbers, dropped = _NO_BITS, _NO_NUMBERS, _NO_BITS
    if mask is not None and mask.dtype.kind == "b":
        bits = np.broadcast_to(mask, shape)
    elif mask is not None:
        numbers = np.broadcast_to(mask, shape)
    if drop is not None:
        dropped = np.broadcast_to(drop, shape)
    return bits, numbers, dropped, bits is not _NO_BITS, numbers is not _NO_NUMBERS, drop is not None


def _settings(form: Any, drop: Any) -> tuple[Any, ...]:
    return form.scale, form.causal, form.offset, form.window or 0, 1.0 if drop is None else form.keep


def _over_heads(body: shards.Body, q: Any, k: Any, v: Any) -> None:
    """`body` over the groups of heads of all sequences, by threads where they are worth while."""
    count = k.shape[0] * k.shape[1]
    if shards.inside():
        body(0, count, 0)
        return
    group = q.shape[1] // k.shape[1] * q.shape[2] * k.shape[2] * (q.shape[3] + v.shape[3])
    shards.run(body, count, max(1, -(-WORTH // group)))


ATTENTION = Attention()
