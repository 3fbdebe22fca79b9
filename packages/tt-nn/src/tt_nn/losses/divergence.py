"""The Kullback-Leibler divergence: how much is lost when one distribution stands in for another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tt_tensor import Function
from tt_tensor.ops.reductions import raw

from tt_nn.loss import Loss, Reduced, check_reduction, check_same

if TYPE_CHECKING:
    from tt_tensor import Tensor

__all__ = ["KLDivFunction", "KLDivLoss", "kl_div"]


class KLDivFunction(Reduced, Function):
    """t (log t - x), 0 where t = 0: dx = -t grad, dt = (log t + 1 - x) grad. x are log-probabilities.

    With `log_target`, the target is s = log t: eˢ (s - x), dx = -eˢ grad, ds = eˢ (s - x + 1) grad.
    """

    def __init__(self, log_target: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, x: Any, target: Any) -> Any:
        check_same("kl_div", x, target)
        self.rows = x.shape[0] if x.ndim else 1
        if self.log_target:
            self.t, log_t = np.exp(target), target
            here = raw(self.t) > 0
        else:
            here = raw(target) > 0
            # A logarithm only where there is something to take it of: 0 log 0 is 0.
            self.t, log_t = target, np.log(np.where(here, target, 1))
        self.off = np.where(here, log_t - np.where(here, x, 0), 0)
        losses = self.t * self.off
        return self.reduced(losses)

    def share(self) -> float:
        if self.reduction == "batchmean":
            return 1.0 / self.rows if self.rows else float("nan")
        return super().share()

    def backward(self, grad: Any) -> Any:
        grad = grad * self.share()
        dx = -self.t * grad
        if not self.wants(1):
            return dx, None
        here = raw(self.t) > 0
        dt = np.where(here, self.off + 1, 0) * grad
        return dx, dt * self.t if self.log_target else dt


def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """target · (log target - input), for log-probabilities `input` and probabilities `target` of one shape.

    Args:
        reduction: "batchmean" is the divergence itself (the sum over N); "mean" also divides by the classes.
        log_target: whether target holds log-probabilities, too.

    Source: Kullback & Leibler, "On Information and Sufficiency", 1951.
    """
    return KLDivFunction(log_target, check_reduction(reduction, "batchmean"))(input, target)


class KLDivLoss(Loss):
    """Kullback-Leibler divergence: see `functional.kl_div`."""

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        self.reduction, self.log_target = check_reduction(reduction, "batchmean"), log_target

    def forward(self, input: Any, target: Any) -> Tensor:
        return self.compute(KLDivFunction(self.log_target, self.reduction), input, target)
