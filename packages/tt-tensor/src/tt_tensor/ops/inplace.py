"""PyTorch's in-place methods, add_ to copy_: the operation of the same name, written into the tensor's memory.

Each goes through `Function.in_place`, so that every write is counted and a recorder sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.arguments import positive as above_zero
from tt_tensor.errors import ShapeError
from tt_tensor.function import Function
from tt_tensor.ops.arithmetic import (
    SCALARS,
    Add,
    Div,
    FloorDivide,
    Mul,
    Neg,
    Pow,
    Remainder,
    Sub,
    div,
    mul,
    sub,
)
from tt_tensor.ops.compare import Clip, clip_bounds
from tt_tensor.ops.gathering import MaskedFill
from tt_tensor.ops.indexing import SetItem
from tt_tensor.ops.pointwise import (
    Abs,
    Ceil,
    Cos,
    Erf,
    Exp,
    Expm1,
    Floor,
    Log,
    Log1p,
    Log2,
    Log10,
    Reciprocal,
    Round,
    Rsqrt,
    Sigmoid,
    Sign,
    Sin,
    Sqrt,
    Square,
    Tanh,
    Trunc,
    log1p,
)

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["InPlaceMethods", "Overwrite"]


class Overwrite(Function):
    """z = value, repeated to x's shape: what x was gets no gradient, the value gets all of it."""

    def forward(self, x: Any, value: Any) -> Any:
        if value.__class__ in SCALARS:
            # 1 is True and 2.0 is 2; what would lose something (1.5 in integers) keeps its kind, and is refused.
            same = x.dtype.kind != "f" and -(2**53) <= value <= 2**53 and x.dtype.type(value) == value
            value = np.asarray(value, x.dtype if same else np.result_type(x.dtype, value))
        return np.broadcast_to(value, x.shape)

    def backward(self, grad: Any) -> Any:
        return np.zeros_like(grad), grad


def _written(function: type[Function], formula: str) -> Callable[[Any], Tensor]:
    """The method that applies `function` in place."""

    def method(self: Any) -> Tensor:
        return function().in_place(self)

    method.__doc__ = formula
    return method


class InPlaceMethods:
    """The in-place methods of a Tensor. Each returns the tensor itself.

    All raise ShapeError where the result does not fit into the tensor, DTypeError where it would lose its kind
    (a float in an integer tensor), and InPlaceError for memory that must not be written.
    """

    def add_(self: Any, other: Any, *, alpha: Any = 1) -> Tensor:
        """x += alpha · other."""
        return Add().in_place(self, other if alpha == 1 else Mul()(other, alpha))

    def sub_(self: Any, other: Any, *, alpha: Any = 1) -> Tensor:
        """x -= alpha · other."""
        return Sub().in_place(self, other if alpha == 1 else Mul()(other, alpha))

    def mul_(self: Any, other: Any) -> Tensor:
        """x *= other."""
        return Mul().in_place(self, other)

    def div_(self: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        """x /= other, rounded as `div` does."""
        if rounding_mode is None:
            return Div().in_place(self, other)
        return self.copy_(div(self, other, rounding_mode=rounding_mode))  # type: ignore[no-any-return]

    def addcmul_(self: Any, y: Any, z: Any, *, value: Any = 1) -> Tensor:
        """x += value · y · z."""
        return self.add_(mul(y, z), alpha=value)  # type: ignore[no-any-return]

    def addcdiv_(self: Any, y: Any, z: Any, *, value: Any = 1) -> Tensor:
        """x += value · y / z."""
        return self.add_(div(y, z), alpha=value)  # type: ignore[no-any-return]

    def lerp_(self: Any, end: Any, weight: Any) -> Tensor:
        """x += weight · (end - x): a moving average of what `end` was."""
        return Add().in_place(self, mul(weight, sub(end, self)))

    def pow_(self: Any, exponent: Any) -> Tensor:
        """x **= exponent."""
        return Pow().in_place(self, exponent)

    def floor_divide_(self: Any, other: Any) -> Tensor:
        """x //= other."""
        return FloorDivide().in_place(self, other)

    def remainder_(self: Any, other: Any) -> Tensor:
        """x %= other."""
        return Remainder().in_place(self, other)

    def clip_(self: Any, min: Any = None, max: Any = None) -> Tensor:
        """x = min(max(x, low), high). Raises ArgumentError if both bounds are None."""
        return Clip().in_place(self, *clip_bounds(min, max))

    def clamp_min_(self: Any, min: Any) -> Tensor:
        """x = max(x, min)."""
        return self.clip_(min)  # type: ignore[no-any-return]

    def clamp_max_(self: Any, max: Any) -> Tensor:
        """x = min(x, max)."""
        return self.clip_(max=max)  # type: ignore[no-any-return]

    def relu_(self: Any) -> Tensor:
        """x = max(x, 0)."""
        return MaskedFill(self.array <= 0).in_place(self, 0)

    def fill_diagonal_(self: Any, value: Any) -> Tensor:
        """x[i, i, …] = value. Raises ShapeError for fewer than two axes, or more of different sizes."""
        if self.ndim < 2 or (self.ndim > 2 and len(set(self.shape)) > 1):
            raise ShapeError(
                f"fill_diagonal_: shape {self.shape} is no matrix and no cube, so it has no diagonal"
            )
        return SetItem((np.arange(min(self.shape)),) * self.ndim).in_place(self, value)

    def copy_(self: Any, values: Any) -> Tensor:
        """x = values, broadcast to x's shape."""
        return Overwrite().in_place(self, values)

    def fill_(self: Any, value: Any) -> Tensor:
        """x = value, a number or of shape ()."""
        return Overwrite().in_place(self, value)

    def zero_(self: Any) -> Tensor:
        """x = 0."""
        # False is 0 in every dtype.
        return Overwrite().in_place(self, False)

    def uniform_(self: Any, low: float = 0.0, high: float = 1.0, *, generator: Any = None) -> Tensor:
        """x drawn evenly from [low, high), by `uniform`."""
        from tt_tensor.random import uniform

        return self.copy_(uniform(low, high, self.shape, dtype=self.dtype, generator=generator))  # type: ignore[no-any-return]

    def normal_(self: Any, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
        """x drawn from the normal distribution N(mean, std²), by `normal`."""
        from tt_tensor.random import normal

        return self.copy_(normal(mean, std, self.shape, dtype=self.dtype, generator=generator))  # type: ignore[no-any-return]

    def bernoulli_(self: Any, p: Any = 0.5, *, generator: Any = None) -> Tensor:
        """x = 1 with probability p, else 0, by `bernoulli`."""
        from tt_tensor.random import bernoulli

        return self.copy_(bernoulli(p, self.shape, dtype=self.dtype, generator=generator))  # type: ignore[no-any-return]

    def exponential_(self: Any, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
        """x drawn from the exponential distribution of density λ e^(-λ x): -ln(1 - u) / λ, u even in [0, 1).

        Raises ArgumentError for a λ that is not above 0.
        """
        from tt_tensor.random import rand

        rate = above_zero("exponential_", "lambd", lambd)
        return self.copy_(-log1p(-rand(self.shape, dtype=self.dtype, generator=generator)) / rate)  # type: ignore[no-any-return]

    clamp_ = clip_
    neg_ = _written(Neg, "x = -x.")
    abs_ = _written(Abs, "x = |x|.")
    sign_ = _written(Sign, "x = -1, 0 or 1.")
    square_ = _written(Square, "x = x².")
    reciprocal_ = _written(Reciprocal, "x = 1 / x.")
    sqrt_ = _written(Sqrt, "x = √x.")
    rsqrt_ = _written(Rsqrt, "x = 1 / √x.")
    exp_ = _written(Exp, "x = eˣ.")
    expm1_ = _written(Expm1, "x = eˣ - 1.")
    log_ = _written(Log, "x = ln x.")
    log2_ = _written(Log2, "x = log₂ x.")
    log10_ = _written(Log10, "x = log₁₀ x.")
    log1p_ = _written(Log1p, "x = ln(1 + x).")
    sin_ = _written(Sin, "x = sin x.")
    cos_ = _written(Cos, "x = cos x.")
    tanh_ = _written(Tanh, "x = tanh x.")
    sigmoid_ = _written(Sigmoid, "x = 1 / (1 + e⁻ˣ).")
    erf_ = _written(Erf, "x = erf x.")
    floor_ = _written(Floor, "x = ⌊x⌋.")
    ceil_ = _written(Ceil, "x = ⌈x⌉.")
    round_ = _written(Round, "x to the nearest integer, halves to the even one.")
    trunc_ = _written(Trunc, "x without its fraction.")
