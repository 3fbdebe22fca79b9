"""Low rank: a weight as a product of two thin ones, by the singular value decomposition.

W = U S Vᵀ ≈ (U_r √S_r) (√S_r V_rᵀ), so y = W x becomes two layers with r numbers between them. Of all matrices of rank
r this one is nearest: ‖W - W_r‖² = Σ_{i>r} σᵢ², the tail of the singular values (Eckart & Young, 1936).

A Linear (in → out) becomes Linear (in → r), Linear (r → out); a convolution k×k (in → out) becomes k×k (in → r), then
1×1 (r → out), its weight seen as a matrix (out, in·k·k).

Source: Denton et al., "Exploiting Linear Structure Within Convolutional Networks for Efficient Evaluation", 2014,
arXiv:1404.0736; Jaderberg et al., 2014, arXiv:1405.3866.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tt_nn import Linear, Module, Sequential
from tt_perf.compression.layers import (
    check_module,
    hand_on_hooks,
    has_own_forward,
    is_convolution,
    is_linear,
    names,
    replace_module,
    share,
    uses,
)
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError

__all__ = ["Factorization", "energy_rank", "low_rank", "singular_values"]


@dataclass(frozen=True)
class Factorization:
    """What became of one layer."""

    layer: str
    rank: int
    full_rank: int
    energy: float
    """Σ_{i≤r} σᵢ² / Σ σᵢ²"""
    error: float
    """‖W - W_r‖ / ‖W‖, Frobenius norms"""
    parameters: int
    """of the two layers, without the bias"""
    before: int


def low_rank(
    model: Module,
    *,
    energy: float | None = None,
    rank: int | Mapping[str, int] | None = None,
    layers: Sequence[str] | None = None,
) -> tuple[Module, list[Factorization]]:
    """A copy of `model` whose layers are factored where that saves parameters, and what became of each.

    Args:
        energy: of each layer, the smallest rank that keeps this share of Σ σᵢ².
        rank: or this rank for all layers, or {name of a layer: rank}, which factors these alone.
        layers: names of layers to look at; by default all linear ones and convolutions with groups=1. Where
            r (in + out) ≥ in · out, a layer stays as it is, unless it was named with its rank.

    The two layers are numbers 0 and 1 of a Sequential in the place of the old one. Fine-tune the result.

    Raises ArgumentError unless one of energy and rank is given, for ones out of range, and for a layer that is no
    linear one and no convolution, that has groups or a forward of its own, or whose weight is tied.
    """
    what = "low_rank"
    check_module(what, model)
    if (energy is None) == (rank is None):
        raise ArgumentError(f"{what}: say how far: energy= (a share of the squares) or rank=")
    if energy is not None:
        energy = share(what, "energy", energy)
    factored = copy.deepcopy(model)
    factored.zero_grad()
    asked = names(what, layers) if layers is not None else None
    given = rank if isinstance(rank, Mapping) else None
    if given is not None:
        if asked is not None:
            raise ArgumentError(f"{what}: ranks by name choose the layers; leave layers= out")
        asked = list(given)
    chosen = _layers(factored, asked)
    rows = []
    for name, layer in chosen.items():
        matrix = _matrix(layer)
        outputs, inputs = matrix.shape
        full = min(outputs, inputs)
        if not full:
            continue
        u, s, v = np.linalg.svd(matrix, full_matrices=False)
        if energy is not None:
            r = energy_rank(s, energy)
        else:
            r = whole_number(what, f"the rank of {name}", given[name] if given is not None else rank, 1)
        if given is None and r * (outputs + inputs) >= outputs * inputs:
            continue
        if r > full:
            raise ArgumentError(f"{what}: {name}, {outputs} × {inputs}, has rank {full} at most, not {r}")
        root = np.sqrt(s[:r])
        first, second = root[:, None] * v[:r], u[:, :r] * root
        new = _factored(layer, first, second)
        hand_on_hooks(layer, new)
        if layer is factored:
            factored = new
        else:
            replace_module(factored, name, new)
        squares = s * s
        total = squares.sum() or 1.0
        rows.append(
            Factorization(
                name,
                r,
                full,
                float(squares[:r].sum() / total) if squares.sum() else 1.0,
                float(np.sqrt(squares[r:].sum() / total)),
                r * (outputs + inputs),
                outputs * inputs,
            )
        )
    return factored, rows


def singular_values(layer: Module) -> Any:
    """σ₁ ≥ σ₂ ≥ … of a layer's weight as a matrix (out, rest), float64.

    Raises ArgumentError for a layer that is no linear one and no convolution.
    """
    check_module("singular_values", layer)
    if not (is_linear(layer) or is_convolution(layer)):
        raise ArgumentError(f"singular_values: {type(layer).__name__} is no linear layer and no convolution")
    return np.linalg.svd(_matrix(layer), compute_uv=False)


def energy_rank(values: Any, energy: float) -> int:
    """The smallest r ≥ 1 with Σ_{i≤r} σᵢ² ≥ energy · Σ σᵢ², for falling `values`."""
    squares = np.asarray(values, np.float64) ** 2
    reached = np.cumsum(squares)
    if not reached.size:
        return 1
    # The last sum rounds: at energy 1 all are needed but the zeros.
    enough = np.searchsorted(reached, share("low_rank", "energy", energy) * reached[-1])
    return int(min(enough + 1, len(squares)))


def _layers(model: Module, asked: list[str] | None) -> dict[str, Any]:
    modules: dict[str, Any] = dict(model.named_modules())
    counts: dict[int, int] = {}
    for key, _ in uses(model):
        counts[key] = counts.get(key, 0) + 1
    found = {}
    for name in asked if asked is not None else modules:
        layer: Any = modules.get(name)
        good = layer is not None and (is_linear(layer) or (is_convolution(layer) and layer.groups == 1))
        tied = good and counts[id(layer.weight)] > 1
        other = good and has_own_forward(layer)
        if good and not tied and not other:
            found[name] = layer
        elif asked is not None:
            why = "no linear layer, nor a convolution with groups=1"
            if tied:
                why = "its weight is tied to another"
            elif other:
                why = f"{type(layer).__name__} has a forward of its own, which two plain layers would lose"
            raise ArgumentError(f"low_rank: {name!r} cannot be factored: {why}")
    return found


def _matrix(layer: Any) -> Any:
    weight = layer.weight.array
    if not np.isfinite(weight).all():
        raise ArgumentError(f"low_rank: the weight of {layer!r} holds nan or inf")
    return weight.reshape(len(weight), -1).astype(np.float64)


def _factored(layer: Any, first: Any, second: Any) -> Sequential:
    """Two layers with the matrices `first` (r, in·k·k) and `second` (out, r), and the layer's bias behind both."""
    dtype, biased = layer.weight.dtype, layer.bias is not None
    rank = len(first)
    if is_linear(layer):
        pair: list[Any] = [
            Linear(layer.in_features, rank, bias=False, dtype=dtype),
            Linear(rank, layer.out_features, bias=biased, dtype=dtype),
        ]
    else:
        kind = type(layer)
        geometry = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "padding_mode")}
        pair = [
            kind(layer.in_channels, rank, layer.kernel_size, bias=False, dtype=dtype, **geometry),
            kind(rank, layer.out_channels, 1, bias=biased, dtype=dtype),
        ]
    for part, matrix in zip(pair, (first, second), strict=True):
        part.weight.write(matrix.reshape(part.weight.shape).astype(dtype))
        part.weight.requires_grad = layer.weight.requires_grad
    if biased:
        pair[1].bias.write(layer.bias.array)
        pair[1].bias.requires_grad = layer.bias.requires_grad
    return Sequential(*pair).train(layer.training)
