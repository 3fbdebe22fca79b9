"""Trigonometry beyond sin and cos: tan, the hyperbolic functions, and the inverses of all, with their rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.function import Function
from tt_tensor.kernels.elementwise import binary, unary
from tt_tensor.ops.plain import raw

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = [
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atan2",
    "Atanh",
    "Cosh",
    "Sinh",
    "Tan",
    "TrigonometryMethods",
    "acos",
    "acosh",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cosh",
    "sinh",
    "tan",
]


class Tan(Function):
    """y = tan x: dx = grad · (1 + y²)."""

    def forward(self, x: Any) -> Any:
        self.y = unary(np.tan, x)
        return self.y

    def backward(self, grad: Any) -> Any:
        return grad * (1 + self.y * self.y)


class Asin(Function):
    """y = arcsin x: dx = grad / √(1 - x²), infinite at ±1."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.arcsin, x)

    def backward(self, grad: Any) -> Any:
        return grad / np.sqrt(1 - self.x * self.x)


class Acos(Function):
    """y = arccos x: dx = -grad / √(1 - x²), infinite at ±1."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.arccos, x)

    def backward(self, grad: Any) -> Any:
        return -grad / np.sqrt(1 - self.x * self.x)


class Atan(Function):
    """y = arctan x: dx = grad / (1 + x²)."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.arctan, x)

    def backward(self, grad: Any) -> Any:
        return grad / (1 + self.x * self.x)


class Atan2(Function):
    """z = the angle of the point (x, y): dy = grad · x / (x² + y²), dx = -grad · y / (x² + y²), and 0 at the origin."""

    def forward(self, y: Any, x: Any) -> Any:
        self.y, self.x = y, x
        return binary(np.arctan2, y, x)

    def backward(self, grad: Any) -> Any:
        square = self.x * self.x + self.y * self.y
        origin = raw(square) == 0  # which has no angle; 0, as in PyTorch
        share = grad / (np.where(origin, 1.0, square) if origin.any() else square)
        return share * self.x, -share * self.y


class Sinh(Function):
    """y = sinh x: dx = grad · cosh x."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.sinh, x)

    def backward(self, grad: Any) -> Any:
        return grad * np.cosh(self.x)


class Cosh(Function):
    """y = cosh x: dx = grad · sinh x."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.cosh, x)

    def backward(self, grad: Any) -> Any:
        return grad * np.sinh(self.x)


class Asinh(Function):
    """y = arsinh x: dx = grad / √(x² + 1)."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.arcsinh, x)

    def backward(self, grad: Any) -> Any:
        return grad / np.sqrt(self.x * self.x + 1)


class Acosh(Function):
    """y = arcosh x: dx = grad / √(x² - 1), infinite at 1."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.arccosh, x)

    def backward(self, grad: Any) -> Any:
        return grad / np.sqrt(self.x * self.x - 1)


class Atanh(Function):
    """y = artanh x: dx = grad / (1 - x²), infinite at ±1."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return unary(np.arctanh, x)

    def backward(self, grad: Any) -> Any:
        return grad / (1 - self.x * self.x)


def tan(x: Any) -> Tensor:
    """The tangent of x in radians, element by element."""
    return Tan()(x)


def asin(x: Any) -> Tensor:
    """The angle from -π/2 to π/2 whose sine is x; NaN and NumPy's warning beyond ±1."""
    return Asin()(x)


def acos(x: Any) -> Tensor:
    """The angle from 0 to π whose cosine is x; NaN and NumPy's warning beyond ±1."""
    return Acos()(x)


def atan(x: Any) -> Tensor:
    """The angle from -π/2 to π/2 whose tangent is x."""
    return Atan()(x)


def atan2(y: Any, x: Any) -> Tensor:
    """The angle from -π to π of the point (x, y), element by element, with broadcasting.

    Raises ShapeError where the shapes do not broadcast.
    """
    return Atan2()(y, x)


def sinh(x: Any) -> Tensor:
    """(eˣ - e⁻ˣ) / 2, element by element."""
    return Sinh()(x)


def cosh(x: Any) -> Tensor:
    """(eˣ + e⁻ˣ) / 2, element by element."""
    return Cosh()(x)


def asinh(x: Any) -> Tensor:
    """The inverse of sinh: ln(x + √(x² + 1))."""
    return Asinh()(x)


def acosh(x: Any) -> Tensor:
    """The inverse of cosh from 1 up: ln(x + √(x² - 1)); NaN and NumPy's warning below."""
    return Acosh()(x)


def atanh(x: Any) -> Tensor:
    """The inverse of tanh: ln((1 + x) / (1 - x)) / 2; infinite at ±1, NaN beyond, with NumPy's warnings."""
    return Atanh()(x)


arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
arcsinh, arccosh, arctanh = asinh, acosh, atanh


class TrigonometryMethods:
    """Methods of a Tensor."""

    tan = tan
    asin = arcsin = asin
    acos = arccos = acos
    atan = arctan = atan
    atan2 = arctan2 = atan2
    sinh = sinh
    cosh = cosh
    asinh = arcsinh = asinh
    acosh = arccosh = acosh
    atanh = arctanh = atanh
