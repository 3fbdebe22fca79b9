"""Smooth activations: GELU, SiLU and softplus, which bend instead of breaking."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from tt_tensor import Function, Tensor
from tt_tensor.errors import ArgumentError
from tt_tensor.ops import special
from tt_tensor.ops.reductions import raw

from tt_nn.module import Module

__all__ = [
    "GELU",
    "GELUFunction",
    "GELUTanhFunction",
    "SiLU",
    "SiLUFunction",
    "Softplus",
    "SoftplusFunction",
    "gelu",
    "silu",
    "softplus",
]

ROOT_HALF = math.sqrt(0.5)
DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)
ROOT_2_OVER_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715


class GELUFunction(Function):
    """x Φ(x), Φ the normal distribution: dx = grad · (Φ(x) + x φ(x)), φ its density."""

    def forward(self, x: Any) -> Any:
        self.x = x
        self.cdf = 0.5 * (special.erf(x * ROOT_HALF) + 1)
        return x * self.cdf

    def backward(self, grad: Any) -> Any:
        x = self.x
        return grad * (self.cdf + x * (DENSITY_AT_0 * np.exp(-0.5 * (x * x))))


class GELUTanhFunction(Function):
    """½ x (1 + t) with t = tanh(√(2/π) (x + 0.044715 x³)).

    dx = grad · ½ ((1 + t) + x (1 - t²) √(2/π) (1 + 3 · 0.044715 x²)).
    """

    def forward(self, x: Any) -> Any:
        self.x = x
        self.t = np.tanh((x * (1 + CUBIC * (x * x))) * ROOT_2_OVER_PI)
        return x * (0.5 * (self.t + 1))

    def backward(self, grad: Any) -> Any:
        x, t = self.x, self.t
        inner = (1 + 3 * CUBIC * (x * x)) * (0.5 * ROOT_2_OVER_PI)
        return grad * (0.5 * (t + 1) + x * (1 - t * t) * inner)


class SiLUFunction(Function):
    """x σ(x): dx = grad · σ (1 + x (1 - σ))."""

    def forward(self, x: Any) -> Any:
        self.x, self.s = x, special.sigmoid(x)
        return x * self.s

    def backward(self, grad: Any) -> Any:
        return grad * (self.s * (1 + self.x * (1 - self.s)))


class SoftplusFunction(Function):
    """log(1 + e^(βx)) / β, and x itself where βx > threshold: dx = grad · σ(βx), or grad."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Any) -> Any:
        scaled = self.scaled = x if self.beta == 1 else x * self.beta
        self.linear = raw(scaled) > self.threshold
        soft = (np.maximum(scaled, 0) + np.log1p(np.exp(-np.abs(scaled)))) * (1 / self.beta)
        return np.where(self.linear, x, soft)

    def backward(self, grad: Any) -> Any:
        return grad * np.where(self.linear, 1, special.sigmoid(self.scaled))


def gelu(input: Any, approximate: str = "none") -> Tensor:
    """x Φ(x), Φ the distribution of the standard normal; with "tanh", GPT-2's approximation of it.

    "tanh": ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), off by less than 5e-4.
    Source: Hendrycks & Gimpel, "Gaussian Error Linear Units", 2016, arXiv:1606.08415.
    """
    return _gelu(approximate)(input)


def silu(input: Any) -> Tensor:
    """x / (1 + e⁻ˣ). Source: Elfwing, Uchibe & Doya, 2017, arXiv:1702.03118 (also called swish)."""
    return SiLUFunction()(input)


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta x)) / beta; x itself where beta x > threshold, as there they are equal in float32."""
    return SoftplusFunction(_beta("softplus", beta), threshold)(input)


def _gelu(approximate: str) -> Function:
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")
    return GELUFunction() if approximate == "none" else GELUTanhFunction()


def _beta(where: str, beta: Any) -> float:
    if not isinstance(beta, int | float) or not beta > 0:
        raise ArgumentError(f"{where}: beta must be a number above 0, not {beta!r}")
    return float(beta)


class GELU(Module):
    """x Φ(x): see `functional.gelu`."""

    def __init__(self, approximate: str = "none") -> None:
        _gelu(approximate)
        self.approximate = approximate

    def forward(self, x: Any) -> Tensor:
        return self.compute(_gelu(self.approximate), x)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x / (1 + e⁻ˣ)."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(SiLUFunction(), x)


class Softplus(Module):
    """log(1 + e^(beta x)) / beta."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = _beta("Softplus", beta), threshold

    def forward(self, x: Any) -> Tensor:
        return self.compute(SoftplusFunction(self.beta, self.threshold), x)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"
