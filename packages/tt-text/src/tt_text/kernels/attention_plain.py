"""Attention with all scores at once: two matrix products and a softmax; memory grows with T · S.

The softmax is never divided out. With e = exp(s), l = Σⱼ eⱼ: out = (e v) / l. In the gradient, rows of grad / l take
the place of grad, and e that of p. So the passes over T · S numbers are few: exp and mask forth, two back.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from tt_tensor import kernels
from tt_tensor.kernels.softmax import LOWEST, row_sums
from tt_text.kernels.attention_form import AttentionForm, AttentionKernel, Saved, grouped, sight

__all__ = ["PLAIN", "add_unbroadcast", "of_group"]

SAFE = 36.0
"""exp of scores up to here, and sums of such, neither overflow nor lose a digit for want of a shift."""

FAINT = float(np.exp(-SAFE))
"""A row whose sum is below this is computed anew, with its largest score taken off first."""


def forward(q: Any, k: Any, v: Any, mask: Any, drop: Any, form: AttentionForm, out: Any) -> Saved:
    """See `AttentionKernel`. A query that sees nothing gives zeros. Keeps e (N, G, H/G, T, S) and 1 / l."""
    groups = k.shape[1]
    scaled = grouped(q * np.asarray(form.scale, q.dtype), groups)
    k, v = k[:, :, None], v[:, :, None]
    e, inverse = exponentials(scaled, k, of_group(mask, groups), form)
    weights = e if drop is None else e * of_group(drop, groups)
    target = grouped(out, groups)
    np.matmul(weights, v, out=target)
    target *= inverse if drop is None else inverse * np.asarray(form.keep, e.dtype)
    return e, inverse, scaled


def exponentials(scaled: Any, k: Any, mask: Any, form: AttentionForm) -> tuple[Any, Any]:
    """e = exp(s), 0 where a key is out of sight, and 1 / Σ e of each row (0 for a row that sees nothing)."""
    e = np.matmul(scaled, k.swapaxes(-1, -2))
    t, s = e.shape[-2:]
    added = mask is not None and mask.dtype.kind != "b"
    if added:
        e += mask
    safe = not e.size or float(np.maximum.reduce(e, axis=None)) <= SAFE
    if safe:
        np.exp(e, e)
        if form.limited:
            seen = _factors(form.causal, form.offset, form.window, t, s, e.dtype.char)
            if seen is not None:
                e *= seen
        if mask is not None and not added:
            e *= mask
        total = row_sums(e, e.ndim - 1)
        if not total.size or float(np.minimum.reduce(total, axis=None)) >= FAINT:
            return e, np.reciprocal(total, total)
        np.matmul(scaled, k.swapaxes(-1, -2), out=e)
        if added:
            e += mask
    seen = sight(form, (0, t), (0, s))
    if seen is not None:
        np.copyto(e, -np.inf, where=~seen)
    if mask is not None and not added:
        np.copyto(e, -np.inf, where=~mask)
    with np.errstate(over="ignore", invalid="ignore"):
        top = np.maximum.reduce(e, axis=-1, keepdims=True, initial=LOWEST[e.dtype.char])
        e -= top
        np.exp(e, e)
        total = row_sums(e, e.ndim - 1)
    return e, np.divide(1, total, out=np.zeros_like(total), where=total != 0)


def backward(
    grad: Any, q: Any, k: Any, v: Any, mask: Any, drop: Any, form: AttentionForm, out: Any, saved: Saved,
    dq: Any, dk: Any, dv: Any, dmask: Any,
) -> None:  # fmt: skip
    """With g = grad / l: dv = eᵀ g, ds = e (g vᵀ - Σ g · out), dq = scale · ds k, dk = dsᵀ (scale · q)."""
    e, inverse, scaled = saved
    groups = k.shape[1]
    k, v, grad = k[:, :, None], v[:, :, None], grouped(grad, groups)
    shared = scaled.shape[2] != 1  # several heads add up to the gradient of one group
    rows = grad * inverse
    along = np.vecdot(rows, grouped(out, groups))[..., None]
    if drop is None:
        weights, ds = e, np.matmul(rows, v.swapaxes(-1, -2))
    else:
        kept = of_group(drop, groups) * np.asarray(form.keep, e.dtype)
        weights = e * kept
        ds = np.matmul(rows, v.swapaxes(-1, -2))
        ds *= kept
    if shared:
        np.add.reduce(np.matmul(weights.swapaxes(-1, -2), rows), 2, out=dv)
    else:
        np.matmul(weights.swapaxes(-1, -2), rows, out=dv[:, :, None])
    ds -= along
    ds *= e
    target = grouped(dq, groups)
    np.matmul(ds, k, out=target)
    target *= np.asarray(form.scale, e.dtype)
    if shared:
        np.add.reduce(np.matmul(ds.swapaxes(-1, -2), scaled), 2, out=dk)
    else:
        np.matmul(ds.swapaxes(-1, -2), scaled, out=dk[:, :, None])
    if dmask is not None:
        add_unbroadcast(dmask, ds.reshape(*q.shape[:3], k.shape[3]))


def of_group(mask: Any, groups: int) -> Any:
    """A mask that broadcasts to (N, H, T, S), as one that broadcasts to (N, G, H/G, T, S)."""
    if mask is None:
        return None
    n, h, t, s = mask.shape
    return mask.reshape(n, 1, 1, t, s) if h == 1 else grouped(mask, groups)


def add_unbroadcast(target: Any, grad: Any) -> None:
    """Add `grad` to `target`, summed along the axes where target has size 1."""
    axes = tuple(axis for axis, size in enumerate(target.shape) if size == 1 and grad.shape[axis] != 1)
    target += np.add.reduce(grad, axes, keepdims=True) if axes else grad


@lru_cache(maxsize=64)
def _factors(causal: bool, offset: int, window: int | None, t: int, s: int, kind: str) -> Any:
    """1 where a key is in sight and 0 where not, (T, S); None where all are."""
    seen = sight(AttentionForm(1.0, causal, offset, window), (0, t), (0, s))
    if seen is None:
        return None
    factors = seen.astype(kind)
    factors.flags.writeable = False
    return factors


PLAIN = AttentionKernel(forward, backward)
kernels.register("attention", "plain", PLAIN)
