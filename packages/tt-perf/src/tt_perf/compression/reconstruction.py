"""Reconstruction: what the removed channels said, said by those that are left.

A layer that reads fewer channels than before gives other outputs. Its weights are fitted anew, so that on some inputs
it comes as near to its old outputs as it can:

    W' = argmin Σ ‖y - W' x‖² + λ ‖W' - W‖² = W + (Σ (y - W x) xᵀ) (Σ x xᵀ + λ I)⁻¹

with W the weights that were left to it, y what the old layer gave in the old network (less its bias), x what the new
one reads in the new network: a row for each input of a linear layer, for each place of a convolution. On these inputs
W' is nowhere further off than W. Layers are fitted in the order in which they compute, so each also makes up for what
those before it could not.

Source: He, Zhang & Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", 2017, arXiv:1707.06168.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tt_nn import Module
from tt_perf.compression.channels import ChannelGroup
from tt_perf.compression.layers import is_linear
from tt_perf.compression.modes import evaluating
from tt_tensor import as_tensor
from tt_tensor.errors import ArgumentError

__all__ = ["fit_readers"]

CHUNK = 50
"""Inputs whose patches are held at a time."""
RIDGE = 1e-4
"""λ, as a share of the mean of the diagonal of Σ x xᵀ."""


def fit_readers(
    model: Module, small: Module, groups: Sequence[ChannelGroup], kept: Mapping[str, Any], data: Any
) -> None:
    """Fit the layers of `small` that read the `groups` to those of `model`, on inputs `data`, in `small` itself.

    `kept` says which outputs of `model` a layer of `small` has.

    Raises ArgumentError for no inputs, and for a convolution that pads with other than zeros.
    """
    x = np.asarray(as_tensor(data).array)
    if not x.ndim or not len(x):
        raise ArgumentError(f"prune_channels: reconstruct looks at data=, inputs (N, …), not at {x.shape}")
    old: dict[str, Any] = dict(model.named_modules())
    new: dict[str, Any] = dict(small.named_modules())
    with evaluating(model, small):
        for group in groups:
            for name, _ in group.consumers:
                _fit(model, small, old[name], new[name], name, kept.get(name, slice(None)), x)


def _fit(model: Module, small: Module, old: Any, new: Any, name: str, rows: Any, data: Any) -> None:
    if not is_linear(new) and (
        getattr(new, "padding_mode", "zeros") != "zeros" or not hasattr(new, "window")
    ):
        raise ArgumentError(
            f"prune_channels: reconstruct cannot take {name}, which pads with other than zeros"
        )
    inputs = math.prod(new.weight.shape[1:])
    square = np.zeros((inputs, inputs))
    product = np.zeros((inputs, len(new.weight.array)))
    for start in range(0, len(data), CHUNK):
        some = as_tensor(data[start : start + CHUNK])
        y = _heard(model, old, some)[1]
        x = _heard(small, new, some)[0]
        seen = x.reshape(-1, inputs) if is_linear(new) else _patches(x, new)
        targets = (
            y.reshape(-1, y.shape[-1]) if is_linear(new) else np.moveaxis(y, 1, -1).reshape(-1, y.shape[1])
        )
        targets = targets[:, rows]
        if old.bias is not None:
            targets = targets - old.bias.array[rows]
        square += seen.T @ seen
        product += seen.T @ targets
    left = new.weight.array.reshape(-1, inputs).astype(np.float64)
    product -= square @ left.T  # of x with what W leaves open
    square[np.diag_indices(inputs)] += RIDGE * np.trace(square) / max(inputs, 1) + np.finfo(float).tiny
    weight = left + np.linalg.solve(square, product).T
    new.weight.write(weight.reshape(new.weight.shape).astype(new.weight.dtype))


def _heard(network: Module, layer: Module, x: Any) -> tuple[Any, Any]:
    """(input, output) of `layer` when `network` is called with x."""
    heard: list[tuple[Any, Any]] = []
    hook = layer.register_forward_hook(
        lambda module, args, output: heard.append((as_tensor(args[0]).array, output.array))
    )
    try:
        network(x)
    finally:
        hook.remove()
    return heard[-1]


def _patches(x: Any, layer: Any) -> Any:
    """What each place of the convolution sees: (N·H'·W', C·kh·kw). One axis is an image of height 1."""
    window = layer.window
    if window.dims == 1:
        x = x[:, :, None]
    x = np.pad(x, ((0, 0), (0, 0), *window.padding))
    reach, step, apart = window.reach, window.stride, window.dilation
    views = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    views = views[:, :, :: step[0], :: step[1], :: apart[0], :: apart[1]]
    return views.transpose(0, 2, 3, 1, 4, 5).reshape(-1, x.shape[1] * window.size[0] * window.size[1])
