"""Activations: what makes a stack of linear layers more than one linear layer.

Each is a formula on one number, its derivative, and a layer without parameters. Tanh, sigmoid and the softmaxes are
tt_tensor's own Functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tt_tensor import Function, Tensor
from tt_tensor.errors import ArgumentError
from tt_tensor.kernels.elementwise import binary
from tt_tensor.ops.pointwise import Sigmoid as SigmoidFunction
from tt_tensor.ops.pointwise import Tanh as TanhFunction
from tt_tensor.ops.reductions import raw
from tt_tensor.ops.softmax import LogSoftmax as LogSoftmaxFunction
from tt_tensor.ops.softmax import Softmax as SoftmaxFunction

from tt_nn.module import Module

__all__ = [
    "ELU",
    "ELUFunction",
    "Hardswish",
    "HardswishFunction",
    "LeakyReLU",
    "LeakyReLUFunction",
    "LogSoftmax",
    "ReLU",
    "ReLUFunction",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "elu",
    "hardswish",
    "leaky_relu",
    "log_softmax",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]


class ReLUFunction(Function):
    """max(x, 0): dx = grad where x > 0, else 0; 0 at the kink."""

    def forward(self, x: Any) -> Any:
        self.y = binary(np.maximum, x, 0)
        return self.y

    def backward(self, grad: Any) -> Any:
        return grad * (raw(self.y) > 0)


class LeakyReLUFunction(Function):
    """x where x > 0, else slope · x: dx = grad or slope · grad, the latter at the kink."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Any) -> Any:
        self.factor = np.where(raw(x) > 0, 1.0, self.slope).astype(x.dtype)
        return x * self.factor

    def backward(self, grad: Any) -> Any:
        return grad * self.factor


class ELUFunction(Function):
    """x where x > 0, else α (eˣ - 1): dx = grad or grad · α eˣ, the latter at the kink."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        self.x = x
        return np.where(raw(x) > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def backward(self, grad: Any) -> Any:
        return grad * np.where(raw(self.x) > 0, 1, self.alpha * np.exp(np.minimum(self.x, 0)))


class HardswishFunction(Function):
    """x · clip(x + 3, 0, 6) / 6: dx = grad · (x / 3 + ½) inside ±3, grad above, 0 below."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return x * (np.clip(x + 3, 0, 6) * (1 / 6))

    def backward(self, grad: Any) -> Any:
        x = raw(self.x)
        slope = np.where(x >= 3, 1, np.where(x <= -3, 0, self.x * (1 / 3) + 0.5))
        return grad * slope


def relu(input: Any) -> Tensor:
    """max(x, 0), element by element. Source: Nair & Hinton, "Rectified Linear Units", 2010."""
    return ReLUFunction()(input)


def leaky_relu(input: Any, negative_slope: float = 0.01) -> Tensor:
    """x where x > 0, else negative_slope · x. Source: Maas, Hannun & Ng, 2013."""
    return LeakyReLUFunction(_number("leaky_relu", "negative_slope", negative_slope))(input)


def elu(input: Any, alpha: float = 1.0) -> Tensor:
    """x where x > 0, else alpha (eˣ - 1). Source: Clevert, Unterthiner & Hochreiter, 2015, arXiv:1511.07289."""
    return ELUFunction(_number("elu", "alpha", alpha))(input)


def hardswish(input: Any) -> Tensor:
    """x · clip(x + 3, 0, 6) / 6. Source: Howard et al., "Searching for MobileNetV3", 2019, arXiv:1905.02244."""
    return HardswishFunction()(input)


def tanh(input: Any) -> Tensor:
    """(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ), element by element."""
    return TanhFunction()(input)


def sigmoid(input: Any) -> Tensor:
    """1 / (1 + e⁻ˣ), element by element."""
    return SigmoidFunction()(input)


def softmax(input: Any, dim: int = -1) -> Tensor:
    """exp(xᵢ) / Σ_j exp(x_j) along `dim`; a row of nothing but -inf gives zeros."""
    return SoftmaxFunction(dim)(input)


def log_softmax(input: Any, dim: int = -1) -> Tensor:
    """xᵢ - log Σ_j exp(x_j) along `dim`."""
    return LogSoftmaxFunction(dim)(input)


def _number(where: str, name: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ArgumentError(f"{where}: {name} must be a number, not {value!r}")
    return float(value)


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(ReLUFunction(), x)


class LeakyReLU(Module):
    """x where x > 0, else negative_slope · x."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = _number("LeakyReLU", "negative_slope", negative_slope)

    def forward(self, x: Any) -> Tensor:
        return self.compute(LeakyReLUFunction(self.negative_slope), x)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """x where x > 0, else alpha (eˣ - 1)."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = _number("ELU", "alpha", alpha)

    def forward(self, x: Any) -> Tensor:
        return self.compute(ELUFunction(self.alpha), x)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class Hardswish(Module):
    """x · clip(x + 3, 0, 6) / 6."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(HardswishFunction(), x)


class Tanh(Module):
    """(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(TanhFunction(), x)


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ)."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(SigmoidFunction(), x)


class Softmax(Module):
    """exp(xᵢ) / Σ_j exp(x_j) along `dim`."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Tensor:
        return self.compute(SoftmaxFunction(self.dim), x)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """xᵢ - log Σ_j exp(x_j) along `dim`."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Tensor:
        return self.compute(LogSoftmaxFunction(self.dim), x)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
