"""Attention block by block: the scores of a few queries against a few keys at a time, so memory grows with T + S.

A row's softmax is built up while its keys go by (the online softmax): with m the largest score so far, l the sum of
exp(s - m) and o that of exp(s - m) v, a new block with a larger m' first shrinks l and o by exp(m - m'). Of all that,
the gradient needs only m and 1 / l of each row: p = exp(s - m) / l comes from the scores of a block, computed anew.
(Their sum L = m + log l would do, too, as in FlashAttention, but costs the digits that m has before its point.)

Sources: Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018, arXiv:1805.02867; Dao et al.,
"FlashAttention", 2022, arXiv:2205.14135.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tt_nn import shards
from tt_tensor import kernels
from tt_text.kernels.attention_form import AttentionForm, AttentionKernel, Saved, grouped, sight
from tt_text.kernels.attention_plain import add_unbroadcast, of_group

__all__ = ["BLOCKWISE"]

QUERIES, KEYS = 128, 256
"""The sides of a block: its scores (for one group of heads) stay in the cache of a core."""


def forward(q: Any, k: Any, v: Any, mask: Any, drop: Any, form: AttentionForm, out: Any) -> Saved:
    """See `AttentionKernel`. A query that sees nothing gives zeros. Keeps m and 1 / l, (N, G, H/G, T, 1)."""
    groups, t = k.shape[1], q.shape[2]
    queries, target = grouped(q, groups), grouped(out, groups)
    masks, drops = of_group(mask, groups), of_group(drop, groups)
    tops, inverses = np.empty((*queries.shape[:4], 1), q.dtype), np.zeros((*queries.shape[:4], 1), q.dtype)
    places = _places(queries.shape, t)

    def body(start: int, stop: int, part: int) -> None:
        for n, g, i0, i1 in places[start:stop]:
            rows = queries[n, g, :, i0:i1] * np.asarray(form.scale, q.dtype)
            total = np.zeros((*rows.shape[:2], v.shape[3]), q.dtype)
            top = np.full((*rows.shape[:2], 1), -np.inf, q.dtype)
            sums = np.zeros_like(top)
            for j0, j1 in _key_blocks(form, i0, i1, k.shape[2]):
                s = _scores(rows, k[n, g, j0:j1], masks, form, (n, g, i0, i1, j0, j1))
                highest = np.maximum(top, np.maximum.reduce(s, -1, keepdims=True))
                finite = np.where(highest == -np.inf, 0, highest)  # -inf - -inf would be NaN
                s -= finite
                np.exp(s, s)
                shrink = np.exp(top - finite)
                sums *= shrink
                sums += np.add.reduce(s, -1, keepdims=True)
                total *= shrink
                if drops is not None:
                    s *= _block(drops, (n, g, i0, i1, j0, j1))
                total += np.matmul(s, v[n, g, j0:j1])
                top = highest
            # A row that saw nothing keeps 1 / l = 0.
            inverse = np.divide(1, sums, out=inverses[n, g, :, i0:i1], where=sums != 0)
            tops[n, g, :, i0:i1] = np.where(top == -np.inf, 0, top)
            total *= inverse if drops is None else inverse * np.asarray(form.keep, q.dtype)
            target[n, g, :, i0:i1] = total

    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        shards.run(body, len(places))
    return tops, inverses


def backward(
    grad: Any, q: Any, k: Any, v: Any, mask: Any, drop: Any, form: AttentionForm, out: Any, saved: Saved,
    dq: Any, dk: Any, dv: Any, dmask: Any,
) -> None:  # fmt: skip
    """e = exp(s - m) block by block; else as in the plain kernel, with grad / l in the place of grad."""
    tops, inverses = saved
    groups, t = k.shape[1], q.shape[2]
    queries, grads, outs = grouped(q, groups), grouped(grad, groups), grouped(out, groups)
    masks, drops = of_group(mask, groups), of_group(drop, groups)
    along = np.vecdot(grads, outs)[..., None] * inverses
    target = grouped(dq, groups)
    dmasks = of_group(dmask, groups)
    scale = np.asarray(form.scale, q.dtype)

    def body(start: int, stop: int, part: int) -> None:
        for n, g in pairs[start:stop]:
            dk[n, g], dv[n, g] = 0, 0
            for i0 in range(0, t, QUERIES):
                i1 = min(i0 + QUERIES, t)
                rows = queries[n, g, :, i0:i1] * scale
                g_rows = grads[n, g, :, i0:i1] * inverses[n, g, :, i0:i1]
                d_rows = np.zeros(rows.shape, q.dtype)
                for j0, j1 in _key_blocks(form, i0, i1, k.shape[2]):
                    at = (n, g, i0, i1, j0, j1)
                    e = _scores(rows, k[n, g, j0:j1], masks, form, at)
                    e -= tops[n, g, :, i0:i1]
                    np.exp(e, e)
                    ds = np.matmul(g_rows, v[n, g, j0:j1].T)
                    if drops is None:
                        dv[n, g, j0:j1] += _over_heads(e, g_rows)
                    else:
                        kept = _block(drops, at) * np.asarray(form.keep, q.dtype)
                        ds *= kept
                        dv[n, g, j0:j1] += _over_heads(e * kept, g_rows)
                    ds -= along[n, g, :, i0:i1]
                    ds *= e
                    d_rows += np.matmul(ds, k[n, g, j0:j1])
                    dk[n, g, j0:j1] += _over_heads(ds, rows)
                    if dmasks is not None:
                        add_unbroadcast(_block(dmasks, at, all_axes=True), ds[None, None])
                d_rows *= scale
                target[n, g, :, i0:i1] = d_rows

    pairs = [(n, g) for n in range(queries.shape[0]) for g in range(groups)]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if dmask is None:
            shards.run(body, len(pairs))
        else:
            body(0, len(pairs), 0)  # they add to the same places


def _places(shape: tuple[int, ...], t: int) -> list[tuple[int, int, int, int]]:
    """(sequence, group, first query, end) of all blocks of rows."""
    starts = range(0, t, QUERIES)
    return [
        (n, g, start, min(start + QUERIES, t))
        for n in range(shape[0])
        for g in range(shape[1])
        for start in starts
    ]


def _key_blocks(form: AttentionForm, i0: int, i1: int, s: int) -> Iterator[tuple[int, int]]:
    """The blocks of keys of which any query of the rows sees some."""
    start, stop = 0, s
    if form.causal:
        stop = min(s, i1 + form.offset)
    elif form.window is not None:
        stop = min(s, i1 - 1 + form.offset + form.window)
    if form.window is not None:
        start = max(0, i0 + form.offset - form.window + 1)
    for j0 in range(start, stop, KEYS):
        yield j0, min(j0 + KEYS, stop)


def _scores(rows: Any, k: Any, masks: Any, form: AttentionForm, at: tuple[int, ...]) -> Any:
    """Scores of a block (heads of the group, rows, keys), -inf where a key is out of sight."""
    s = np.matmul(rows, k.T)
    seen = sight(form, at[2:4], at[4:6]) if form.limited else None  # type: ignore[arg-type]
    if seen is not None:
        np.copyto(s, -np.inf, where=~seen)
    if masks is not None:
        some = _block(masks, at)
        if some.dtype.kind == "b":
            np.copyto(s, -np.inf, where=~some)
        else:
            s += some
    return s


def _block(mask: Any, at: tuple[int, ...], all_axes: bool = False) -> Any:
    """The part of a mask (N or 1, G or 1, H/G or 1, T or 1, S or 1) that belongs to a block; a view."""
    n, g, i0, i1, j0, j1 = at
    places = ((n, n + 1), (g, g + 1), (0, mask.shape[2]), (i0, i1), (j0, j1))
    cut = tuple(
        slice(None) if size == 1 else slice(*place) for size, place in zip(mask.shape, places, strict=True)
    )
    return mask[cut] if all_axes else mask[cut][0, 0]


def _over_heads(weights: Any, rows: Any) -> Any:
    """Σ over the heads of a group of weightsᵀ rows: one product over heads · queries."""
    heads, queries, keys = weights.shape
    return np.matmul(weights.reshape(heads * queries, keys).T, rows.reshape(heads * queries, rows.shape[2]))


BLOCKWISE = AttentionKernel(forward, backward)
kernels.register("attention", "blockwise", BLOCKWISE)
