"""Smooth activations, which bend instead of breaking: GELU, SiLU and Mish, each x times a gate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn.activations import OutOfPlace
from tt_nn.gated import FAR, Gated, composed, register
from tt_nn.module import Module
from tt_nn.softplus import composed_softplus
from tt_tensor import Function, Tensor
from tt_tensor import erf as erf_of
from tt_tensor import sigmoid as sigmoid_of
from tt_tensor.errors import ArgumentError
from tt_tensor.kernels import table
from tt_tensor.ops import special

__all__ = [
    "GELU",
    "GELUFunction",
    "GELUTanhFunction",
    "Mish",
    "MishFunction",
    "SiLU",
    "SiLUFunction",
    "gelu",
    "mish",
    "silu",
]

SHORT = 1 << 13
"""Up to so many numbers, calls cost more than numbers do."""

ROOT_HALF = math.sqrt(0.5)
DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)
ROOT_2_OVER_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715


class _Numbers:
    """The constants as arrays of shape (): a ufunc takes them in half the time of a Python number."""

    def __init__(self, dtype: Any) -> None:
        self.one, self.half, self.minus_half = (np.array(c, dtype) for c in (1, 0.5, -0.5))
        self.density = np.array(DENSITY_AT_0, dtype)
        self.line, self.cube = (np.array(c * ROOT_2_OVER_PI, dtype) for c in (1, CUBIC))
        self.slope, self.bend = (np.array(c * ROOT_2_OVER_PI, dtype) for c in (2, 6 * CUBIC))


_NUMBERS = {"f": _Numbers(np.float32), "d": _Numbers(np.float64)}


class GELUFunction(Gated, Function):
    """x Φ(x), Φ the normal distribution: dx = grad · (Φ(x) + x φ(x)), φ its density."""

    name = operation = "gelu"
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
        of = _NUMBERS[x.dtype.char]
        np.multiply(x, x, dx)
        np.multiply(dx, of.minus_half, dx)
        np.exp(dx, dx)
        np.multiply(dx, of.density, dx)
        np.multiply(dx, x, dx)
        np.add(dx, gate, dx)
        np.multiply(dx, grad, dx)

    @staticmethod
    def value_at(x: float) -> float:
        return 0.5 * math.erfc(-x * ROOT_HALF)

    @staticmethod
    def slope_at(x: float) -> float:
        return 0.5 * math.erfc(-x * ROOT_HALF) + x * DENSITY_AT_0 * math.exp(-0.5 * x * x)

    @staticmethod
    def composite(x: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        return composed(x, lambda x: 0.5 * (erf_of(x * ROOT_HALF) + 1))


# Φ(x) ≈ ½ + ½ tanh(x N(x²) / D(x²)); coefficients from the highest power down, D starting with 1.
_TOP = [np.array(c, np.float32) for c in (4.7865712, 189.970698, 2515.84029, 20314.8485)]
_BOTTOM = [np.array(c, np.float32) for c in (148.469917, 1993.66099, 25460.8849)]


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
    half = _NUMBERS["f"].half
    np.multiply(top, half, top)
    np.add(top, half, cdf)


_BOTH = np.array([[-2 * c for c in _TOP[::-1]], [*_BOTTOM[::-1], 1]], np.float32)
"""The coefficients of both polynomials of `_normal`, one below the other, from the lowest power up; N times -2."""


def gelu_scratch(n: int) -> Any:
    """Memory for `gelu_of_row` of n numbers: a row of ones with room for three powers, two rows more, and each row."""
    powers, both = np.ones((4, n), np.float32), np.empty((2, n), np.float32)
    return powers, *powers[1:], both, *both


def gelu_of_row(x: Any, scratch: Any) -> Any:
    """x Φ(x) of a short row (n,) in float32 with |x| < FAR, in the scratch, which is written to.

    As `_normal`, with ½ + ½ tanh(z) = 1 / (1 + exp(-2 z)), and both polynomials by one product with the powers of x²:
    calls are what it costs. Below -9, exp may overflow, which is right; whoever calls ignores it.
    """
    powers, u, square, cube, both, top, bottom = scratch
    np.multiply(x, x, u)
    np.multiply(u, u, square)
    np.multiply(u, square, cube)
    _BOTH.dot(powers, both)
    np.divide(top, bottom, top)
    np.multiply(top, x, top)
    np.exp(top, top)
    np.add(top, _NUMBERS["f"].one, top)
    return np.divide(x, top, top)


class GELUTanhFunction(Gated, Function):
    """x s with s = ½ (1 + tanh(√(2/π) (x + 0.044715 x³))).

    dx = grad · s (1 + 2 x (1 - s) √(2/π) (1 + 3 · 0.044715 x²)).
    """

    name, operation = "gelu", "gelu_tanh"
    backward_scratch = 1

    @staticmethod
    def gate_of(x: Any) -> Any:
        return 0.5 * (np.tanh(x * (ROOT_2_OVER_PI * CUBIC * (x * x) + ROOT_2_OVER_PI)) + 1)

    @staticmethod
    def fill(x: Any, y: Any, gate: Any) -> None:
        of = _NUMBERS[x.dtype.char]
        np.multiply(x, x, gate)
        np.multiply(gate, of.cube, gate)
        np.add(gate, of.line, gate)
        np.multiply(gate, x, gate)
        np.tanh(gate, gate)
        np.multiply(gate, of.half, gate)
        np.add(gate, of.half, gate)
        np.multiply(x, gate, y)

    @staticmethod
    def send(x: Any, gate: Any, grad: Any, dx: Any, shut: Any) -> None:
        of = _NUMBERS[x.dtype.char]
        np.multiply(x, x, dx)
        np.multiply(dx, of.bend, dx)
        np.add(dx, of.slope, dx)
        np.multiply(dx, x, dx)
        np.subtract(of.one, gate, shut)
        np.multiply(dx, shut, dx)
        np.add(dx, of.one, dx)
        np.multiply(dx, gate, dx)
        np.multiply(dx, grad, dx)

    @staticmethod
    def value_at(x: float) -> float:
        return 0.5 * (1 + math.tanh(ROOT_2_OVER_PI * (x + CUBIC * x**3)))

    @staticmethod
    def slope_at(x: float) -> float:
        s = GELUTanhFunction.value_at(x)
        return s * (1 + 2 * x * (1 - s) * ROOT_2_OVER_PI * (1 + 3 * CUBIC * x * x))

    @staticmethod
    def composite(x: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        line, cube = ROOT_2_OVER_PI, ROOT_2_OVER_PI * CUBIC
        return composed(x, lambda x: 0.5 * (np.tanh(x * (cube * (x * x) + line)) + 1))


class SiLUFunction(Gated, Function):
    """x s with s = σ(x): dx = grad · s (1 + x (1 - s))."""

    name = operation = "silu"

    @staticmethod
    def gate_of(x: Any) -> Any:
        return special.sigmoid(x)

    @staticmethod
    def fill(x: Any, y: Any, gate: Any) -> None:
        of = _NUMBERS[x.dtype.char]
        np.negative(x, gate)
        np.exp(gate, gate)
        np.add(gate, of.one, gate)
        np.divide(of.one, gate, gate)
        np.multiply(x, gate, y)

    @staticmethod
    def send(x: Any, gate: Any, grad: Any, dx: Any) -> None:
        of = _NUMBERS[x.dtype.char]
        np.subtract(of.one, gate, dx)
        np.multiply(dx, x, dx)
        np.add(dx, of.one, dx)
        np.multiply(dx, gate, dx)
        np.multiply(dx, grad, dx)

    @staticmethod
    def value_at(x: float) -> float:
        return 1 / (1 + math.exp(min(-x, 709)))

    @staticmethod
    def slope_at(x: float) -> float:
        s = SiLUFunction.value_at(x)
        return s * (1 + x * (1 - s))

    @staticmethod
    def composite(x: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        return composed(x, sigmoid_of)


class MishFunction(Gated, Function):
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
        return composed(x, lambda x: np.tanh(composed_softplus(x)))


def silu_of_row(x: Any, y: Any) -> Any:
    """x / (1 + e⁻ˣ) of a short row (n,) in float32 with |x| < FAR, in y. Whoever calls ignores that exp overflows."""
    np.negative(x, y)
    np.exp(y, y)
    np.add(y, _NUMBERS["f"].one, y)
    return np.divide(x, y, y)


for _function in (GELUFunction, GELUTanhFunction, SiLUFunction):
    register(_function)
_PLAIN = {operation: table.kernel(operation, "numpy") for operation in ("gelu", "silu")}


def _is_short(x: Any, operation: str) -> bool:
    """Are these few numbers in float32, and the kernel is the usual one?"""
    return x.dtype.char == "f" and x.size <= SHORT and table.kernel(operation) == _PLAIN[operation]


def gelu(input: Any, approximate: str = "none") -> Tensor:
    """x Φ(x), Φ the distribution of the standard normal; with "tanh", GPT-2's approximation of it.

    "tanh": ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), off by less than 5e-4.

    Raises DTypeError for integers, ArgumentError for another `approximate`. Source: Hendrycks & Gimpel, "Gaussian
    Error Linear Units", 2016, arXiv:1606.08415.
    """
    return _gelu(approximate)(input)


def silu(input: Any, inplace: bool = False) -> Tensor:
    """x / (1 + e⁻ˣ), element by element (also called swish).

    Raises DTypeError for integers. Source: Elfwing, Uchibe & Doya, 2017, arXiv:1702.03118.
    """
    return SiLUFunction()(input)


def mish(input: Any, inplace: bool = False) -> Tensor:
    """x tanh(log(1 + eˣ)), element by element.

    Raises DTypeError for integers. Source: Misra, 2019, arXiv:1908.08681.
    """
    return MishFunction()(input)


def _gelu(approximate: str) -> Function:
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")
    return GELUFunction() if approximate == "none" else GELUTanhFunction()


class GELU(Module):
    """x Φ(x): see `functional.gelu`."""

    def __init__(self, approximate: str = "none") -> None:
        _gelu(approximate)
        self.approximate = approximate

    def forward(self, x: Any) -> Tensor:
        return self.compute(_gelu(self.approximate), x)

    def infer(self, x: Any, *rest: Any) -> Any:
        if self.approximate == "none" and _is_short(x, "gelu"):
            row = x.reshape(x.size)
            with np.errstate(over="ignore"):
                if row.dot(row) < FAR * FAR:
                    return gelu_of_row(row, gelu_scratch(row.size)).reshape(x.shape)
        return _gelu(self.approximate).forward(x)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(OutOfPlace):
    """x / (1 + e⁻ˣ)."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(SiLUFunction(), x)

    def infer(self, x: Any, *rest: Any) -> Any:
        if _is_short(x, "silu"):
            row, y = x.reshape(x.size), np.empty(x.size, np.float32)
            with np.errstate(over="ignore"):
                if row.dot(row) < FAR * FAR:
                    return silu_of_row(row, y).reshape(x.shape)
        return SiLUFunction().forward(x)


class Mish(OutOfPlace):
    """x tanh(log(1 + eˣ))."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(MishFunction(), x)
