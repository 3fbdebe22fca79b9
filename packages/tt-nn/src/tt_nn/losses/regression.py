"""Losses for numbers: how far the prediction is from the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tt_tensor import Function
from tt_tensor.errors import ArgumentError

from tt_nn.loss import Loss, Reduced, check_reduction, check_same

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
        check_same("mse_loss", x, t)
        self.off = x - t
        return self.reduced(self.off * self.off)

    def backward(self, grad: Any) -> Any:
        dx = self.off * (grad * (2 * self.share()))
        return dx, -dx if self.wants(1) else None


class L1Function(Reduced, Function):
    """|x - t|: dx = sign(x - t) grad, dt = -dx; 0 where they are equal."""

    def forward(self, x: Any, t: Any) -> Any:
        check_same("l1_loss", x, t)
        self.off = x - t
        return self.reduced(np.abs(self.off))

    def backward(self, grad: Any) -> Any:
        dx = np.sign(self.off) * (grad * self.share())
        return dx, -dx if self.wants(1) else None


class HuberFunction(Reduced, Function):
    """With d = x - t: ½ d² where |d| ≤ δ, else δ (|d| - ½ δ); dx = clip(d, -δ, δ) grad. All times `scale`."""

    def __init__(self, delta: float = 1.0, scale: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.delta, self.scale = delta, scale

    def forward(self, x: Any, t: Any) -> Any:
        check_same("huber_loss", x, t)
        self.off = x - t
        # With c = clip(d): c (d - ½ c) is ½ d² inside and δ (|d| - ½ δ) outside.
        near = np.clip(self.off, -self.delta, self.delta)
        return self.reduced(near * (self.off - 0.5 * near) * self.scale)

    def backward(self, grad: Any) -> Any:
        dx = np.clip(self.off, -self.delta, self.delta) * (grad * (self.scale * self.share()))
        return dx, -dx if self.wants(1) else None


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """mean((input - target)²); both of one shape, any.

    Raises ShapeError where the shapes differ: nothing is broadcast.
    """
    return MSEFunction(check_reduction(reduction))(input, target)


def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """mean(|input - target|); both of one shape, any."""
    return L1Function(check_reduction(reduction))(input, target)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """With d = input - target: ½ d² where |d| ≤ delta, else delta (|d| - ½ delta).

    Source: Huber, "Robust Estimation of a Location Parameter", 1964.
    """
    return HuberFunction(_above_zero("huber_loss", "delta", delta), reduction=check_reduction(reduction))(
        input, target
    )


def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """With d = input - target: ½ d² / beta where |d| < beta, else |d| - ½ beta; the Huber loss over beta.

    beta = 0 is the L1 loss. Source: Girshick, "Fast R-CNN", 2015, arXiv:1504.08083.
    """
    return _smooth_l1(beta, check_reduction(reduction))(input, target)


def _smooth_l1(beta: float, reduction: str) -> Function:
    if beta == 0:
        return L1Function(reduction)
    return HuberFunction(_above_zero("smooth_l1_loss", "beta", beta), 1 / beta, reduction)


def _above_zero(where: str, name: str, value: Any) -> float:
    if not isinstance(value, int | float) or not value > 0:
        raise ArgumentError(f"{where}: {name} must be a number above 0, not {value!r}")
    return float(value)


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
        self.delta = _above_zero("HuberLoss", "delta", delta)

    def forward(self, input: Any, target: Any) -> Tensor:
        return self.compute(HuberFunction(self.delta, reduction=self.reduction), input, target)


class SmoothL1Loss(Loss):
    """The Huber loss over `beta`: see `functional.smooth_l1_loss`."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta if beta == 0 else _above_zero("SmoothL1Loss", "beta", beta)

    def forward(self, input: Any, target: Any) -> Tensor:
        return self.compute(_smooth_l1(self.beta, self.reduction), input, target)
