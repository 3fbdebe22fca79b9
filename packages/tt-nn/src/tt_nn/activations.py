"""Activations: what makes a stack of linear layers more than one linear layer.

Each is a formula on one number, its derivative, and a layer without parameters. The smooth ones stand in smooth.py,
those made of straight pieces for small machines in hard.py; tanh, sigmoid and the softmaxes are tt_tensor's own
Functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.blocks import kept, kept_where_positive, positive_part, working
from tt_nn.module import Module
from tt_tensor import Function, Tensor, as_tensor, kernels
from tt_tensor.arguments import number
from tt_tensor.errors import ArgumentError, DTypeError
from tt_tensor.kernels import table
from tt_tensor.kernels.elementwise import binary
from tt_tensor.ops.plain import raw
from tt_tensor.ops.pointwise import Sigmoid as SigmoidFunction
from tt_tensor.ops.pointwise import Tanh as TanhFunction
from tt_tensor.ops.softmax import LogSoftmax as LogSoftmaxFunction
from tt_tensor.ops.softmax import Softmax as SoftmaxFunction
from tt_tensor.ops.special import choose

__all__ = [
    "CELU",
    "ELU",
    "SELU",
    "ELUFunction",
    "LeakyReLU",
    "LeakyReLUFunction",
    "LogSoftmax",
    "ReLU",
    "ReLUFunction",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "celu",
    "elu",
    "leaky_relu",
    "log_softmax",
    "relu",
    "selu",
    "sigmoid",
    "softmax",
    "tanh",
]


def relu_loops(x: Any) -> Any:
    """y = x where x > 0 or x is NaN, else 0."""
    y = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        if not x[place] <= 0:
            y[place] = x[place]
    return y


def relu_backward_loops(y: Any, grad: Any) -> Any:
    """dx = grad where y > 0, else 0; where y is NaN the gradient must not look healthy."""
    dx = np.zeros_like(grad)
    for place in np.ndindex(y.shape):
        if not y[place] <= 0:
            dx[place] = grad[place]
    return dx


kernels.register("relu", "loops", relu_loops)
kernels.register("relu", "numpy", positive_part, default=True)
kernels.register("relu_backward", "loops", relu_backward_loops)
kernels.register("relu_backward", "numpy", kept_where_positive, default=True)

MANY = 1 << 15
"""Elements from which it does not matter what a look into the table of kernels costs."""


class ReLUFunction(Function):
    """max(x, 0): dx = grad where x > 0, else 0; 0 at the kink."""

    def forward(self, x: Any) -> Any:
        if x.dtype.kind == "b":
            raise DTypeError("relu: the input is bool; use x.astype('float32') first")
        quick = table.plain and x.size < MANY
        self.y = positive_part(x) if quick else kernels.kernel("relu")(x)
        return self.y

    def backward(self, grad: Any) -> Any:
        # Where y is NaN the gradient must not look healthy.
        if table.plain and grad.size < MANY:
            return kept_where_positive(self.y, grad)
        return kernels.kernel("relu_backward")(self.y, grad)

    @staticmethod
    def composite(x: Any) -> Tensor:
        """The same by a choice, for higher orders; what is NaN is not below 0."""
        return np.where(raw(x) <= 0, 0, x)  # type: ignore[return-value]


class LeakyReLUFunction(Function):
    """x where x > 0, else slope · x: dx = grad or slope · grad, the latter at the kink."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Any) -> Any:
        wide = working(x, "leaky_relu")
        self.positive = wide > 0
        if self.slope == 0:
            y = positive_part(wide)
        else:
            y = binary(np.multiply, wide, self.slope)
            y = binary(np.maximum, wide, y) if 0 < self.slope <= 1 else choose(self.positive, wide, y)
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        return choose(self.positive, grad, grad * self.slope) if self.slope else kept(self.positive, grad)

    def composite(self, x: Any) -> Tensor:
        """The same by a choice, for higher orders."""
        return np.where(raw(x) > 0, x, x * self.slope)  # type: ignore[return-value]


class ELUFunction(Function):
    """s x where x > 0, else s α (eʳˣ - 1), of scale s and rate r: dx = grad s or grad s α r eʳˣ, that at the kink."""

    def __init__(self, alpha: float = 1.0, scale: float = 1.0, rate: float = 1.0) -> None:
        self.alpha, self.scale, self.rate = alpha, scale, rate

    def forward(self, x: Any) -> Any:
        self.x = wide = working(x, "elu")
        y = self._exponent(wide)
        y = np.expm1(y, out=y)
        if self.alpha != 1:
            y *= self.alpha
        y += positive_part(wide)
        if self.scale != 1:
            y *= self.scale
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        x = self.x
        slope = self._exponent(x)
        np.exp(slope, out=slope)
        steep = self.alpha * self.rate
        if steep != 1:
            slope = choose(x > 0, np.ones((), x.dtype), slope * steep)
        return grad * (slope if self.scale == 1 else slope * self.scale)

    def _exponent(self, x: Any) -> Any:
        """r · min(x, 0), in memory of its own."""
        y = np.asarray(binary(np.minimum, x, 0))
        return y if self.rate == 1 else np.multiply(y, self.rate, out=y)

    def composite(self, x: Any) -> Tensor:
        """The same by a choice, for higher orders."""
        positive = raw(x) > 0
        below = np.where(positive, 0, x) * self.rate
        return np.where(positive, x, np.expm1(below) * self.alpha) * self.scale  # type: ignore[return-value]


def relu(input: Any, inplace: bool = False) -> Tensor:
    """max(x, 0), element by element; integers stay integers.

    Raises DTypeError for bool. Source: Nair & Hinton, "Rectified Linear Units Improve Restricted Boltzmann
    Machines", 2010.
    """
    return ReLUFunction()(input)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope · x, element by element.

    Raises DTypeError for integers, ArgumentError for a slope that is no number. Source: Maas, Hannun & Ng,
    "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013.
    """
    return LeakyReLUFunction(number("leaky_relu", "negative_slope", negative_slope))(input)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha (eˣ - 1), element by element.

    Raises DTypeError for integers, ArgumentError for an alpha that is no number. Source: Clevert, Unterthiner &
    Hochreiter, 2015, arXiv:1511.07289.
    """
    return ELUFunction(number("elu", "alpha", alpha))(input)


def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha (e^(x / alpha) - 1), element by element: an ELU whose slope has no kink.

    Raises DTypeError for integers, ArgumentError for an alpha that is no number, or 0. Source: Barron, 2017,
    arXiv:1704.07483.
    """
    return ELUFunction(*_celu("celu", alpha))(input)


def _celu(where: str, alpha: Any) -> tuple[float, float, float]:
    """What a CELU is as an ELU: alpha, scale and rate."""
    if not number(where, "alpha", alpha):
        raise ArgumentError(f"{where}: alpha must not be 0: the input is divided by it")
    return alpha, 1.0, 1 / alpha


SELU_ALPHA, SELU_SCALE = 1.6732632423543772848, 1.0507009873554804934
"""With these, mean 0 and variance 1 of the input are those of the output."""


def selu(input: Any, inplace: bool = False) -> Tensor:
    """1.0507 x where x > 0, else 1.0507 · 1.6733 (eˣ - 1): keeps mean 0 and variance 1 from layer to layer.

    Raises DTypeError for integers. Source: Klambauer, Unterthiner, Mayr & Hochreiter, "Self-Normalizing Neural
    Networks", 2017, arXiv:1706.02515.
    """
    return ELUFunction(SELU_ALPHA, SELU_SCALE)(input)


def tanh(input: Any) -> Tensor:
    """(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ), element by element; integers give floats."""
    return TanhFunction()(input)


def sigmoid(input: Any) -> Tensor:
    """1 / (1 + e⁻ˣ), element by element; integers give floats."""
    return SigmoidFunction()(input)


def softmax(input: Any, dim: int = -1, dtype: Any = None) -> Tensor:
    """exp(xᵢ) / Σ_j exp(x_j) along the axis `dim`: a distribution. A logit of -inf gets probability 0.

    The input is brought to `dtype` first, if one is given: float32 for a float16 that would round.

    A row of nothing but -inf gives zeros and passes no gradient (PyTorch gives NaN, which then spreads).

    Raises DTypeError for integers, AxisError for a dim out of range. Source: Bridle, 1990.
    """
    return SoftmaxFunction(dim)(_floating(input, "softmax", dtype))


def log_softmax(input: Any, dim: int = -1, dtype: Any = None) -> Tensor:
    """xᵢ - log Σ_j exp(x_j) along the axis `dim`: the logarithm of `softmax`, without its underflow.

    The input is brought to `dtype` first, if one is given.

    A row of nothing but -inf stays so and passes no gradient (PyTorch gives NaN).

    Raises DTypeError for integers, AxisError for a dim out of range.
    """
    return LogSoftmaxFunction(dim)(_floating(input, "log_softmax", dtype))


def _floating(x: Any, where: str, dtype: Any = None) -> Tensor:
    found = as_tensor(x) if dtype is None else as_tensor(x).astype(dtype)
    if found.dtype.kind != "f":
        raise DTypeError(f"{where}: the input is {found.dtype}; use x.astype('float32') first")
    return found


class OutOfPlace(Module):
    """An activation without settings, of those that PyTorch can also apply in place.

    `inplace=True` is taken so that PyTorch's models need no change, and the values are the same; but the input
    keeps its own memory here, always.
    """

    def __init__(self, inplace: bool = False) -> None:
        pass


class ReLU(OutOfPlace):
    """max(x, 0): see `functional.relu`."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(ReLUFunction(), x)


class LeakyReLU(Module):
    """x where x > 0, else negative_slope · x: see `functional.leaky_relu`."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self.negative_slope = number("LeakyReLU", "negative_slope", negative_slope)

    def forward(self, x: Any) -> Tensor:
        return self.compute(LeakyReLUFunction(self.negative_slope), x)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """x where x > 0, else alpha (eˣ - 1): see `functional.elu`."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha = number("ELU", "alpha", alpha)

    def forward(self, x: Any) -> Tensor:
        return self.compute(ELUFunction(self.alpha), x)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class CELU(Module):
    """x where x > 0, else alpha (e^(x / alpha) - 1): see `functional.celu`."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        _celu("CELU", alpha)
        self.alpha = alpha

    def forward(self, x: Any) -> Tensor:
        return self.compute(ELUFunction(*_celu("CELU", self.alpha)), x)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class SELU(OutOfPlace):
    """1.0507 x where x > 0, else 1.0507 · 1.6733 (eˣ - 1): see `functional.selu`."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(ELUFunction(SELU_ALPHA, SELU_SCALE), x)


class Tanh(Module):
    """(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(TanhFunction(), x)


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ)."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(SigmoidFunction(), x)


class Softmax(Module):
    """exp(xᵢ) / Σ_j exp(x_j) along the axis `dim`, the last by default: see `functional.softmax`."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Tensor:
        return self.compute(SoftmaxFunction(self.dim), _floating(x, "Softmax"))

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """xᵢ - log Σ_j exp(x_j) along the axis `dim`, the last by default: see `functional.log_softmax`."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Tensor:
        return self.compute(LogSoftmaxFunction(self.dim), _floating(x, "LogSoftmax"))

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
