"""How near two vectors are: lengths made 1, cosines, distances. What contrastive and siamese networks compare."""

from __future__ import annotations

from typing import Any

from tt_nn.by_tape import ByTape
from tt_tensor import Tensor, as_tensor, maximum, norm

__all__ = [
    "CosineSimilarity",
    "PairwiseDistance",
    "cosine_similarity",
    "normalize",
    "pairwise_distance",
]


def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖ₚ, eps) along the axis `dim` (or several): vectors of length 1; one of zeros stays so.

    Raises AxisError for a dim out of range.
    """
    x = as_tensor(input)
    return x / maximum(norm(x, p, dim, keepdims=True), eps)


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x₁ · x₂ / (max(‖x₁‖, eps) max(‖x₂‖, eps)) along the axis `dim`; the two broadcast.

    1 for vectors of one direction, 0 for a right angle, -1 for opposite ones. For all pairs of two sets of n and m
    vectors, (n, 1, d) and (1, m, d) with dim=-1, or `normalize(a) @ normalize(b).T`.

    Raises ShapeError where the shapes do not broadcast, AxisError for a dim out of range.
    """
    a, b = as_tensor(x1), as_tensor(x2)
    lengths = maximum(norm(a, 2, dim, keepdims=True), eps), maximum(norm(b, 2, dim, keepdims=True), eps)
    return ((a / lengths[0]) * (b / lengths[1])).sum(axis=dim)


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """‖x₁ - x₂ + eps‖ₚ along the last axis: one distance for each pair of rows; the two broadcast.

    eps keeps the distance of equal rows from 0, where its gradient would be lost.

    Raises ShapeError where the shapes do not broadcast.
    """
    return norm(as_tensor(x1) - as_tensor(x2) + eps, p, -1, keepdims=keepdim)


class CosineSimilarity(ByTape):
    """x₁ · x₂ / (‖x₁‖ ‖x₂‖) along the axis `dim`: see `functional.cosine_similarity`."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        self.dim, self.eps = dim, eps

    def forward(self, x1: Any, x2: Any) -> Tensor:
        return cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(ByTape):
    """‖x₁ - x₂ + eps‖ₚ along the last axis: see `functional.pairwise_distance`."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Any, x2: Any) -> Tensor:
        return pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
