"""The Kullback-Leibler divergence: how much is lost when one distribution stands in for another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_nn.loss import Loss, Reduced, check_reduction
from tt_tensor import Function
from tt_tensor.errors import ArgumentError
from tt_tensor.ops.plain import raw

if TYPE_CHECKING:
    from tt_tensor import Tensor

__all__ = ["KLDivFunction", "KLDivLoss", "kl_div"]


class KLDivFunction(Reduced, Function):
    """t (log t - x), 0 where t = 0: dx = -t grad, dt = (log t + 1 - x) grad. x are log-probabilities.

    With `log_target`, the target is s = log t: eˢ (s - x), dx = -eˢ grad, ds = eˢ (s - x + 1) grad.
    Where t = 0, dt is 0: the limit, -inf, would drown every other gradient.
    """

    def __init__(self, log_target: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, x: Any, target: Any) -> Any:
        x, target = self.look_at("kl_div", x, target)
        if self.log_target:
            self.t, log_t = np.exp(target), target
            nowhere = np.equal(raw(self.t), 0)
        else:
            given = raw(target)
            if given.size and given.min() < 0:
                raise ArgumentError(
                    f"kl_div: the target holds {given.min()}, which is no probability; log-probabilities need "
                    "log_target=True"
                )
            nowhere = np.equal(given, 0)
            # A logarithm only where there is something to take it of: 0 log 0 is 0.
            self.t, log_t = target, np.log(np.where(nowhere, 1, target))
        self.here = np.logical_not(nowhere)
        self.off = np.where(self.here, log_t, 0) - np.where(self.here, x, 0)
        return self.reduced(self.t * self.off)

    def share(self) -> float:
        if self.reduction == "batchmean":
            rows = self.shape[0] if self.shape else 1
            return 1.0 / rows if rows else math.nan
        return super().share()

    def backward(self, grad: Any) -> Any:
        grad = self.shared(grad)
        dx = -self.t * grad
        if not self.wants(1):
            return dx, None
        dt = np.where(self.here, self.off + 1, 0) * grad
        return dx, dt * self.t if self.log_target else dt


def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """target · (log target - input), for log-probabilities `input` and probabilities `target` of one shape.

    A target of 0 costs nothing, whatever the input there, and sends itself no gradient.

    Args:
        input: log-probabilities, as from log_softmax.
        target: probabilities; they are not checked to add up to 1.
        reduction: "batchmean" is the divergence itself (the sum over N, the first axis); "mean" also divides by the
            classes; "sum", "none".
        log_target: whether target holds log-probabilities, too.

    Raises ShapeError where the shapes differ, DTypeError for an input of integers, ArgumentError for a negative
    target or another reduction. Source: Kullback & Leibler, "On Information and Sufficiency", 1951.
    """
    return KLDivFunction(bool(log_target), check_reduction(reduction, "batchmean"))(input, target)


class KLDivLoss(Loss):
    """Kullback-Leibler divergence: see `functional.kl_div`."""

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        self.reduction, self.log_target = check_reduction(reduction, "batchmean"), bool(log_target)

    def forward(self, input: Any, target: Any) -> Tensor:
        return self.compute(KLDivFunction(self.log_target, self.reduction), input, target)
