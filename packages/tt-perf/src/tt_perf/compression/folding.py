"""Folding: a batch norm in evaluation multiplies and adds, and so does the layer before it, so one can do both.

y = (W x + b - mean) s + β with s = γ / √(variance + eps) is W' x + b' with W' = s W (row by row) and
b' = (b - mean) s + β. Max pooling may stand between the two where s > 0: the greatest stays the greatest. Average
pooling may not at borders padded with zeros, nor may an activation.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
2018, arXiv:1712.05877, section 3.2.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tt_nn import Identity, Module, Parameter, Sequential
from tt_perf.compression.layers import (
    check_module,
    has_own_forward,
    is_channel_norm,
    is_convolution,
    is_linear,
    is_row,
    uses,
)

__all__ = ["fold_batch_norm"]

MAX_POOLS = ("MaxPool1d", "MaxPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d")


def fold_batch_norm(model: Module) -> Module:
    """A copy of `model`, in eval mode, whose batch norms are part of the layers before them, where that can be.

    An Identity stands in the place of each norm that is gone. Folded are norms that follow a convolution or linear
    layer directly in a Sequential, or behind a max pooling if all their scales are above 0, and bn1, bn2 of tt-vision's
    residual blocks; the others stay, as do layers with hooks or a forward of their own. For inference: what is folded
    trains otherwise than before.

    Outputs are those of eval mode, but for rounding. Raises DTypeError for what is no Module.
    """
    check_module("fold_batch_norm", model)
    folded = copy.deepcopy(model).eval()
    folded.zero_grad()
    counts: dict[int, int] = {}
    for key, _ in uses(folded):
        counts[key] = counts.get(key, 0) + 1
    for parent in list(folded.modules()):
        for row in _rows(parent):
            _fold_row(parent, row, counts)
    return folded


def _rows(parent: Module) -> list[list[str]]:
    """Names of parts that follow each other."""
    if is_row(parent):
        return [[name for name, part in parent._parts() if isinstance(part, Module)]]
    if any(kind.__name__ == "BasicBlock" for kind in type(parent).__mro__):
        return [["conv1", "bn1"], ["conv2", "bn2"]]
    return []


def _fold_row(parent: Module, row: list[str], counts: dict[int, int]) -> None:
    before: Any = None
    pooled = False
    for name in row:
        part: Any = getattr(parent, name) if not isinstance(parent, Sequential) else parent[row.index(name)]
        if has_own_forward(part) or part._forward_hooks:
            before = None  # neither what it computes is known, nor what a hook makes of that
        elif is_linear(part) or is_convolution(part):
            before, pooled = (part if counts.get(id(part.weight)) == 1 else None), False
        elif type(part).__name__ in MAX_POOLS:
            pooled = True
        elif _foldable(part) and before is not None and counts.get(id(part.weight), 1) == 1:
            scale, shift = _line(part)
            if len(scale) == len(before.weight.array) and (not pooled or (scale > 0).all()):
                _take_in(before, scale, shift)
                if isinstance(parent, Sequential):
                    parent[row.index(name)] = Identity().eval()
                else:
                    setattr(parent, name, Identity().eval())
            before = None
        elif not isinstance(part, Identity):
            before = None


def _foldable(part: Any) -> bool:
    """A batch norm with running values? An instance norm takes those of each image."""
    named = any(kind.__name__ in ("BatchNorm1d", "BatchNorm2d") for kind in type(part).__mro__)
    return named and is_channel_norm(part) and part.running_mean is not None


def _line(norm: Any) -> tuple[Any, Any]:
    """(s, t) in float64, so that the norm is x s + t."""
    mean, variance = (t.array.astype(np.float64) for t in (norm.running_mean, norm.running_var))
    scale = 1 / np.sqrt(variance + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.array
    shift = -mean * scale
    return scale, shift if norm.bias is None else shift + norm.bias.array


def _take_in(layer: Any, scale: Any, shift: Any) -> None:
    """Let the layer give what layer, then norm, gave."""
    weight = layer.weight.array
    layer.weight.write((weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))).astype(weight.dtype))
    bias = shift if layer.bias is None else shift + layer.bias.array * scale
    layer.bias = Parameter(bias.astype(weight.dtype), layer.weight.requires_grad)
