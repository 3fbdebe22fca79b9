"""Functions of one number, applied to each element: exp, log, tanh …, and their rules."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.errors import DTypeError
from tt_tensor.function import Function
from tt_tensor.kernels.elementwise import binary, unary
from tt_tensor.ops import special
from tt_tensor.ops.plain import ONE, plain_unary

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = [
    "Abs",
    "Ceil",
    "Cos",
    "Erf",
    "Exp",
    "Expm1",
    "Floor",
    "Log",
    "Log1p",
    "Log2",
    "Log10",
    "PointwiseMethods",
    "Reciprocal",
    "Round",
    "Rsqrt",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sqrt",
    "Square",
    "Tanh",
    "Trunc",
    "abs",
    "absolute",
    "ceil",
    "cos",
    "erf",
    "exp",
    "expm1",
    "floor",
    "isfinite",
    "isinf",
    "isnan",
    "log",
    "log1p",
    "log2",
    "log10",
    "reciprocal",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "square",
    "tanh",
    "trunc",
]

# Python floats: weak, so that float32 stays float32.
LN_2 = math.log(2.0)
LN_10 = math.log(10.0)
TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)


class Abs(Function):
    """y = |x|: dx = grad · sign(x), which is 0 at 0."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.absolute, x)

    def backward(self, grad: Any) -> Any:
        return grad * np.sign(self.x)


class Square(Function):
    """y = x²: dx = grad · 2x."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.square, x)

    def backward(self, grad: Any) -> Any:
        return grad * (self.x + self.x)


class Reciprocal(Function):
    """y = 1 / x: dx = -grad · y²."""

    def forward(self, x: Any) -> Any:
        self.y = unary(np.reciprocal, x)
        return self.y

    def backward(self, grad: Any) -> Any:
        return -grad * (self.y * self.y)


class Sqrt(Function):
    """y = √x: dx = grad / 2y, infinite at 0."""

    def forward(self, x: Any) -> Any:
        self.y = unary(np.sqrt, x)
        return self.y

    def backward(self, grad: Any) -> Any:
        return grad / (self.y + self.y)


class Rsqrt(Function):
    """y = 1 / √x: dx = -grad · y³ / 2."""

    def forward(self, x: Any) -> Any:
        self.y = binary(np.true_divide, 1, unary(np.sqrt, x))
        return self.y

    def backward(self, grad: Any) -> Any:
        return grad * (-0.5 * (self.y * self.y * self.y))


class Exp(Function):
    """y = eˣ: dx = grad · y."""

    def forward(self, x: Any) -> Any:
        self.y = unary(np.exp, x)
        return self.y

    def backward(self, grad: Any) -> Any:
        return grad * self.y


class Expm1(Function):
    """y = eˣ - 1: dx = grad · (y + 1)."""

    def forward(self, x: Any) -> Any:
        self.y = unary(np.expm1, x)
        return self.y

    def backward(self, grad: Any) -> Any:
        return grad * (self.y + 1)


class Log(Function):
    """y = ln x: dx = grad / x."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.log, x)

    def backward(self, grad: Any) -> Any:
        return grad / self.x


class Log2(Function):
    """y = log₂ x: dx = grad / (x ln 2)."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.log2, x)

    def backward(self, grad: Any) -> Any:
        return grad / (self.x * LN_2)


class Log10(Function):
    """y = log₁₀ x: dx = grad / (x ln 10)."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.log10, x)

    def backward(self, grad: Any) -> Any:
        return grad / (self.x * LN_10)


class Log1p(Function):
    """y = ln(1 + x): dx = grad / (1 + x)."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.log1p, x)

    def backward(self, grad: Any) -> Any:
        return grad / (1 + self.x)


class Sin(Function):
    """y = sin x: dx = grad · cos x."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.sin, x)

    def backward(self, grad: Any) -> Any:
        return grad * np.cos(self.x)


class Cos(Function):
    """y = cos x: dx = -grad · sin x."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.cos, x)

    def backward(self, grad: Any) -> Any:
        return -grad * np.sin(self.x)


class Tanh(Function):
    """y = tanh x: dx = grad · (1 - y²)."""

    def forward(self, x: Any) -> Any:
        self.y = unary(np.tanh, x)
        return self.y

    def backward(self, grad: Any) -> Any:
        return grad * (ONE[self.y.dtype.char] - self.y * self.y)


class Sigmoid(Function):
    """y = 1 / (1 + e⁻ˣ): dx = grad · y · (1 - y)."""

    def forward(self, x: Any) -> Any:
        self.y = unary(special.sigmoid, x)
        return self.y

    def backward(self, grad: Any) -> Any:
        return grad * (self.y * (ONE[self.y.dtype.char] - self.y))


class Erf(Function):
    """y = erf x = 2/√π ∫₀ˣ e^(-t²) dt: dx = grad · 2/√π · e^(-x²)."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(special.erf, x)

    def backward(self, grad: Any) -> Any:
        # Beyond ±30 e^(-x²) is 0 in every dtype, while x² could overflow.
        x = np.clip(self.x, -30.0, 30.0)
        return grad * (TWO_OVER_ROOT_PI * np.exp(-(x * x)))


class _Steps(Function):
    """A function that is constant between its steps: the gradient is 0, on them too."""

    def backward(self, grad: Any) -> Any:
        return np.zeros_like(grad)


class Sign(_Steps):
    """y = -1, 0 or 1: dx = 0."""

    def forward(self, x: Any) -> Any:
        return unary(np.sign, x)


class Floor(_Steps):
    """y = ⌊x⌋: dx = 0."""

    def forward(self, x: Any) -> Any:
        return unary(np.floor, x) if x.dtype.kind == "f" else x.copy()


class Ceil(_Steps):
    """y = ⌈x⌉: dx = 0."""

    def forward(self, x: Any) -> Any:
        return unary(np.ceil, x) if x.dtype.kind == "f" else x.copy()


class Trunc(_Steps):
    """y = x without its fraction: dx = 0."""

    def forward(self, x: Any) -> Any:
        return unary(np.trunc, x) if x.dtype.kind == "f" else x.copy()


class Round(_Steps):
    """y = x to the nearest multiple of 10^-decimals, halves to the even one: dx = 0."""

    def __init__(self, decimals: int = 0) -> None:
        if not isinstance(decimals, int | np.integer) or isinstance(decimals, bool):
            raise DTypeError(f"round: decimals is an integer, not {decimals!r}")
        self.decimals = int(decimals)

    def forward(self, x: Any) -> Any:
        if self.decimals == 0:
            return unary(np.rint, x) if x.dtype.kind == "f" else x.copy()
        return np.round(x, self.decimals)


def abs(x: Any) -> Tensor:
    """|x|, element by element. Gradient: sign(x), 0 at 0."""
    return Abs()(x)


def sign(x: Any) -> Tensor:
    """-1, 0 or 1, element by element; NaN for NaN. Its gradient is 0. Raises DTypeError for bool."""
    return Sign()(x)


def square(x: Any) -> Tensor:
    """x², element by element."""
    return Square()(x)


def reciprocal(x: Any) -> Tensor:
    """1 / x, element by element; of an integer an integer, as in NumPy (use 1 / x for floats)."""
    return Reciprocal()(x)


def sqrt(x: Any) -> Tensor:
    """√x, element by element; NaN and NumPy's warning below 0. Gradient: 1 / (2 √x), infinite at 0."""
    return Sqrt()(x)


def rsqrt(x: Any) -> Tensor:
    """1 / √x, element by element."""
    return Rsqrt()(x)


def exp(x: Any) -> Tensor:
    """eˣ, element by element."""
    return Exp()(x)


def expm1(x: Any) -> Tensor:
    """eˣ - 1, element by element, exact also for small x."""
    return Expm1()(x)


def log(x: Any) -> Tensor:
    """The natural logarithm, element by element; -inf at 0 and NaN below, with NumPy's warnings."""
    return Log()(x)


def log2(x: Any) -> Tensor:
    """The logarithm to the base 2, element by element."""
    return Log2()(x)


def log10(x: Any) -> Tensor:
    """The logarithm to the base 10, element by element."""
    return Log10()(x)


def log1p(x: Any) -> Tensor:
    """ln(1 + x), element by element, exact also for small x."""
    return Log1p()(x)


def sin(x: Any) -> Tensor:
    """The sine of x in radians, element by element."""
    return Sin()(x)


def cos(x: Any) -> Tensor:
    """The cosine of x in radians, element by element."""
    return Cos()(x)


def tanh(x: Any) -> Tensor:
    """(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ), element by element."""
    return Tanh()(x)


def sigmoid(x: Any) -> Tensor:
    """1 / (1 + e⁻ˣ), element by element; accurate in all digits for very negative x, and never a warning."""
    return Sigmoid()(x)


def erf(x: Any) -> Tensor:
    """The error function 2/√π ∫₀ˣ e^(-t²) dt, element by element; how it is computed stands in `special.erf`."""
    return Erf()(x)


def floor(x: Any) -> Tensor:
    """⌊x⌋, the greatest integer not above x, in x's dtype. Its gradient is 0."""
    return Floor()(x)


def ceil(x: Any) -> Tensor:
    """⌈x⌉, the least integer not below x, in x's dtype. Its gradient is 0."""
    return Ceil()(x)


def trunc(x: Any) -> Tensor:
    """x without its fraction, in x's dtype. Its gradient is 0."""
    return Trunc()(x)


def round(x: Any, decimals: int = 0) -> Tensor:
    """x to the nearest multiple of 10^-decimals, halves to the even one, in x's dtype. Its gradient is 0.

    Raises DTypeError if `decimals` is no integer.
    """
    return Round(decimals)(x)


def isnan(x: Any) -> Tensor:
    """True where x is NaN, a bool tensor. No gradient."""
    return plain_unary(np.isnan, x)


def isinf(x: Any) -> Tensor:
    """True where x is inf or -inf, a bool tensor. No gradient."""
    return plain_unary(np.isinf, x)


def isfinite(x: Any) -> Tensor:
    """True where x is neither infinite nor NaN, a bool tensor. No gradient."""
    return plain_unary(np.isfinite, x)


absolute = abs


class PointwiseMethods:
    """The pointwise functions as methods of a Tensor."""

    def __abs__(self) -> Tensor:
        return Abs()(self)

    abs = absolute = abs
    sign = sign
    square = square
    reciprocal = reciprocal
    sqrt = sqrt
    rsqrt = rsqrt
    exp = exp
    expm1 = expm1
    log = log
    log2 = log2
    log10 = log10
    log1p = log1p
    sin = sin
    cos = cos
    tanh = tanh
    sigmoid = sigmoid
    erf = erf
    floor = floor
    ceil = ceil
    trunc = trunc
    round = round
    isnan = isnan
    isinf = isinf
    isfinite = isfinite
