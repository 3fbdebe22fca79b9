"""Magnitude pruning: small weights matter least, so they go first.

Of n weights, round(n · sparsity) of the smallest |w| are set to zero, per layer or from all layers together.

Sources: Han, Pool, Tran & Dally, "Learning both Weights and Connections for Efficient Neural Networks", 2015,
arXiv:1506.02626; per layer against global: Frankle & Carbin, "The Lottery Ticket Hypothesis", 2019, arXiv:1803.03635.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tt_nn import Module
from tt_perf.compression.layers import share, weights_of
from tt_perf.compression.masks import Mask, Masks
from tt_tensor.errors import ArgumentError

__all__ = ["magnitude_masks", "prune_magnitude"]


def prune_magnitude(
    model: Module,
    sparsity: float,
    *,
    scope: str = "layer",
    layers: Sequence[str] | None = None,
    within: Mapping[str, Any] | None = None,
) -> Masks:
    """Set the smallest weights of `model` to zero, in `model` itself, and return the masks that keep them there.

    Args:
        sparsity: the share of weights that are zero afterwards, 0 to 1.
        scope: "layer" takes that share of each weight; "global" ranks all together, so a layer of small weights
            loses more.
        layers: names of the layers; by default all linear ones and convolutions, without their biases.
        within: masks from before, whose zeros stay zeros: masks of a rising sparsity are then nested.

    Raises ArgumentError for a share out of range, another scope, weights that are nan or inf, or layers that are none.
    """
    masks = Masks(model, magnitude_masks(model, sparsity, scope=scope, layers=layers, within=within))
    masks.apply()
    return masks


def magnitude_masks(
    model: Module,
    sparsity: float,
    *,
    scope: str = "layer",
    layers: Sequence[str] | None = None,
    within: Mapping[str, Any] | None = None,
) -> dict[str, Mask]:
    """The masks that `prune_magnitude` would apply; nothing is changed."""
    what = "prune_magnitude"
    sparsity = share(what, "sparsity", sparsity)
    if scope not in ("layer", "global"):
        raise ArgumentError(f"{what}: scope is 'layer' or 'global', not {scope!r}")
    weights = weights_of(what, model, layers)
    sizes = {}
    for name, parameter in weights.items():
        size = np.abs(parameter.array).reshape(-1)
        if within is not None and name in within:
            # Below any size there is: what was pruned before goes first.
            size = np.where(np.asarray(within[name]).reshape(-1), size, -1)
        sizes[name] = size
    if scope == "layer":
        flat = {name: _largest(size, sparsity) for name, size in sizes.items()}
    else:
        every = _largest(np.concatenate(list(sizes.values())), sparsity)
        ends = np.cumsum([size.size for size in sizes.values()])
        flat = dict(zip(sizes, np.split(every, ends[:-1]), strict=True))
    return {name: mask.reshape(weights[name].shape) for name, mask in flat.items()}


def _largest(sizes: Any, sparsity: float) -> Mask:
    """All but round(n · sparsity) of the smallest; of equal ones the first goes first."""
    mask = np.ones(sizes.size, np.bool_)
    mask[np.argsort(sizes, kind="stable")[: round(sizes.size * sparsity)]] = False
    return mask
