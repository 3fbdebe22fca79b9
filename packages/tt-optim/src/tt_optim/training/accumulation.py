"""The gradient of one large batch, from several small ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tt_optim.sums import add_up
from tt_tensor import Tensor, memory
from tt_tensor.tensor import wrap

__all__ = ["add_gradient", "divide"]


def add_gradient(loss: Tensor, count: float) -> None:
    """Add count · ∂loss/∂θ to the gradients: the sum over the terms of a mean over `count` of them."""
    loss.backward(wrap(np.array(count, loss.dtype)))


def divide(params: Sequence[Tensor], total: float) -> None:
    """g ← g / total, in place: the mean again, over the terms of all micro-batches.

    A total of 0 (every label was ignored) leaves the gradients, which are 0 then.
    """
    if not total:
        return
    sums = []
    for p in params:
        if p.grad is None:
            continue
        array = p.grad.array
        if not array.flags.writeable:
            p.grad = wrap(np.asarray(array / total))
            continue
        sums.append((array,))
        memory.mark_written(array)
    add_up(sums, by=total)
