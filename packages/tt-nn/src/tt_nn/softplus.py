"""Softplus, a ReLU without a kink, and the logarithm of the sigmoid, which is a softplus upside down."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.blocks import working
from tt_nn.module import Module
from tt_tensor import Function, Tensor
from tt_tensor.arguments import number
from tt_tensor.errors import ArgumentError
from tt_tensor.kernels.elementwise import unary
from tt_tensor.ops import special
from tt_tensor.ops.plain import raw

__all__ = [
    "LogSigmoid",
    "LogSigmoidFunction",
    "Softplus",
    "SoftplusFunction",
    "composed_softplus",
    "logsigmoid",
    "softplus",
]


class SoftplusFunction(Function):
    """log(1 + e^(βx)) / β, and x itself where βx > threshold: dx = grad · σ(βx), or grad."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Any) -> Any:
        wide = working(x, "softplus")
        self.scaled = scaled = wide if self.beta == 1 else wide * self.beta
        y = unary(_softplus, scaled)
        if self.beta != 1:
            y = y * (1 / self.beta)
        self.linear = scaled > self.threshold
        if self.linear.any():
            y = np.where(self.linear, wide, y)
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        slope = special.sigmoid(self.scaled)
        return grad * (np.where(self.linear, np.ones((), slope.dtype), slope) if self.linear.any() else slope)

    def composite(self, x: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        scaled = x * self.beta
        return np.where(raw(scaled) > self.threshold, x, composed_softplus(scaled) * (1 / self.beta))  # type: ignore[return-value]


class LogSigmoidFunction(Function):
    """log σ(x) = -log(1 + e⁻ˣ): dx = grad · σ(-x)."""

    def forward(self, x: Any) -> Any:
        wide = working(x, "logsigmoid")
        self.minus = unary(np.negative, wide)
        y = unary(np.negative, unary(_softplus, self.minus))
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        return grad * special.sigmoid(self.minus)

    @staticmethod
    def composite(x: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        return -composed_softplus(-x)


def _softplus(x: Any) -> Any:
    """log(1 + eˣ) as max(x, 0) + log(1 + e^(-|x|)), which neither overflows nor loses the small values."""
    y = np.asarray(np.abs(x))
    np.negative(y, y)
    with np.errstate(under="ignore"):
        np.exp(y, y)
    np.log1p(y, y)
    y += np.maximum(x, 0)
    return y


def composed_softplus(x: Any) -> Any:
    """log(1 + eˣ) on Tensors; the choice is made on both sides of the kink alike, so its gradient at 0 is ½."""
    positive = raw(x) > 0
    return np.where(positive, x, 0) + np.log1p(np.exp(np.where(positive, -x, x)))


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta x)) / beta; x itself where beta x > threshold, as there they are equal in float32.

    Raises DTypeError for integers, ArgumentError for a beta or a threshold that is no number, and for beta 0.
    Source: Dugas et al., "Incorporating Second-Order Functional Knowledge for Better Option Pricing", 2000.
    """
    return SoftplusFunction(_beta("softplus", beta), number("softplus", "threshold", threshold))(input)


def logsigmoid(input: Any) -> Tensor:
    """log(1 / (1 + e⁻ˣ)), element by element, right also where the sigmoid is 0. Raises DTypeError for integers."""
    return LogSigmoidFunction()(input)


def _beta(where: str, beta: Any) -> float:
    if not number(where, "beta", beta):
        raise ArgumentError(f"{where}: beta must not be 0: the result is divided by it")
    return number(where, "beta", beta)


class Softplus(Module):
    """log(1 + e^(beta x)) / beta: see `functional.softplus`."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = _beta("Softplus", beta), number("Softplus", "threshold", threshold)

    def forward(self, x: Any) -> Tensor:
        return self.compute(SoftplusFunction(self.beta, self.threshold), x)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class LogSigmoid(Module):
    """log(1 / (1 + e⁻ˣ))."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(LogSigmoidFunction(), x)
