"""LayerNorm and RMSNorm: bring every row to one scale, whatever came before."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from tt_tensor import Function, Tensor, kernels
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

from tt_nn.module import Module
from tt_nn.parameter import Parameter

__all__ = ["LayerNorm", "LayerNormFunction", "RMSNorm", "RMSNormFunction", "layer_norm", "rms_norm"]


def layer_norm_loops(x: Any, eps: float) -> tuple[Any, Any]:
    """Row by row: m = Σ xᵢ / n, v = Σ (xᵢ - m)² / n, r = 1 / √(v + eps), x̂ᵢ = (xᵢ - m) r. Gives x̂ and r."""
    y, scale = np.empty_like(x), np.empty((len(x), 1), x.dtype)
    for row, values in enumerate(x.tolist()):
        n = max(len(values), 1)
        mean = sum(values) / n
        variance = sum((value - mean) ** 2 for value in values) / n
        scale[row] = 1 / math.sqrt(variance + eps)
        for i, value in enumerate(values):
            y[row, i] = (value - mean) * float(scale[row, 0])
    return y, scale


def layer_norm_numpy(x: Any, eps: float) -> tuple[Any, Any]:
    """The same for all rows at once; the mean goes first, so that a large one costs no digits of the variance."""
    share = 1 / max(x.shape[1], 1)
    y = x - np.add.reduce(x, 1, keepdims=True) * share
    # Once more on what is left: the first mean of a large offset is rounded.
    y -= np.add.reduce(y, 1, keepdims=True) * share
    scale = 1 / np.sqrt(np.add.reduce(y * y, 1, keepdims=True) * share + eps)
    y *= scale
    return y, scale


def rms_norm_loops(x: Any, eps: float) -> tuple[Any, Any]:
    """Row by row: r = 1 / √(Σ xᵢ² / n + eps), x̂ᵢ = xᵢ r. Gives x̂ and r."""
    y, scale = np.empty_like(x), np.empty((len(x), 1), x.dtype)
    for row, values in enumerate(x.tolist()):
        scale[row] = 1 / math.sqrt(sum(value * value for value in values) / max(len(values), 1) + eps)
        for i, value in enumerate(values):
            y[row, i] = value * float(scale[row, 0])
    return y, scale


def rms_norm_numpy(x: Any, eps: float) -> tuple[Any, Any]:
    """The same for all rows at once."""
    scale = 1 / np.sqrt(np.add.reduce(x * x, 1, keepdims=True) * (1 / max(x.shape[1], 1)) + eps)
    return x * scale, scale


for _name, _loops, _numpy in (
    ("layer_norm", layer_norm_loops, layer_norm_numpy),
    ("rms_norm", rms_norm_loops, rms_norm_numpy),
):
    kernels.register(_name, "loops", _loops)
    kernels.register(_name, "numpy", _numpy, default=True)


class _Normalize(Function):
    """x̂ over the last axes, times a weight, plus a bias; x̂ and the scale of its rows are kept."""

    kernel: str

    def __init__(self, shape: tuple[int, ...], eps: float) -> None:
        self.shape, self.eps = shape, eps

    def forward(self, x: Any, weight: Any = None, bias: Any = None) -> Any:
        what, k = self.kernel, len(self.shape)
        if x.ndim < k or x.shape[x.ndim - k :] != self.shape:
            raise ShapeError(f"{what}: an input of shape {x.shape} does not end in the normalized shape {self.shape}")
        if x.dtype.kind != "f":
            raise DTypeError(f"{what}: the input is {x.dtype}; use x.astype('float32') first")
        for name, part in (("weight", weight), ("bias", bias)):
            if part is not None and part.shape != self.shape:
                raise ShapeError(f"{what}: {name} has shape {part.shape}, the normalized shape is {self.shape}")
        self.n = math.prod(self.shape)
        rows = x.reshape(math.prod(x.shape[: x.ndim - k]), self.n)
        if x.__class__ is np.ndarray:
            y, self.scale = kernels.kernel(self.kernel)(rows, self.eps)
        else:
            y, self.scale = self.normalized(rows)
        self.y, self.weight = y, weight
        y = y.reshape(x.shape)
        if weight is not None:
            y = y * weight
        elif x.__class__ is np.ndarray:
            y = y.copy()  # what is kept and what is handed out must not be the same memory
        return y if bias is None else y + bias

    def backward(self, grad: Any) -> Any:
        rows = grad.reshape(self.y.shape)
        dy = rows if self.weight is None else rows * self.weight.reshape(self.n)
        dx = self.scale * (dy - self.mean_part(dy) - self.y * self.mean(dy * self.y))
        found = [dx.reshape(grad.shape), None, None]
        if len(self.inputs) > 1 and self.weight is not None:
            found[1] = np.add.reduce(rows * self.y, axis=0).reshape(self.shape)
        if len(self.inputs) > 2:
            found[2] = np.add.reduce(rows, axis=0).reshape(self.shape)
        return tuple(found[: len(self.inputs)])

    def mean(self, rows: Any) -> Any:
        return np.add.reduce(rows, axis=1, keepdims=True) * (1 / max(self.n, 1))

    def mean_part(self, dy: Any) -> Any:
        """What subtracting the mean takes from the gradient."""
        raise NotImplementedError

    def normalized(self, rows: Any) -> tuple[Any, Any]:
        """x̂ and its scale by operations that can be recorded."""
        raise NotImplementedError


class LayerNormFunction(_Normalize):
    """y = x̂ w + b, x̂ = (x - mean) r, r = 1 / √(variance + eps) over the last axes.

    With d = w · grad: dx = r (d - mean(d) - x̂ mean(d x̂)), dw = Σ grad x̂, db = Σ grad over the rows.
    """

    kernel = "layer_norm"

    def mean_part(self, dy: Any) -> Any:
        return self.mean(dy)

    def normalized(self, rows: Any) -> tuple[Any, Any]:
        off = rows - self.mean(rows)
        scale = 1 / np.sqrt(self.mean(off * off) + self.eps)
        return off * scale, scale


class RMSNormFunction(_Normalize):
    """y = x̂ w, x̂ = x r, r = 1 / √(mean(x²) + eps) over the last axes.

    With d = w · grad: dx = r (d - x̂ mean(d x̂)), dw = Σ grad x̂ over the rows.
    """

    kernel = "rms_norm"

    def mean_part(self, dy: Any) -> Any:
        return 0

    def normalized(self, rows: Any) -> tuple[Any, Any]:
        scale = 1 / np.sqrt(self.mean(rows * rows) + self.eps)
        return rows * scale, scale


def layer_norm(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """(x - mean) / √(variance + eps) · weight + bias over the last axes; the variance is the biased one.

    Args:
        input: (…, *normalized_shape).
        weight, bias: of shape normalized_shape, or None.

    Raises ShapeError where shapes do not fit. Source: Ba, Kiros & Hinton, 2016, arXiv:1607.06450.
    """
    return LayerNormFunction(_shape("layer_norm", normalized_shape), eps)(input, *_given(weight, bias))


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    """x / √(mean(x²) + eps) · weight over the last axes; eps None is the dtype's machine epsilon.

    Source: Zhang & Sennrich, 2019, arXiv:1910.07467.
    """
    function = RMSNormFunction(_shape("rms_norm", normalized_shape), _epsilon(eps, input))
    return function(input, *_given(weight))


def _given(*parameters: Any) -> tuple[Any, ...]:
    found = list(parameters)
    while found and found[-1] is None:
        found.pop()
    return tuple(found)


def _epsilon(eps: float | None, x: Any) -> float:
    if eps is not None:
        return eps
    dtype = getattr(x, "dtype", np.dtype(np.float32))
    return float(np.finfo(dtype if dtype.kind == "f" else np.float32).eps)


def _shape(what: str, shape: Any) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if not sizes or not all(isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in sizes):
        raise ArgumentError(f"{what}: normalized_shape is a size or a tuple of sizes, not {shape!r}")
    return sizes


class LayerNorm(Module):
    """(x - mean) / √(variance + eps) · weight + bias over the last axes: see `functional.layer_norm`.

    Parameters: `weight` (ones) and `bias` (zeros) of shape normalized_shape, unless left out.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        self.normalized_shape = _shape("LayerNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        ones, zeros = np.ones(self.normalized_shape, np.float32), np.zeros(self.normalized_shape, np.float32)
        self.weight = Parameter(ones, dtype=dtype) if elementwise_affine else None
        self.bias = Parameter(zeros, dtype=dtype) if elementwise_affine and bias else None

    def forward(self, x: Any) -> Tensor:
        return self.compute(
            LayerNormFunction(self.normalized_shape, self.eps), x, *_given(self.weight, self.bias)
        )

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Module):
    """x / √(mean(x²) + eps) · weight over the last axes: see `functional.rms_norm`.

    Parameter: `weight` (ones) of shape normalized_shape, unless left out.
    """

    def __init__(
        self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True, dtype: Any = None
    ) -> None:
        self.normalized_shape = _shape("RMSNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        ones = np.ones(self.normalized_shape, np.float32)
        self.weight = Parameter(ones, dtype=dtype) if elementwise_affine else None

    def forward(self, x: Any) -> Tensor:
        function = RMSNormFunction(self.normalized_shape, _epsilon(self.eps, x))
        return self.compute(function, x, *_given(self.weight))

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
