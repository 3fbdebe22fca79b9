"""How far the elements lie from their mean: var, std, and their rules."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.errors import ArgumentError
from tt_tensor.function import Function
from tt_tensor.kernels.reductions import reduce
from tt_tensor.ops.over_axes import Axes, OverAxes, wide
from tt_tensor.ops.plain import raw
from tt_tensor.ops.reductions import average

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["StatisticsMethods", "Std", "Var", "std", "var"]


class _Deviation(OverAxes, Function):
    """What var and std share: the deviations d = x - mean, and by what their squares are divided."""

    def __init__(self, axis: Axes = None, ddof: float = 0, keepdims: bool = False) -> None:
        super().__init__(axis, keepdims)
        self.ddof = ddof

    def variance(self, x: Any) -> Any:
        """Σ d² / (n - ddof), in float32 at least."""
        self.look_at(x)
        x = wide(x)
        count = self.count()
        self.divisor = count - self.ddof
        self.d = x - average(x, self.axes, True, None, count)
        total = reduce(np.add, self.d * self.d, self.axes, self.keepdims)
        if self.divisor > 0:
            return total / self.divisor
        # Too few elements: 0 / 0 = NaN, and ∞ for what has a spread; silently, as in PyTorch.
        with np.errstate(divide="ignore", invalid="ignore"):
            return total / 0.0


class Var(_Deviation):
    """y = Σ d² / (n - ddof), d = x - mean: dx = grad · 2 d / (n - ddof)."""

    def forward(self, x: Any) -> Any:
        y = self.variance(x)
        return y.astype(np.float16) if x.dtype == np.float16 else y

    def backward(self, grad: Any) -> Any:
        factor = 2.0 / self.divisor if self.divisor > 0 else math.nan
        return self.d * (self.aligned(grad) * factor)


class Std(_Deviation):
    """y = √(Σ d² / (n - ddof)): dx = grad · d / ((n - ddof) y), and 0 where y is 0."""

    def forward(self, x: Any) -> Any:
        self.y = np.sqrt(self.variance(x))
        return self.y.astype(np.float16) if x.dtype == np.float16 else self.y

    def backward(self, grad: Any) -> Any:
        flat = raw(self.y) == 0
        y = np.where(flat, 1.0, self.y) if flat.any() else self.y
        slope = self.d * self.aligned(grad / (y * (self.divisor if self.divisor > 0 else math.nan)))
        return np.where(self.aligned(flat), 0.0, slope) if flat.any() else slope


def _degrees(what: str, ddof: float | None, correction: float | None) -> float:
    if ddof is not None and correction is not None:
        raise ArgumentError(f"{what}: ddof and correction are two names of one number; give one of them")
    chosen = correction if ddof is None else ddof
    if chosen is None:
        return 0
    if isinstance(chosen, bool) or not isinstance(chosen, int | float | np.integer | np.floating):
        raise ArgumentError(f"{what}: ddof is a number, 0 or 1 as a rule, not {chosen!r}")
    return chosen if isinstance(chosen, int | float) else chosen.item()


def var(
    x: Any,
    axis: Axes = None,
    ddof: float | None = None,
    keepdims: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Σ (x - mean)² / (n - ddof) over `axis` (all axes by default), n elements becoming one.

    ddof=0 unless you say otherwise, as in NumPy: the variance of these very elements. PyTorch's default is 1,
    the unbiased estimate from a sample (Bessel's correction). `correction` is the array API's name for ddof.

    Two passes, so a large mean costs no digits. Floats keep their dtype, bool and integers give float64.
    NaN where n ≤ ddof and nothing varies, without a warning.

    Raises AxisError for an axis out of range or named twice, DTypeError for an axis that is no integer,
    ArgumentError for a ddof that is no number.
    """
    return Var(axis, _degrees("var", ddof, correction), keepdims)(x)


def std(
    x: Any,
    axis: Axes = None,
    ddof: float | None = None,
    keepdims: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """√var(x) over `axis`, with the arguments and errors of `var` (ddof=0 by default, PyTorch has 1).

    Where all elements are equal it is 0, and so is its gradient there, as in PyTorch.
    """
    return Std(axis, _degrees("std", ddof, correction), keepdims)(x)


class StatisticsMethods:
    """Methods of a Tensor."""

    var = var
    std = std
