"""Functions of one number, applied to each element: exp, log, tanh …, and their rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.function import Function
from tt_tensor.kernels.elementwise import unary

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["Exp", "PointwiseMethods", "Tanh", "exp", "tanh"]


class Exp(Function):
    """y = eˣ: dx = grad · y."""

    def forward(self, x: Any) -> Any:
        self.y = unary(np.exp, x)
        return self.y

    def backward(self, grad: Any) -> Any:
        return grad * self.y


class Tanh(Function):
    """y = tanh x: dx = grad · (1 - y²)."""

    def forward(self, x: Any) -> Any:
        self.y = unary(np.tanh, x)
        return self.y

    def backward(self, grad: Any) -> Any:
        return grad * (1 - self.y * self.y)


def exp(x: Any) -> Tensor:
    """eˣ, element by element."""
    return Exp()(x)


def tanh(x: Any) -> Tensor:
    """(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ), element by element."""
    return Tanh()(x)


class PointwiseMethods:
    """The pointwise functions as methods of a Tensor."""

    exp = exp
    tanh = tanh
