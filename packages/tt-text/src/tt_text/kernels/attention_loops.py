"""Attention as it is defined: one query after the other.

sᵢⱼ = scale · qᵢ·kⱼ + maskᵢⱼ,  pᵢ = softmax(sᵢ) over the keys in sight,  outᵢ = Σⱼ pᵢⱼ vⱼ
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_tensor import kernels
from tt_text.kernels.attention_form import AttentionForm, AttentionKernel, Saved, in_sight

__all__ = ["LOOPS"]


def _probabilities(
    q: Any, k: Any, mask: Any, form: AttentionForm, at: tuple[int, int, int]
) -> list[float] | None:
    """p of one query; None where it sees no key."""
    n, h, i = at
    group = h // (q.shape[1] // k.shape[1])
    scores = []
    for j in range(k.shape[2]):
        score = form.scale * sum(float(a) * float(b) for a, b in zip(q[n, h, i], k[n, group, j], strict=True))
        if mask is not None:
            score = score + float(mask[n, h, i, j]) if mask.dtype.kind == "f" else score
            if mask.dtype.kind == "b" and not mask[n, h, i, j]:
                score = -math.inf
        scores.append(score if in_sight(form, i, j) else -math.inf)
    top = max(scores, default=-math.inf)
    if top == -math.inf:
        return None
    weights = [math.exp(score - top) for score in scores]
    total = sum(weights)
    return [weight / total for weight in weights]


def forward(q: Any, k: Any, v: Any, mask: Any, drop: Any, form: AttentionForm, out: Any) -> Saved:
    """See `AttentionKernel`. A query that sees nothing gives zeros."""
    mask, drop = _spread(mask, q, k), _spread(drop, q, k)
    for at in np.ndindex(q.shape[:3]):
        n, h, i = at
        group = h // (q.shape[1] // k.shape[1])
        p = _probabilities(q, k, mask, form, at)
        for e in range(v.shape[3]):
            total = 0.0
            for j, weight in enumerate(p or ()):
                total += weight * _kept(drop, form, (n, h, i, j)) * float(v[n, group, j, e])
            out[n, h, i, e] = total
    return ()


def backward(
    grad: Any, q: Any, k: Any, v: Any, mask: Any, drop: Any, form: AttentionForm, out: Any, saved: Saved,
    dq: Any, dk: Any, dv: Any, dmask: Any,
) -> None:  # fmt: skip
    """With g the gradient of outᵢ: dvⱼ = Σᵢ pᵢⱼ g, dpᵢⱼ = g·vⱼ, dsᵢⱼ = pᵢⱼ (dpᵢⱼ - Σ_l pᵢ_l dpᵢ_l)."""
    wide_mask, drop = _spread(mask, q, k), _spread(drop, q, k)
    for target in (dq, dk, dv):
        target[...] = 0
    dscores = np.zeros((*q.shape[:3], k.shape[2]), q.dtype)
    for at in np.ndindex(q.shape[:3]):
        n, h, i = at
        group = h // (q.shape[1] // k.shape[1])
        p = _probabilities(q, k, wide_mask, form, at)
        if p is None:
            continue
        dp = []
        for j, weight in enumerate(p):
            factor = _kept(drop, form, (n, h, i, j))
            dv[n, group, j] += weight * factor * grad[n, h, i]
            dp.append(factor * float(grad[n, h, i] @ v[n, group, j]))
        mean = sum(weight * d for weight, d in zip(p, dp, strict=True))
        for j, weight in enumerate(p):
            ds = weight * (dp[j] - mean)
            dscores[n, h, i, j] = ds
            dq[n, h, i] += form.scale * ds * k[n, group, j]
            dk[n, group, j] += form.scale * ds * q[n, h, i]
    if dmask is not None:
        for at in np.ndindex(dscores.shape):
            place = tuple(0 if size == 1 else index for size, index in zip(dmask.shape, at, strict=True))
            dmask[place] += dscores[at]


def _kept(drop: Any, form: AttentionForm, at: tuple[int, int, int, int]) -> float:
    return 1.0 if drop is None else form.keep * bool(drop[at])


def _spread(mask: Any, q: Any, k: Any) -> Any:
    return None if mask is None else np.broadcast_to(mask, (*q.shape[:3], k.shape[2]))


LOOPS = AttentionKernel(forward, backward)
kernels.register("attention", "loops", LOOPS)
