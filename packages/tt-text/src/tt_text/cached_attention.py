"""Attention of new tokens to all that a cache holds, on plain arrays: the step that generation repeats."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor import kernels
from tt_text.kernels.attention import NUMPY, AttentionForm

__all__ = ["attend_cached"]


def attend_cached(q: Any, keys: Any, values: Any, mask: Any, scale: float, window: int | None = None) -> Any:
    """softmax(scale · q keysᵀ) values for the last T of S positions, (N, T, H · D).

    Args:
        q: (N, H, T, D).
        keys, values: (N, G, S, D), those of the T new tokens last.
        mask: (N, S), True at real tokens; or None.
        window: at most so many keys are seen, the last ones.
    """
    n, h, t, d = q.shape
    groups, s = keys.shape[1], keys.shape[2]
    kernel: Any = kernels.kernel("attention")
    if t > 1 or mask is not None or (window is not None and s > window) or kernel is not NUMPY:
        out = np.empty((n, t, h, d), q.dtype)
        form = AttentionForm(scale, t > 1 or window is not None, s - t, window)
        wide = None if mask is None else mask[:, None, None]
        kernel.forward(q, keys, values, wide, None, form, out.swapaxes(1, 2))
        return out.reshape(n, t, h * d)
    # One query that sees everything: heads of a group stand where queries would.
    rows = (q * np.asarray(scale, q.dtype)).reshape(n, groups, h // groups, d)
    e = np.matmul(rows, keys.swapaxes(2, 3))  # (N, G, H/G, S)
    e -= np.maximum.reduce(e, axis=3, keepdims=True)
    np.exp(e, e)
    total = np.add.reduce(e, axis=3, keepdims=True)
    out = np.matmul(e, values)
    out /= total
    return out.reshape(n, 1, h * d)
