"""Arithmetic: + - * / ** and their rules. Operands broadcast; `Function.gradients` undoes that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.function import Function
from tt_tensor.kernels import table
from tt_tensor.kernels.elementwise import binary, unary

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["Add", "ArithmeticMethods", "Div", "Mul", "Neg", "Sub", "add", "div", "mul", "neg", "sub"]


class Add(Function):
    """z = x + y."""

    def forward(self, x: Any, y: Any) -> Any:
        return x + y if table.plain else binary(np.add, x, y)

    def backward(self, grad: Any) -> Any:
        return grad, grad


class Sub(Function):
    """z = x - y."""

    def forward(self, x: Any, y: Any) -> Any:
        return x - y if table.plain else binary(np.subtract, x, y)

    def backward(self, grad: Any) -> Any:
        return grad, -grad


class Mul(Function):
    """z = x · y, element by element: dx = grad · y, dy = grad · x."""

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return x * y if table.plain else binary(np.multiply, x, y)

    def backward(self, grad: Any) -> Any:
        return (grad * self.y if self.wants(0) else None, grad * self.x if self.wants(1) else None)


class Div(Function):
    """z = x / y: dx = grad / y, dy = -grad · x / y²."""

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return x / y if table.plain else binary(np.true_divide, x, y)

    def backward(self, grad: Any) -> Any:
        dx = grad / self.y
        return dx, -dx * (self.x / self.y) if self.wants(1) else None


class Neg(Function):
    """z = -x."""

    def forward(self, x: Any) -> Any:
        return unary(np.negative, x)

    def backward(self, grad: Any) -> Any:
        return -grad


def add(x: Any, y: Any) -> Tensor:
    """x + y, element by element, with broadcasting.

    Raises ShapeError where the shapes do not broadcast.
    """
    return Add()(x, y)


def sub(x: Any, y: Any) -> Tensor:
    """x - y, element by element, with broadcasting."""
    return Sub()(x, y)


def mul(x: Any, y: Any) -> Tensor:
    """x · y, element by element, with broadcasting."""
    return Mul()(x, y)


def div(x: Any, y: Any) -> Tensor:
    """x / y, element by element, with broadcasting; integers give floats, as in NumPy."""
    return Div()(x, y)


def neg(x: Any) -> Tensor:
    """-x."""
    return Neg()(x)


class ArithmeticMethods:
    """The arithmetic of a Tensor: operators, their reflected and in-place forms, and methods."""

    def __add__(self, other: Any) -> Tensor:
        return Add()(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return Add()(other, self)

    def __iadd__(self, other: Any) -> Tensor:
        return Add().in_place(self, other)

    def __sub__(self, other: Any) -> Tensor:
        return Sub()(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return Sub()(other, self)

    def __isub__(self, other: Any) -> Tensor:
        return Sub().in_place(self, other)

    def __mul__(self, other: Any) -> Tensor:
        return Mul()(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return Mul()(other, self)

    def __imul__(self, other: Any) -> Tensor:
        return Mul().in_place(self, other)

    def __truediv__(self, other: Any) -> Tensor:
        return Div()(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return Div()(other, self)

    def __itruediv__(self, other: Any) -> Tensor:
        return Div().in_place(self, other)

    def __neg__(self) -> Tensor:
        return Neg()(self)

    def __pos__(self) -> Tensor:
        return self  # type: ignore[return-value]

    add = add
    sub = subtract = sub
    mul = multiply = mul
    div = divide = div
    neg = negative = neg
