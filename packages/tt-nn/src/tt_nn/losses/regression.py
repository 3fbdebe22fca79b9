"""Losses for numbers: how far the prediction is from the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_nn.loss import Loss, Reduced, check_reduction
from tt_tensor import Function
from tt_tensor.arguments import positive

if TYPE_CHECKING:
    from tt_tensor import Tensor

__all__ = [
    "HuberFunction",
    "HuberLoss",
    "L1Function",
    "L1Loss",
    "MSEFunction",
    "MSELoss",
    "SmoothL1Loss",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
]


class MSEFunction(Reduced, Function):
    """(x - t)²: dx = 2 (x - t) grad, dt = -dx."""

    def forward(self, x: Any, t: Any) -> Any:
        x, t = self.look_at("mse_loss", x, t)
        self.off = x - t
        return self.reduced(self.off * self.off)

    def backward(self, grad: Any) -> Any:
        dx = self.off * (self.shared(grad) * 2)
        return dx, -dx if self.wants(1) else None


class L1Function(Reduced, Function):
    """|x - t|: dx = sign(x - t) grad, dt = -dx; 0 where they are equal."""

    def forward(self, x: Any, t: Any) -> Any:
        x, t = self.look_at("l1_loss", x, t)
        self.off = x - t
        return self.reduced(np.abs(self.off))

    def backward(self, grad: Any) -> Any:
        dx = np.sign(self.off) * self.shared(grad)
        return dx, -dx if self.wants(1) else None


class HuberFunction(Reduced, Function):
    """With d = x - t: ½ d² where |d| ≤ δ, else δ (|d| - ½ δ); dx = clip(d, -δ, δ) grad. All times `scale`."""

    name = "huber_loss"

    def __init__(self, delta: float = 1.0, scale: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.delta, self.scale = delta, scale

    def forward(self, x: Any, t: Any) -> Any:
        x, t = self.look_at(self.name, x, t)
        self.off = x - t
        # With c = clip(d): c (d - ½ c) is ½ d² inside and δ (|d| - ½ δ) outside.
        near = np.clip(self.off, -self.delta, self.delta)
        return self.reduced((near if self.scale == 1 else near * self.scale) * (self.off - 0.5 * near))

    def backward(self, grad: Any) -> Any:
        dx = np.clip(self.off, -self.delta, self.delta) * (self.shared(grad) * self.scale)
        return dx, -dx if self.wants(1) else None


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """mean((input - target)²); both of one shape, any.

    Args:
        input: the prediction, floats.
        target: of the same shape; integers count as floats.
        reduction: "mean" over all elements, "sum", or "none" for one loss an element.

    Raises ShapeError where the shapes differ: nothing is broadcast. DTypeError for a prediction of integers,
    ArgumentError for another reduction.
    """
    return MSEFunction(check_reduction(reduction))(input, target)


def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """mean(|input - target|); both of one shape, any. Arguments and errors as for `mse_loss`."""
    return L1Function(check_reduction(reduction))(input, target)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """With d = input - target: ½ d² where |d| ≤ delta, else delta (|d| - ½ delta).

    Arguments and errors as for `mse_loss`; ArgumentError also for a delta that is not above 0.
    Source: Huber, "Robust Estimation of a Location Parameter", 1964.
    """
    delta = positive("huber_loss", "delta", delta)
    return HuberFunction(delta, reduction=check_reduction(reduction))(input, target)


def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """With d = input - target: ½ d² / beta where |d| < beta, else |d| - ½ beta; the Huber loss over beta.

    beta = 0 is the L1 loss. Arguments and errors as for `mse_loss`; ArgumentError also for a negative beta.
    Source: Girshick, "Fast R-CNN", 2015, arXiv:1504.08083.
    """
    return _smooth_l1(_check_beta("smooth_l1_loss", beta), check_reduction(reduction))(input, target)


def _smooth_l1(beta: float, reduction: str) -> Function:
    # float32 has no reciprocal of anything smaller; no difference of that size is seen either.
    if beta < 1e-37:
        return L1Function(reduction)
    function = HuberFunction(beta, 1 / beta, reduction)
    function.name = "smooth_l1_loss"
    return function


def _check_beta(what: str, beta: Any) -> float:
    return 0.0 if beta.__class__ in (int, float) and beta == 0 else positive(what, "beta", beta)


class MSELoss(Loss):
    """Mean squared error: see `functional.mse_loss`."""

    def forward(self, input: Any, target: Any) -> Tensor:
        return self.compute(MSEFunction(self.reduction), input, target)


class L1Loss(Loss):
    """Mean absolute error: see `functional.l1_loss`."""

    def forward(self, input: Any, target: Any) -> Tensor:
        return self.compute(L1Function(self.reduction), input, target)


class HuberLoss(Loss):
    """Squared near the target, linear beyond `delta`: see `functional.huber_loss`."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = positive("HuberLoss", "delta", delta)

    def forward(self, input: Any, target: Any) -> Tensor:
        return self.compute(HuberFunction(self.delta, reduction=self.reduction), input, target)


class SmoothL1Loss(Loss):
    """The Huber loss over `beta`: see `functional.smooth_l1_loss`."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = _check_beta("SmoothL1Loss", beta)

    def forward(self, input: Any, target: Any) -> Tensor:
        return self.compute(_smooth_l1(self.beta, self.reduction), input, target)
