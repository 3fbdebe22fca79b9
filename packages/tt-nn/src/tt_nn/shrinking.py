"""Activations that let only what is far from 0 through, or squash it: shrinks, Threshold, Softsign."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.blocks import kept, working
from tt_nn.module import Module
from tt_tensor import Function, Tensor
from tt_tensor.arguments import number
from tt_tensor.errors import ArgumentError
from tt_tensor.ops.plain import raw

__all__ = [
    "Hardshrink",
    "HardshrinkFunction",
    "Softshrink",
    "SoftshrinkFunction",
    "Softsign",
    "SoftsignFunction",
    "Tanhshrink",
    "TanhshrinkFunction",
    "Threshold",
    "ThresholdFunction",
    "hardshrink",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
]


class SoftsignFunction(Function):
    """x / (1 + |x|): dx = grad / (1 + |x|)²; ±1 at ±inf."""

    def forward(self, x: Any) -> Any:
        wide = working(x, "softsign")
        self.below = 1 + np.abs(wide)
        with np.errstate(invalid="ignore"):
            y = wide / self.below
        far = np.isinf(wide)
        if far.any():
            y = np.where(far, np.sign(wide), y)
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        return grad / self.below / self.below

    @staticmethod
    def composite(x: Any) -> Tensor:
        """The same by a choice, for higher orders."""
        far = np.isinf(raw(x))
        near = np.where(far, 0, x)
        return np.where(far, np.sign(raw(x)), near / (1 + np.abs(near)))  # type: ignore[return-value]


class TanhshrinkFunction(Function):
    """x - tanh x: dx = grad tanh² x."""

    def forward(self, x: Any) -> Any:
        wide = working(x, "tanhshrink")
        self.tanh = np.tanh(wide)
        y = wide - self.tanh
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        return grad * self.tanh * self.tanh

    @staticmethod
    def composite(x: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        return x - np.tanh(x)  # type: ignore[no-any-return]


class HardshrinkFunction(Function):
    """x where |x| > λ, else 0: dx = grad there, else 0; where x is NaN the gradient must not look healthy."""

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = lambd

    def forward(self, x: Any) -> Any:
        wide = working(x, "hardshrink")
        self.outside = ~(np.abs(wide) <= self.lambd)
        y = kept(self.outside, wide)
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        return kept(self.outside, grad)

    def composite(self, x: Any) -> Tensor:
        """The same by a choice, for higher orders."""
        return np.where(np.abs(raw(x)) <= self.lambd, 0, x)  # type: ignore[return-value]


class SoftshrinkFunction(Function):
    """x nearer to 0 by λ, and 0 where |x| ≤ λ: dx = grad where |x| > λ, else 0."""

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = lambd

    def forward(self, x: Any) -> Any:
        wide = working(x, "softshrink")
        self.outside = ~(np.abs(wide) <= self.lambd)
        y = wide - np.clip(wide, -self.lambd, self.lambd)
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        return kept(self.outside, grad)

    def composite(self, x: Any) -> Tensor:
        """The same by a choice, for higher orders."""
        off = np.clip(raw(x), -self.lambd, self.lambd)
        return np.where(np.abs(raw(x)) <= self.lambd, 0, x - off)  # type: ignore[return-value]


class ThresholdFunction(Function):
    """x where x > threshold, else `value`: dx = grad there, else 0; what is NaN stays, with its gradient."""

    def __init__(self, threshold: float, value: float) -> None:
        self.threshold, self.value = threshold, value

    def forward(self, x: Any) -> Any:
        wide = working(x, "threshold")
        self.above = ~(wide <= self.threshold)
        y = np.where(self.above, wide, wide.dtype.type(self.value))
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        return kept(self.above, grad)

    def composite(self, x: Any) -> Tensor:
        """The same by a choice, for higher orders."""
        return np.where(raw(x) <= self.threshold, self.value, x)  # type: ignore[return-value]


def softsign(input: Any) -> Tensor:
    """x / (1 + |x|), element by element: a tanh that comes to ±1 more slowly.

    Raises DTypeError for integers. Source: Bergstra et al., 2009; Turian, Bergstra & Bengio, 2009.
    """
    return SoftsignFunction()(input)


def tanhshrink(input: Any) -> Tensor:
    """x - tanh x, element by element. Raises DTypeError for integers."""
    return TanhshrinkFunction()(input)


def hardshrink(input: Any, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, else 0.

    Raises DTypeError for integers, ArgumentError for a lambd that is no number. Source: Donoho & Johnstone, "Ideal
    spatial adaptation by wavelet shrinkage", 1994.
    """
    return HardshrinkFunction(number("hardshrink", "lambd", lambd))(input)


def softshrink(input: Any, lambd: float = 0.5) -> Tensor:
    """x - lambd where x > lambd, x + lambd where x < -lambd, else 0.

    Raises DTypeError for integers, ArgumentError for a lambd that is no number from 0 up. Source: as `hardshrink`.
    """
    return SoftshrinkFunction(_lambd("softshrink", lambd))(input)


def _lambd(where: str, lambd: Any) -> float:
    if not number(where, "lambd", lambd) >= 0:
        raise ArgumentError(f"{where}: lambd must be at least 0, not {lambd!r}")
    return number(where, "lambd", lambd)


def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else `value`; `inplace` changes nothing.

    Raises DTypeError for integers, ArgumentError for what is no number.
    """
    return ThresholdFunction(*_threshold("threshold", threshold, value))(input)


def _threshold(where: str, least: Any, value: Any) -> tuple[float, float]:
    return number(where, "threshold", least), number(where, "value", value)


class Softsign(Module):
    """x / (1 + |x|)."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(SoftsignFunction(), x)


class Tanhshrink(Module):
    """x - tanh x."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(TanhshrinkFunction(), x)


class Hardshrink(Module):
    """x where |x| > lambd, else 0."""

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = number("Hardshrink", "lambd", lambd)

    def forward(self, x: Any) -> Tensor:
        return self.compute(HardshrinkFunction(self.lambd), x)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Softshrink(Module):
    """x nearer to 0 by lambd, and 0 where |x| ≤ lambd."""

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = _lambd("Softshrink", lambd)

    def forward(self, x: Any) -> Tensor:
        return self.compute(SoftshrinkFunction(self.lambd), x)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Threshold(Module):
    """x where x > threshold, else `value`."""

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        self.threshold, self.value = _threshold("Threshold", threshold, value)

    def forward(self, x: Any) -> Tensor:
        return self.compute(ThresholdFunction(self.threshold, self.value), x)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}"
