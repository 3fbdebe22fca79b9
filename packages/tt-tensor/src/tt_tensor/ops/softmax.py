"""Softmax and its logarithms: stable for any logits, with a rule for rows that are masked out.

A logit of -inf is masked: it gets probability 0. For a row of nothing but -inf there is no distribution; here
softmax gives zeros, log_softmax and logsumexp give -inf, and no gradient flows through it. (PyTorch gives NaN,
which then spreads.) A logit of NaN or +inf is no mask but a mistake upstream: softmax of that row is NaN, so
that it shows. None of this warns.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.function import Function
from tt_tensor.kernels import softmax as kernels
from tt_tensor.kernels import table
from tt_tensor.kernels.elementwise import binary, unary
from tt_tensor.kernels.reductions import reduce
from tt_tensor.ops import special
from tt_tensor.ops.over_axes import Axes, OverAxes, one_axis, wide
from tt_tensor.ops.plain import raw

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = [
    "LogAddExp",
    "LogSoftmax",
    "LogSumExp",
    "Softmax",
    "SoftmaxMethods",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "softmax",
]


class Softmax(Function):
    """yᵢ = exp(xᵢ) / Σ_j exp(x_j) along `axis`: dxᵢ = yᵢ (gradᵢ - Σ_j grad_j y_j)."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        self.along = one_axis(self.axis, x.ndim, "softmax")
        if x.__class__ is np.ndarray:
            self.y = table.kernel("softmax")(x if x.dtype.kind == "f" else wide(x), self.along)
        else:
            self.y = Softmax(self.axis)(x)
        return self.y

    def backward(self, grad: Any) -> Any:
        y = self.y
        if grad.__class__ is np.ndarray and y.__class__ is np.ndarray and grad.shape == y.shape:
            return table.kernel("softmax_backward")(grad, y, self.along)
        weighted = grad * y
        return weighted - y * reduce(np.add, weighted, (self.along,), True)


class LogSoftmax(Function):
    """yᵢ = xᵢ - log Σ_j exp(x_j) along `axis`: dxᵢ = gradᵢ - exp(yᵢ) Σ_j grad_j, and 0 in a masked row."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        self.along = one_axis(self.axis, x.ndim, "log_softmax")
        if x.__class__ is np.ndarray:
            self.y = table.kernel("log_softmax")(x if x.dtype.kind == "f" else wide(x), self.along)
        else:
            self.y = LogSoftmax(self.axis)(x)
        return self.y

    def backward(self, grad: Any) -> Any:
        y = self.y
        if grad.__class__ is np.ndarray and y.__class__ is np.ndarray and grad.shape == y.shape:
            return table.kernel("log_softmax_backward")(grad, y, self.along)
        dx = grad - unary(np.exp, y) * reduce(np.add, grad, (self.along,), True)
        masked = top_of(raw(y), (self.along,)) == -math.inf
        return np.where(masked, 0.0, dx) if masked.any() else dx


class LogSumExp(OverAxes, Function):
    """y = log Σ exp(x) over `axis`: dxᵢ = grad · exp(xᵢ - m) / Σ_j exp(x_j - m), m = max x.

    Written with m rather than y: at 1e4 a float32 y has lost the digits that the ratio needs.
    """

    def forward(self, x: Any) -> Any:
        self.look_at(x)
        self.x = x
        self.top = top_of(raw(x), self.axes)
        if x.__class__ is not np.ndarray:
            return LogSumExp(self.axis, self.keepdims)(x)
        with np.errstate(over="ignore", divide="ignore"):
            lowest = kernels.LOWEST[self.top.dtype.char]
            shift = np.minimum(np.maximum(self.top, lowest), -lowest)
            y = unary(np.log, reduce(np.add, unary(np.exp, wide(x) - shift), self.axes, True)) + shift
        if x.dtype == np.float16:
            y = y.astype(np.float16)
        return y if self.keepdims else y.reshape(self.result_shape())

    def backward(self, grad: Any) -> Any:
        x, top = self.x, self.top.astype(self.x.dtype)
        infinite = np.isinf(top)
        if infinite.any():
            # Constants in place of inf - inf: of the +inf in a row, each is as likely; -inf gets nothing.
            x = np.where(top == math.inf, np.where(raw(x) == math.inf, 0.0, -math.inf), x)
            top = np.where(infinite, 0.0, top)
        weights = unary(np.exp, x - top)
        total = reduce(np.add, weights, self.axes, True)
        if infinite.any():
            total = np.where(self.top == -math.inf, 1.0, total)
        return self.aligned(grad) * (weights / total)


class LogAddExp(Function):
    """z = log(eˣ + eʸ): dx = grad / (1 + eʸ⁻ˣ), dy = grad / (1 + eˣ⁻ʸ); half to each where both are equal."""

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return binary(np.logaddexp, x, y)

    def backward(self, grad: Any) -> Any:
        with np.errstate(invalid="ignore"):
            lead = self.x - self.y
        same = np.equal(raw(self.x), raw(self.y))  # equal infinities differ by NaN
        lead = np.where(same, 0.0, lead) if (same & np.isinf(raw(self.x))).any() else lead
        return grad * special.sigmoid(lead), grad * special.sigmoid(-lead)


def top_of(x: Any, axes: tuple[int, ...] | None) -> Any:
    """The largest element over `axes`, which stay with size 1; -inf where there is none."""
    if not x.size:
        kept = [1 if axes is None or axis in axes else size for axis, size in enumerate(x.shape)]
        return np.full(kept, -math.inf, wide(x).dtype)
    return reduce(np.maximum, wide(x), axes, True)


def softmax(x: Any, axis: int = -1) -> Tensor:
    """exp(xᵢ) / Σ_j exp(x_j) along `axis`: a distribution, of the shape of `x`.

    The largest element is taken off first, so logits of ±1e4 are no matter. -inf gets probability 0; a row of
    nothing but -inf gives zeros and passes no gradient (PyTorch gives NaN). Integers give float64.

    Raises AxisError for an axis out of range (a single number has none), DTypeError for what is no integer.
    Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990.
    """
    return Softmax(axis)(x)


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """xᵢ - log Σ_j exp(x_j) along `axis`: the logarithm of `softmax`, without its underflow.

    -inf stays -inf; a row of nothing but -inf gives -inf and passes no gradient (PyTorch gives NaN).

    Raises AxisError for an axis out of range (a single number has none), DTypeError for what is no integer.
    """
    return LogSoftmax(axis)(x)


def logsumexp(x: Any, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """log Σ exp(x) over `axis` (all axes by default), computed as m + log Σ exp(x - m) with m = max x.

    -inf where everything is -inf, and for nothing; no gradient flows there. +inf where something is +inf;
    the gradient then goes to that (shared, if to several). Integers give float64.

    Raises AxisError for an axis out of range or named twice, DTypeError for an axis that is no integer.
    """
    return LogSumExp(axis, keepdims)(x)


def logaddexp(x: Any, y: Any) -> Tensor:
    """log(eˣ + eʸ), element by element, with broadcasting, without overflow: as for probabilities in logarithms.

    Raises ShapeError where the shapes do not broadcast.
    """
    return LogAddExp()(x, y)


class SoftmaxMethods:
    """Methods of a Tensor."""

    softmax = softmax
    log_softmax = log_softmax
    logsumexp = logsumexp
    logaddexp = logaddexp
