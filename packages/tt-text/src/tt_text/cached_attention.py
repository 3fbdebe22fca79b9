"""Attention of new tokens to all that a cache holds, on plain arrays: the step that generation repeats."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor import Tensor, kernels
from tt_tensor.errors import GradientError
from tt_text.cache import Cache
from tt_text.kernels.attention import AttentionForm
from tt_text.kernels.decode import decode_attention

__all__ = ["attend_cached", "of_kept", "through_cache"]


def through_cache(cache: Cache, layer: int, k: Tensor, v: Tensor) -> tuple[Any, Any]:
    """All keys and values, (N, S, G, D), after those of the new tokens, (N, T, G, D), went into the cache.

    Raises GradientError where gradients are recorded, which could not go back through it.
    """
    if k.requires_grad or v.requires_grad:
        raise GradientError(
            "attention: a cache keeps no history, so no gradient can go back through it; call the model inside "
            "tt_autograd.no_grad(), or without a cache"
        )
    keys, values = cache.update(layer, k.array.swapaxes(1, 2), v.array.swapaxes(1, 2))
    return keys.swapaxes(1, 2), values.swapaxes(1, 2)


def of_kept(mask: Any, s: int) -> Any:
    """The part of a mask (N, S) that is about the last `s` tokens: a cache may have forgotten what no query sees."""
    return mask if mask is None or mask.shape[1] == s else mask[:, mask.shape[1] - s :]


def attend_cached(q: Any, keys: Any, values: Any, mask: Any, scale: float, window: int | None = None) -> Any:
    """softmax(scale · q keysᵀ) values for the last T of S positions, (N, T, H · D).

    Args:
        q: (N, H, T, D).
        keys, values: (N, G, S, D), those of the T new tokens last.
        mask: (N, S), True at real tokens, or longer where a cache keeps a window only; or None.
        window: at most so many keys are seen, the last ones.
    """
    n, h, t, d = q.shape
    s = keys.shape[2]
    mask = of_kept(mask, s)
    if t == 1:
        if window is not None and s > window:
            keys, values = keys[:, :, s - window :], values[:, :, s - window :]
            mask = None if mask is None else mask[:, s - window :]
        return decode_attention(q[:, :, 0], keys, values, mask, scale).reshape(n, 1, h * values.shape[3])
    kernel: Any = kernels.kernel("attention")
    dtype = q.dtype
    if dtype == np.float16:  # as AttentionFunction does: exp overflows in it
        q, keys, values = (x.astype(np.float32) for x in (q, keys, values))
    out = np.empty((n, t, h, d), q.dtype)
    form = AttentionForm(scale, True, s - t, window)
    wide = None if mask is None else mask[:, None, None]
    kernel.forward(q, keys, values, wide, None, form, out.swapaxes(1, 2))
    return out.reshape(n, t, h * d).astype(dtype, copy=False)
