"""Arithmetic: + - * / ** // % and their rules. Operands broadcast; `Function.gradients` undoes that."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.errors import ArgumentError
from tt_tensor.function import Function
from tt_tensor.kernels import table
from tt_tensor.kernels.elementwise import binary, unary
from tt_tensor.ops.plain import number_like, raw

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = [
    "Add",
    "ArithmeticMethods",
    "Div",
    "FloorDivide",
    "Mul",
    "Neg",
    "Positive",
    "Pow",
    "Remainder",
    "Sub",
    "add",
    "addcdiv",
    "addcmul",
    "div",
    "divide",
    "floor_divide",
    "lerp",
    "mul",
    "multiply",
    "neg",
    "negative",
    "positive",
    "pow",
    "power",
    "remainder",
    "sub",
    "subtract",
    "true_divide",
]

SCALARS = (int, float, bool)
"""The Python types that NumPy promotes weakly; they come into forward as they are."""


class Add(Function):
    """z = x + y."""

    def forward(self, x: Any, y: Any) -> Any:
        if y.__class__ is float:
            y = number_like(y, x)
        return x + y if table.plain else binary(np.add, x, y)

    def backward(self, grad: Any) -> Any:
        return grad, grad


class Sub(Function):
    """z = x - y."""

    def forward(self, x: Any, y: Any) -> Any:
        if y.__class__ is float:
            y = number_like(y, x)
        return x - y if table.plain else binary(np.subtract, x, y)

    def backward(self, grad: Any) -> Any:
        return grad, -grad


class Mul(Function):
    """z = x · y, element by element: dx = grad · y, dy = grad · x."""

    def forward(self, x: Any, y: Any) -> Any:
        # A number has no gradient, so what it multiplies is not kept, and may be written after.
        if y.__class__ is float:
            y = number_like(y, x)
            self.x, self.y = None, y
        else:
            self.x = None if y.__class__ is int else x
            self.y = None if x.__class__ is float or x.__class__ is int else y
        return x * y if table.plain else binary(np.multiply, x, y)

    def backward(self, grad: Any) -> Any:
        x, y = self.x, self.y
        if self.needs is not None:
            x, y = x if self.needs[1] else None, y if self.needs[0] else None
        return None if y is None else grad * y, None if x is None else grad * x


class Div(Function):
    """z = x / y: dx = grad / y, dy = -grad · x / y²."""

    def forward(self, x: Any, y: Any) -> Any:
        # A number has no gradient, so what it divides is not kept, and may be written after.
        if y.__class__ is float:
            y = number_like(y, x)
            self.x, self.y = None, y
        else:
            self.x, self.y = None if y.__class__ is int else x, y
        return x / y if table.plain else binary(np.true_divide, x, y)

    def backward(self, grad: Any) -> Any:
        dx = grad / self.y
        return dx, -dx * (self.x / self.y) if self.x is not None and self.wants(1) else None


class Neg(Function):
    """z = -x."""

    def forward(self, x: Any) -> Any:
        return unary(np.negative, x)

    def backward(self, grad: Any) -> Any:
        return -grad


class Positive(Function):
    """z = +x, a copy."""

    def forward(self, x: Any) -> Any:
        return unary(np.positive, x)

    def backward(self, grad: Any) -> Any:
        return grad


class Pow(Function):
    """z = xᵖ: dx = grad · p · xᵖ⁻¹, and 0 where p = 0; dp = grad · z · ln x, and 0 where x = 0 <= p."""

    def forward(self, x: Any, p: Any) -> Any:
        self.x, self.p = x, p
        try:
            z = x**p if table.plain else binary(np.power, x, p)
        except ValueError as error:
            if "negative integer power" not in str(error):
                raise
            raise ArgumentError(
                "Pow: integers to a negative integer power are no integers; use astype('float32') first"
            ) from error
        # Only the rule of the exponent needs the result, and a number has no gradient.
        self.z = None if p.__class__ in SCALARS else z
        return z

    def backward(self, grad: Any) -> Any:
        dx = dp = None
        if self.wants(0) and getattr(self.x, "dtype", grad.dtype).kind == "f":
            dx = self._base(grad)
        if self.z is not None and self.wants(1) and self.p.dtype.kind == "f":
            dp = self._exponent(grad)
        return dx, dp

    def _base(self, grad: Any) -> Any:
        x, p = self.x, self.p
        if p.__class__ in SCALARS:
            if p == 0:
                return np.zeros_like(grad)
            if p == 1:
                return grad
            return grad * (2 * x) if p == 2 else grad * (p * x ** (p - 1))
        if x.__class__ in SCALARS:
            return None
        if p.dtype.kind != "f":
            p = raw(p).astype(x.dtype)
        # 0 · x⁻¹ is no number where x⁻¹ is none; there 0 · x⁰ stands for it.
        lone = np.equal(raw(p), 0) & ~(np.abs(raw(x)) >= np.finfo(x.dtype).tiny)
        q = np.where(lone, 0.0, p - 1) if lone.any() else p - 1
        return grad * (p * x**q)

    def _exponent(self, grad: Any) -> Any:
        x, p = self.x, self.p
        base = raw(x)
        zero = np.equal(base, 0)
        if x.__class__ in SCALARS:
            log: Any = math.log(x) if x > 0 else (-1.0 if x == 0 else math.nan)
        else:
            # The logarithm of 0 (which counts only by its sign) and of negative numbers, without warnings.
            positive = base > 0
            log = np.log(x if positive.all() else np.where(positive, x, math.nan))
            if zero.any():
                log = np.where(zero, -1.0, log)
        dp = grad * (self.z * log)
        return np.where(zero & (raw(p) >= 0), 0.0, dp) if zero.any() else dp


class FloorDivide(Function):
    """z = ⌊x / y⌋: constant between its steps, so the gradient is 0."""

    def forward(self, x: Any, y: Any) -> Any:
        return binary(np.floor_divide, x, y)

    def backward(self, grad: Any) -> Any:
        zero = np.zeros_like(grad)
        return zero, zero


class Remainder(Function):
    """z = x - y · ⌊x / y⌋: dx = grad, dy = -grad · ⌊x / y⌋."""

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return binary(np.remainder, x, y)

    def backward(self, grad: Any) -> Any:
        if not self.wants(1) or self.y.__class__ in SCALARS:
            return grad, None
        # Constant between its steps, at every order.
        return grad, -grad * np.floor_divide(raw(self.x), raw(self.y))


def add(x: Any, y: Any, *, alpha: Any = 1) -> Tensor:
    """x + alpha · y, element by element, with broadcasting. (alpha is PyTorch's.)

    Raises ShapeError where the shapes do not broadcast.
    """
    return Add()(x, y) if alpha == 1 else Add()(x, Mul()(y, alpha))


def sub(x: Any, y: Any, *, alpha: Any = 1) -> Tensor:
    """x - alpha · y, element by element, with broadcasting.

    Raises ShapeError where the shapes do not broadcast, DTypeError for two bools (use ^).
    """
    return Sub()(x, y) if alpha == 1 else Sub()(x, Mul()(y, alpha))


def mul(x: Any, y: Any) -> Tensor:
    """x · y, element by element, with broadcasting.

    Raises ShapeError where the shapes do not broadcast.
    """
    return Mul()(x, y)


def addcmul(x: Any, y: Any, z: Any, *, value: Any = 1) -> Tensor:
    """x + value · y · z, element by element, with broadcasting: PyTorch's word, as in a step of Adam."""
    return add(x, mul(y, z), alpha=value)


def addcdiv(x: Any, y: Any, z: Any, *, value: Any = 1) -> Tensor:
    """x + value · y / z, element by element, with broadcasting: PyTorch's word, as in a step of Adam."""
    return add(x, div(y, z), alpha=value)


def lerp(x: Any, end: Any, weight: Any) -> Tensor:
    """x + weight · (end - x), element by element, with broadcasting: the point on the way from x to `end`."""
    return add(x, mul(weight, sub(end, x)))


def div(x: Any, y: Any, *, rounding_mode: str | None = None) -> Tensor:
    """x / y, element by element, with broadcasting; integers give floats, as in NumPy.

    `rounding_mode` (PyTorch's): "floor" rounds down, as `floor_divide`, "trunc" towards zero; integers stay integers.

    Raises ShapeError where the shapes do not broadcast, ArgumentError for another rounding.
    """
    if rounding_mode is None:
        return Div()(x, y)
    if rounding_mode not in ("floor", "trunc"):
        raise ArgumentError(f"div: rounding_mode is None, 'floor' or 'trunc', not {rounding_mode!r}")
    down = floor_divide(x, y)
    if rounding_mode == "floor":
        return down
    # One more where rounding down went away from zero.
    return down + ((down < 0) & (remainder(x, y) != 0))  # type: ignore[no-any-return]


def neg(x: Any) -> Tensor:
    """-x. Raises DTypeError for bool (use ~)."""
    return Neg()(x)


def positive(x: Any) -> Tensor:
    """+x: a copy. Raises DTypeError for bool."""
    return Positive()(x)


def pow(x: Any, exponent: Any) -> Tensor:
    """x ** exponent, element by element, with broadcasting; 0 ** 0 is 1.

    Gradient of x: exponent · x^(exponent - 1), right for negative x with whole exponents, 0 where the exponent
    is 0. Gradient of the exponent: x^exponent · ln x, 0 where x = 0 and the exponent is not negative, NaN where
    x is negative.

    Raises ShapeError where the shapes do not broadcast, ArgumentError for integers to a negative integer power.
    """
    return Pow()(x, exponent)


def floor_divide(x: Any, y: Any) -> Tensor:
    """x // y = ⌊x / y⌋, element by element, with broadcasting: rounded down, as in Python. Its gradient is 0.

    Integers stay integers; an integer divided by 0 gives 0 and NumPy's warning.
    Raises ShapeError where the shapes do not broadcast.
    """
    return FloorDivide()(x, y)


def remainder(x: Any, y: Any) -> Tensor:
    """x % y = x - y · ⌊x / y⌋, element by element, with broadcasting: of the sign of y, as in Python.

    Gradient: 1 to x, -⌊x / y⌋ to y. Raises ShapeError where the shapes do not broadcast.
    """
    return Remainder()(x, y)


subtract = sub
multiply = mul
divide = true_divide = div
negative = neg
power = pow


class ArithmeticMethods:
    """The arithmetic of a Tensor: operators, their reflected and in-place forms, and methods."""

    # `.__call__` spelled out: calling the instance starts a new C frame, a tenth of the whole addition.
    def __add__(self, other: Any) -> Tensor:
        return Add().__call__(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return Add()(other, self)

    def __iadd__(self: Any, other: Any) -> Tensor:
        return Add().in_place(self, other)

    def __sub__(self, other: Any) -> Tensor:
        return Sub().__call__(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return Sub()(other, self)

    def __isub__(self: Any, other: Any) -> Tensor:
        return Sub().in_place(self, other)

    def __mul__(self, other: Any) -> Tensor:
        return Mul().__call__(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return Mul()(other, self)

    def __imul__(self: Any, other: Any) -> Tensor:
        return Mul().in_place(self, other)

    def __truediv__(self, other: Any) -> Tensor:
        return Div()(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return Div()(other, self)

    def __itruediv__(self: Any, other: Any) -> Tensor:
        return Div().in_place(self, other)

    def __pow__(self, other: Any) -> Tensor:
        return Pow()(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return Pow()(other, self)

    def __ipow__(self: Any, other: Any) -> Tensor:
        return Pow().in_place(self, other)

    def __floordiv__(self, other: Any) -> Tensor:
        return FloorDivide()(self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return FloorDivide()(other, self)

    def __ifloordiv__(self: Any, other: Any) -> Tensor:
        return FloorDivide().in_place(self, other)

    def __mod__(self, other: Any) -> Tensor:
        return Remainder()(self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return Remainder()(other, self)

    def __imod__(self: Any, other: Any) -> Tensor:
        return Remainder().in_place(self, other)

    def __divmod__(self, other: Any) -> tuple[Tensor, Tensor]:
        return FloorDivide()(self, other), Remainder()(self, other)

    def __rdivmod__(self, other: Any) -> tuple[Tensor, Tensor]:
        return FloorDivide()(other, self), Remainder()(other, self)

    def __neg__(self) -> Tensor:
        return Neg()(self)

    def __pos__(self) -> Tensor:
        return self  # type: ignore[return-value]

    add = add
    sub = subtract = sub
    mul = multiply = mul
    div = divide = true_divide = div
    addcmul = addcmul
    addcdiv = addcdiv
    lerp = lerp
    neg = negative = neg
    positive = positive
    pow = power = pow
    floor_divide = floor_divide
    remainder = remainder
