"""N:M sparsity: of every M weights in a row, the N largest stay. A pattern that hardware can skip: 2:4 halves the work.

The M weights are neighbours along the inputs (axis 1): columns of a linear layer, channels of a convolution at one tap.

Source: Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021, arXiv:2104.08378.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tt_nn import Module
from tt_perf.compression.layers import weights_of
from tt_perf.compression.masks import Mask, Masks
from tt_tensor import as_tensor
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, ShapeError

__all__ = ["is_n_m", "n_m_masks", "prune_n_m"]


def prune_n_m(model: Module, n: int = 2, m: int = 4, *, layers: Sequence[str] | None = None) -> Masks:
    """Of every `m` neighbouring inputs, keep the `n` largest weights, in `model` itself; return the masks.

    By default of all linear layers and convolutions whose number of inputs is a multiple of m; the others stay whole.

    Raises ArgumentError for n and m that are none (0 < n ≤ m), for a layer named whose inputs m does not divide, and
    where there is none that it divides.
    """
    masks = Masks(model, n_m_masks(model, n, m, layers=layers))
    masks.apply()
    return masks


def n_m_masks(
    model: Module, n: int = 2, m: int = 4, *, layers: Sequence[str] | None = None
) -> dict[str, Mask]:
    """The masks that `prune_n_m` would apply; nothing is changed."""
    n, m = _checked("prune_n_m", n, m)
    weights = weights_of("prune_n_m", model, layers)
    off = {name: p.shape for name, p in weights.items() if p.shape[1] % m}
    if (layers is not None and off) or len(off) == len(weights):
        raise ArgumentError(
            f"prune_n_m: {m} does not divide the inputs (axis 1) of {', '.join(f'{k} {s}' for k, s in off.items())}; "
            "choose another m, or leave the layer out"
        )
    return {name: _mask(p.array, n, m) for name, p in weights.items() if name not in off}


def is_n_m(weight: Any, n: int = 2, m: int = 4) -> bool:
    """Whether of every m neighbours along axis 1 at most n are not zero.

    Raises ShapeError where m does not divide the axis.
    """
    n, m = _checked("is_n_m", n, m)
    array = np.asarray(as_tensor(weight).array)
    if array.ndim < 2 or array.shape[1] % m:
        raise ShapeError(f"is_n_m: a weight of shape {array.shape} has no groups of {m} along axis 1")
    return bool((np.count_nonzero(_groups(array, m), axis=-1) <= n).all())


def _mask(weight: Any, n: int, m: int) -> Mask:
    size = np.abs(_groups(weight, m))  # (O, taps…, I / m, m)
    # Places in each group, largest first; of equal ones the first stays.
    order = np.argsort(-size, axis=-1, kind="stable")
    mask = np.zeros(size.shape, np.bool_)
    np.put_along_axis(mask, order[..., :n], True, axis=-1)
    last = mask.reshape(*mask.shape[:-2], weight.shape[1])
    return np.ascontiguousarray(np.moveaxis(last, -1, 1))


def _groups(weight: Any, m: int) -> Any:
    """(O, I, taps…) as (O, taps…, I / m, m)."""
    last = np.moveaxis(weight, 1, -1)
    return last.reshape(*last.shape[:-1], weight.shape[1] // m, m)


def _checked(what: str, n: Any, m: Any) -> tuple[int, int]:
    n, m = whole_number(what, "n", n, 1), whole_number(what, "m", m, 1)
    if n > m:
        raise ArgumentError(f"{what}: of {m} weights at most {m} can stay, not {n}")
    return n, m
