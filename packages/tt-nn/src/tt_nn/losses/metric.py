"""Losses that compare embeddings: what belongs together is to lie near, what does not a margin away.

Each is a formula of operations that have rules of their own, and more than one input learns; so a tape finds the
gradients (tt-autograd), and there is no `backward` by hand.
"""

from __future__ import annotations

from typing import Any

from tt_nn.by_tape import ByTape
from tt_nn.distances import pairwise_distance
from tt_nn.loss import Loss, check_reduction
from tt_tensor import Tensor, as_tensor, minimum, where
from tt_tensor.arguments import number
from tt_tensor.errors import ArgumentError, ShapeError
from tt_tensor.ops.plain import raw

__all__ = [
    "CosineEmbeddingLoss",
    "MarginRankingLoss",
    "TripletMarginLoss",
    "cosine_embedding_loss",
    "margin_ranking_loss",
    "triplet_margin_loss",
]


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(‖a - p‖ - ‖a - n‖ + margin, 0): the positive is to be nearer to the anchor than the negative, by a margin.

    Args:
        anchor, positive, negative: vectors of one shape (…, D).
        margin: above 0.
        p: of the norm; eps is added to each difference, see `pairwise_distance`.
        swap: whether the negative is measured from the positive, too, and the nearer one counts.
        reduction: "mean" over all triplets, "sum", or "none" for one loss each.

    Raises ShapeError where the shapes differ, ArgumentError for a margin that is not above 0. Source: Schroff,
    Kalenichenko & Philbin, "FaceNet", 2015, arXiv:1503.03832; swap: Balntas et al., 2016.
    """
    if not number("triplet_margin_loss", "margin", margin) > 0:
        raise ArgumentError(f"triplet_margin_loss: margin must be above 0, not {margin!r}")
    a, near, far = (as_tensor(x) for x in (anchor, positive, negative))
    _check_one_shape("triplet_margin_loss", a, near, far)
    apart = pairwise_distance(a, far, p, eps)
    if swap:
        apart = minimum(apart, pairwise_distance(near, far, p, eps))
    return reduced((pairwise_distance(a, near, p, eps) - apart + margin).clip(min=0), reduction)


def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """1 - cos where the target is 1, max(cos - margin, 0) where it is -1, for the cosine of each pair of rows.

    Args:
        input1, input2: vectors of one shape (N, D), or (D,).
        target: 1 for a pair that belongs together, -1 for one that does not: (N,), or ().
        margin: a cosine up to which strangers cost nothing.
        reduction: "mean" over all pairs, "sum", or "none" for one loss each.

    Raises ShapeError where the shapes do not fit, ArgumentError for another target. Source: PyTorch.
    """
    x, y, kin = as_tensor(input1), as_tensor(input2), raw(as_tensor(target))
    _check_one_shape("cosine_embedding_loss", x, y)
    if kin.shape != x.shape[:-1]:
        raise ShapeError(
            f"cosine_embedding_loss: inputs of shape {x.shape} need targets of shape {x.shape[:-1]}, not {kin.shape}"
        )
    _check_signs("cosine_embedding_loss", kin)
    lengths = (((x * x).sum(-1) + 1e-12) * ((y * y).sum(-1) + 1e-12)).sqrt()
    cosine = (x * y).sum(-1) / lengths
    margin = number("cosine_embedding_loss", "margin", margin)
    return reduced(where(kin == 1, 1 - cosine, (cosine - margin).clip(min=0)), reduction)


def margin_ranking_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """max(-y (x₁ - x₂) + margin, 0): where y is 1 the first is to be larger, where it is -1 the second.

    Args:
        input1, input2: scores of one shape.
        target: y, 1 or -1, of the same shape.
        margin: by how much.
        reduction: "mean" over all pairs, "sum", or "none" for one loss each.

    Raises ShapeError where the shapes differ, ArgumentError for another target.
    """
    x, y = as_tensor(input1), as_tensor(input2)
    sign = as_tensor(target).to(x)
    _check_one_shape("margin_ranking_loss", x, y, sign)
    _check_signs("margin_ranking_loss", raw(sign))
    margin = number("margin_ranking_loss", "margin", margin)
    return reduced((sign * (y - x) + margin).clip(min=0), reduction)


def _check_one_shape(what: str, *tensors: Tensor) -> None:
    if len({x.shape for x in tensors}) > 1:
        raise ShapeError(f"{what}: all have one shape, not {', '.join(str(x.shape) for x in tensors)}")


def _check_signs(what: str, target: Any) -> None:
    if not (abs(target) == 1).all():
        raise ArgumentError(
            f"{what}: the target is 1 or -1 for each pair; here it has others (0 and 1? 2 t - 1)"
        )


def reduced(losses: Tensor, reduction: str) -> Tensor:
    return losses if check_reduction(reduction) == "none" else getattr(losses, reduction)()


class TripletMarginLoss(ByTape, Loss):
    """max(‖a - p‖ - ‖a - n‖ + margin, 0): see `functional.triplet_margin_loss`."""

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Tensor:
        return triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, self.reduction
        )


class CosineEmbeddingLoss(ByTape, Loss):
    """1 - cos of pairs that belong together, max(cos - margin, 0) of others: see `functional.cosine_embedding_loss`."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = number("CosineEmbeddingLoss", "margin", margin)

    def forward(self, input1: Any, input2: Any, target: Any) -> Tensor:
        return cosine_embedding_loss(input1, input2, target, self.margin, self.reduction)


class MarginRankingLoss(ByTape, Loss):
    """max(-y (x₁ - x₂) + margin, 0): see `functional.margin_ranking_loss`."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = number("MarginRankingLoss", "margin", margin)

    def forward(self, input1: Any, input2: Any, target: Any) -> Tensor:
        return margin_ranking_loss(input1, input2, target, self.margin, self.reduction)
