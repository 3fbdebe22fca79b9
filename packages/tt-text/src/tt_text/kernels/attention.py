"""The default kernel of attention: which one of the two runs goes by the size of the scores."""

from __future__ import annotations

from typing import Any

from tt_tensor import kernels
from tt_text.kernels.attention_blockwise import BLOCKWISE
from tt_text.kernels.attention_form import AttentionForm, AttentionKernel, Saved
from tt_text.kernels.attention_loops import LOOPS
from tt_text.kernels.attention_plain import PLAIN

__all__ = ["BLOCKWISE", "LOOPS", "NUMPY", "PLAIN", "AttentionForm", "AttentionKernel"]

LARGE = 1 << 18
"""From so many scores of one head on, they go by in blocks."""


def _choice(q: Any, k: Any) -> AttentionKernel:
    return BLOCKWISE if q.shape[2] * k.shape[2] >= LARGE and q.shape[2] > 1 else PLAIN


def forward(q: Any, k: Any, v: Any, mask: Any, drop: Any, form: AttentionForm, out: Any) -> Saved:
    """See `AttentionKernel`."""
    return _choice(q, k).forward(q, k, v, mask, drop, form, out)


def backward(grad: Any, q: Any, k: Any, *rest: Any) -> None:
    """See `AttentionKernel`."""
    _choice(q, k).backward(grad, q, k, *rest)


NUMPY = AttentionKernel(forward, backward)
kernels.register("attention", "numpy", NUMPY, default=True)
