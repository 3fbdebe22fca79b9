"""Smooth activations, which bend instead of breaking: GELU, SiLU, Mish, softplus and the logarithm of the sigmoid.

Their values at ±inf are the limits. Formulas of many steps run block by block over memory of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tt_nn.activations import number
from tt_nn.blocks import in_blocks, working
from tt_nn.module import Module
from tt_tensor import Function, Tensor
from tt_tensor import erf as erf_of
from tt_tensor import sigmoid as sigmoid_of
from tt_tensor.errors import ArgumentError
from tt_tensor.kernels import table
from tt_tensor.kernels.elementwise import binary, unary
from tt_tensor.ops import special
from tt_tensor.ops.plain import raw

__all__ = [
    "GELU",
    "GELUFunction",
    "GELUTanhFunction",
    "LogSigmoid",
    "LogSigmoidFunction",
    "Mish",
    "MishFunction",
    "SiLU",
    "SiLUFunction",
    "Softplus",
    "SoftplusFunction",
    "gelu",
    "logsigmoid",
    "mish",
    "silu",
    "softplus",
]

ROOT_HALF = math.sqrt(0.5)
DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)
ROOT_2_OVER_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715
FAR = 1e4
"""From here on, every gate is 1 exactly, and below -FAR 0."""


class _Gated(Function):
    """x times a gate between 0 and 1 that x itself opens; the gate is kept for the rule."""

    name: str
    forward_scratch = backward_scratch = 0

    def forward(self, x: Any) -> Any:
        self.x = wide = working(x, self.name)
        if table.plain:
            y, self.gate = self.run(self.fill, (wide,), 2, self.forward_scratch)
        else:
            self.gate = unary(self.gate_of, wide)
            y = binary(np.multiply, wide, self.gate)
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        return self.run(self.send, (self.x, self.gate, grad), 1, self.backward_scratch)[0]

    @staticmethod
    def run(body: Callable[..., None], inputs: tuple[Any, ...], made: int, scratch: int) -> list[Any]:
        """`body` over the blocks. Where it met 0 · inf, once more with ±FAR in the place of all beyond."""
        try:
            with np.errstate(over="ignore", under="ignore", invalid="raise"):
                return in_blocks(body, inputs, made, scratch)
        except FloatingPointError:
            x = inputs[0]
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                results = in_blocks(body, (np.asarray(np.clip(x, -FAR, FAR)), *inputs[1:]), made, scratch)
                if made > 1:
                    np.copyto(results[0], x, where=x > FAR)
                return results

    @staticmethod
    def gate_of(x: Any) -> Any:
        """The gate."""
        raise NotImplementedError

    @staticmethod
    def fill(x: Any, y: Any, gate: Any, *scratch: Any) -> None:
        """x times its gate into `y`, the gate into `gate`."""
        raise NotImplementedError

    @staticmethod
    def send(x: Any, gate: Any, grad: Any, dx: Any, *scratch: Any) -> None:
        """grad times the derivative into `dx`."""
        raise NotImplementedError


class GELUFunction(_Gated):
    """x Φ(x), Φ the normal distribution: dx = grad · (Φ(x) + x φ(x)), φ its density."""

    name = "gelu"
    forward_scratch, backward_scratch = 2, 0

    @staticmethod
    def gate_of(x: Any) -> Any:
        return 0.5 * (special.erf(x * ROOT_HALF) + 1)

    @staticmethod
    def fill(x: Any, y: Any, gate: Any, top: Any, bottom: Any) -> None:
        if x.dtype.char == "f":
            _normal(x, gate, y, top, bottom)
        else:
            np.multiply(x, ROOT_HALF, top)
            np.add(special.erf(top), 1, gate)
            np.multiply(gate, 0.5, gate)
        np.multiply(x, gate, y)

    @staticmethod
    def send(x: Any, gate: Any, grad: Any, dx: Any) -> None:
        np.multiply(x, x, dx)
        np.multiply(dx, -0.5, dx)
        np.exp(dx, dx)
        np.multiply(dx, DENSITY_AT_0, dx)
        np.multiply(dx, x, dx)
        np.add(dx, gate, dx)
        np.multiply(dx, grad, dx)

    @staticmethod
    def composite(x: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        return x * (0.5 * (erf_of(x * ROOT_HALF) + 1))


# Φ(x) ≈ ½ + ½ tanh(x N(x²) / D(x²)); coefficients from the highest power down, D starting with 1.
_TOP = [np.array(c, np.float32) for c in (4.7865712, 189.970698, 2515.84029, 20314.8485)]
_BOTTOM = [np.array(c, np.float32) for c in (148.469917, 1993.66099, 25460.8849)]
_HALF = np.array(0.5, np.float32)


def _normal(x: Any, cdf: Any, u: Any, top: Any, bottom: Any) -> None:
    """Φ(x) in float32 into `cdf`; the others are scratch.

    A fit in the least error of x Φ(x), which is below 1e-8 (rounding adds some 1e-7), over |x| ≤ 5.6, beyond which
    tanh rounds to ±1; by Lawson's iterated weights, as is `tt_tensor.ops.special.erf`, whose relative accuracy
    costs more steps and is lost in 1 + erf anyway.
    """
    np.multiply(x, x, u)
    np.multiply(u, _TOP[0], top)
    for coefficient in _TOP[1:-1]:
        np.add(top, coefficient, top)
        np.multiply(top, u, top)
    np.add(top, _TOP[-1], top)
    np.add(u, _BOTTOM[0], bottom)
    for coefficient in _BOTTOM[1:]:
        np.multiply(bottom, u, bottom)
        np.add(bottom, coefficient, bottom)
    np.divide(top, bottom, top)
    np.multiply(top, x, top)
    np.tanh(top, top)
    np.multiply(top, _HALF, top)
    np.add(top, _HALF, cdf)


class GELUTanhFunction(_Gated):
    """x s with s = ½ (1 + tanh(√(2/π) (x + 0.044715 x³))).

    dx = grad · s (1 + 2 x (1 - s) √(2/π) (1 + 3 · 0.044715 x²)).
    """

    name = "gelu"
    backward_scratch = 1

    @staticmethod
    def gate_of(x: Any) -> Any:
        return 0.5 * (np.tanh(x * (ROOT_2_OVER_PI * CUBIC * (x * x) + ROOT_2_OVER_PI)) + 1)

    @staticmethod
    def fill(x: Any, y: Any, gate: Any) -> None:
        np.multiply(x, x, gate)
        np.multiply(gate, ROOT_2_OVER_PI * CUBIC, gate)
        np.add(gate, ROOT_2_OVER_PI, gate)
        np.multiply(gate, x, gate)
        np.tanh(gate, gate)
        np.multiply(gate, 0.5, gate)
        np.add(gate, 0.5, gate)
        np.multiply(x, gate, y)

    @staticmethod
    def send(x: Any, gate: Any, grad: Any, dx: Any, shut: Any) -> None:
        np.multiply(x, x, dx)
        np.multiply(dx, 6 * CUBIC * ROOT_2_OVER_PI, dx)
        np.add(dx, 2 * ROOT_2_OVER_PI, dx)
        np.multiply(dx, x, dx)
        np.subtract(1, gate, shut)
        np.multiply(dx, shut, dx)
        np.add(dx, 1, dx)
        np.multiply(dx, gate, dx)
        np.multiply(dx, grad, dx)

    @staticmethod
    def composite(x: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        inner = x * (ROOT_2_OVER_PI * CUBIC * (x * x) + ROOT_2_OVER_PI)
        return x * (0.5 * (np.tanh(inner) + 1))


class SiLUFunction(_Gated):
    """x s with s = σ(x): dx = grad · s (1 + x (1 - s))."""

    name = "silu"

    @staticmethod
    def gate_of(x: Any) -> Any:
        return special.sigmoid(x)

    @staticmethod
    def fill(x: Any, y: Any, gate: Any) -> None:
        np.negative(x, gate)
        np.exp(gate, gate)
        np.add(gate, 1, gate)
        np.divide(1, gate, gate)
        np.multiply(x, gate, y)

    @staticmethod
    def send(x: Any, gate: Any, grad: Any, dx: Any) -> None:
        np.subtract(1, gate, dx)
        np.multiply(dx, x, dx)
        np.add(dx, 1, dx)
        np.multiply(dx, gate, dx)
        np.multiply(dx, grad, dx)

    @staticmethod
    def composite(x: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        return x * sigmoid_of(x)


class MishFunction(_Gated):
    """x t with t = tanh(log(1 + eˣ)): dx = grad · (t + x (1 - t²) σ(x)).

    With n = eˣ (eˣ + 2): t = n / (n + 2), and x σ(x) (1 - t²) = x · 4 eˣ (eˣ + 1) / (n + 2)².
    """

    name = "mish"
    backward_scratch = 1

    @staticmethod
    def gate_of(x: Any) -> Any:
        # From 20 on, the gate is 1 in any dtype.
        e = np.exp(np.minimum(x, 20))
        n = e * (e + 2)
        return n / (n + 2)

    @staticmethod
    def fill(x: Any, y: Any, gate: Any) -> None:
        np.minimum(x, 20, out=gate)
        np.exp(gate, gate)
        np.add(gate, 2, y)
        np.multiply(gate, y, gate)
        np.add(gate, 2, y)
        np.divide(gate, y, gate)
        np.multiply(x, gate, y)

    @staticmethod
    def send(x: Any, gate: Any, grad: Any, dx: Any, e: Any) -> None:
        np.minimum(x, 40, out=e)
        np.exp(e, e)
        np.add(e, 1, dx)
        np.multiply(e, dx, e)
        np.multiply(dx, dx, dx)
        np.add(dx, 1, dx)
        np.divide(e, dx, e)
        np.divide(4, dx, dx)
        np.multiply(dx, e, dx)
        # Here, too, no x beyond 40: there the product is 0, and would be if x were not huge.
        np.minimum(x, 40, out=e)
        np.multiply(dx, e, dx)
        np.add(dx, gate, dx)
        np.multiply(dx, grad, dx)

    @staticmethod
    def composite(x: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        return x * np.tanh(_softplus_of(x))


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
        return np.where(raw(scaled) > self.threshold, x, _softplus_of(scaled) * (1 / self.beta))  # type: ignore[return-value]


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
        return -_softplus_of(-x)


def _softplus(x: Any) -> Any:
    """log(1 + eˣ) as max(x, 0) + log(1 + e^(-|x|)), which neither overflows nor loses the small values."""
    y = np.asarray(np.abs(x))
    np.negative(y, y)
    with np.errstate(under="ignore"):
        np.exp(y, y)
    np.log1p(y, y)
    y += np.maximum(x, 0)
    return y


def _softplus_of(x: Any) -> Any:
    """The same on Tensors; the choice is made on both sides of the kink alike, so its gradient at 0 is ½."""
    positive = raw(x) > 0
    return np.where(positive, x, 0) + np.log1p(np.exp(np.where(positive, -x, x)))


def gelu(input: Any, approximate: str = "none") -> Tensor:
    """x Φ(x), Φ the distribution of the standard normal; with "tanh", GPT-2's approximation of it.

    "tanh": ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), off by less than 5e-4.

    Raises DTypeError for integers, ArgumentError for another `approximate`. Source: Hendrycks & Gimpel, "Gaussian
    Error Linear Units", 2016, arXiv:1606.08415.
    """
    return _gelu(approximate)(input)


def silu(input: Any) -> Tensor:
    """x / (1 + e⁻ˣ), element by element (also called swish).

    Raises DTypeError for integers. Source: Elfwing, Uchibe & Doya, 2017, arXiv:1702.03118.
    """
    return SiLUFunction()(input)


def mish(input: Any) -> Tensor:
    """x tanh(log(1 + eˣ)), element by element.

    Raises DTypeError for integers. Source: Misra, 2019, arXiv:1908.08681.
    """
    return MishFunction()(input)


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta x)) / beta; x itself where beta x > threshold, as there they are equal in float32.

    Raises DTypeError for integers, ArgumentError for a beta or a threshold that is no number, and for beta 0.
    Source: Dugas et al., "Incorporating Second-Order Functional Knowledge for Better Option Pricing", 2000.
    """
    return SoftplusFunction(_beta("softplus", beta), number("softplus", "threshold", threshold))(input)


def logsigmoid(input: Any) -> Tensor:
    """log(1 / (1 + e⁻ˣ)), element by element, right also where the sigmoid is 0. Raises DTypeError for integers."""
    return LogSigmoidFunction()(input)


def _gelu(approximate: str) -> Function:
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")
    return GELUFunction() if approximate == "none" else GELUTanhFunction()


def _beta(where: str, beta: Any) -> float:
    if not number(where, "beta", beta):
        raise ArgumentError(f"{where}: beta must not be 0: the result is divided by it")
    return number(where, "beta", beta)


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


class Mish(Module):
    """x tanh(log(1 + eˣ))."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(MishFunction(), x)


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
