"""LayerNorm and RMSNorm: bring every row to one scale, whatever came before."""

from __future__ import annotations

import math
import operator
from functools import lru_cache
from typing import Any, cast

import numpy as np

from tt_nn.blocks import working
from tt_nn.module import Module
from tt_nn.norm_kernels import NormKernel
from tt_nn.parameter import Parameter
from tt_tensor import Function, Tensor, as_tensor, kernels
from tt_tensor.arguments import number
from tt_tensor.errors import ArgumentError, ShapeError

__all__ = ["LayerNorm", "LayerNormFunction", "RMSNorm", "RMSNormFunction", "layer_norm", "rms_norm"]


class _Normalize(Function):
    """x̂ over the last axes, times a weight, plus a bias; what is kept is the kernel's affair."""

    kernel: str
    by: NormKernel

    def __init__(self, shape: tuple[int, ...], eps: float) -> None:
        self.shape, self.eps = shape, eps

    def forward(self, x: Any, weight: Any = None, bias: Any = None) -> Any:
        shape = self.shape
        if (
            len(shape) == 1
            and x.dtype.char in "fd"
            and x.size
            and x.shape[-1:] == shape
            and (weight is None or weight.shape == shape)
            and (bias is None or bias.shape == shape)
        ):  # the usual case, without a detour: it is met twice in every layer of a transformer
            wide, self.n, of_weight, of_bias = x, shape[0], weight, bias
            rows = x if x.ndim == 2 else x.reshape(-1, self.n)
        else:
            wide = self.checked(x, weight, bias)
            self.n = math.prod(shape)
            rows = wide.reshape(math.prod(x.shape[: x.ndim - len(shape)]), self.n)
            of_weight, of_bias = [None if part is None else part.reshape(self.n) for part in (weight, bias)]
        self.by, self.weight = cast(NormKernel, kernels.kernel(self.kernel)), of_weight
        y, self.saved = self.by.forward(rows, of_weight, of_bias, self.eps)
        y = y.reshape(x.shape)
        if wide is not x:
            y = y.astype(
                np.result_type(x, *[part for part in (weight, bias) if part is not None]), copy=False
            )
        return y

    def backward(self, grad: Any) -> Any:
        rows = grad.reshape(-1 if grad.size else math.prod(grad.shape[: grad.ndim - len(self.shape)]), self.n)
        rows = rows.astype(np.float32) if rows.dtype == np.float16 else rows
        given = len(self.inputs)
        dx, dweight, dbias = self.by.backward(rows, self.weight, self.saved, given > 1, given > 2)
        if len(self.shape) > 1:
            dweight, dbias = [None if part is None else part.reshape(self.shape) for part in (dweight, dbias)]
        return (dx.reshape(grad.shape), dweight, dbias)[:given]

    def checked(self, x: Any, weight: Any, bias: Any) -> Any:
        """x in the dtype to compute in. Raises ShapeError where shapes do not fit, DTypeError for integers."""
        what, k = self.kernel, len(self.shape)
        if x.ndim < k or x.shape[x.ndim - k :] != self.shape:
            raise ShapeError(
                f"{what}: an input of shape {x.shape} does not end in the normalized shape {self.shape}"
            )
        for name, part in (("weight", weight), ("bias", bias)):
            if part is not None and part.shape != self.shape:
                raise ShapeError(
                    f"{what}: {name} has shape {part.shape}, the normalized shape is {self.shape}"
                )
        return working(x, what)

    def composite(self, x: Any, weight: Any = None, bias: Any = None) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        rows = x.reshape(
            -1 if x.size else math.prod(x.shape[: x.ndim - len(self.shape)]), math.prod(self.shape)
        )
        y = self.normalized(rows, 1 / max(math.prod(self.shape), 1)).reshape(x.shape)
        y = y if weight is None else y * weight
        return y if bias is None else y + bias

    def normalized(self, rows: Any, share: float) -> Any:
        """x̂ by operations that can be recorded."""
        raise NotImplementedError


class LayerNormFunction(_Normalize):
    """y = x̂ w + b, x̂ = (x - mean) r, r = 1 / √(variance + eps) over the last axes.

    With d = w · grad: dx = r (d - mean(d) - x̂ mean(d x̂)), dw = Σ grad x̂, db = Σ grad over the rows.
    """

    kernel = "layer_norm"

    def normalized(self, rows: Any, share: float) -> Any:
        off = rows - np.sum(rows, axis=1, keepdims=True) * share
        return off / np.sqrt(np.sum(off * off, axis=1, keepdims=True) * share + self.eps)


class RMSNormFunction(_Normalize):
    """y = x̂ w, x̂ = x r, r = 1 / √(mean(x²) + eps) over the last axes.

    With d = w · grad: dx = r (d - x̂ mean(d x̂)), dw = Σ grad x̂ over the rows.
    """

    kernel = "rms_norm"

    def normalized(self, rows: Any, share: float) -> Any:
        return rows / np.sqrt(np.sum(rows * rows, axis=1, keepdims=True) * share + self.eps)


def layer_norm(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """(x - mean) / √(variance + eps) · weight + bias over the last axes; the variance is the biased one.

    Args:
        input: (…, *normalized_shape), floating.
        normalized_shape: a size, or a tuple of sizes.
        weight, bias: of shape normalized_shape, or None.
        eps: keeps a row of equal values from a division by 0.

    Raises ShapeError where shapes do not fit, DTypeError for integers, ArgumentError for a normalized_shape or an
    eps that is none. Source: Ba, Kiros & Hinton, 2016, arXiv:1607.06450.
    """
    function = LayerNormFunction(_shape("layer_norm", normalized_shape), number("layer_norm", "eps", eps))
    return function(input, *_given(_tensor(weight), _tensor(bias)))


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    """x / √(mean(x²) + eps) · weight over the last axes; eps None is the machine epsilon of what it computes in.

    Shapes and errors as for `layer_norm`. Source: Zhang & Sennrich, 2019, arXiv:1910.07467.
    """
    function = RMSNormFunction(_shape("rms_norm", normalized_shape), _epsilon("rms_norm", eps, input))
    return function(input, *_given(_tensor(weight)))


def _given(*parameters: Any) -> tuple[Any, ...]:
    while parameters and parameters[-1] is None:
        parameters = parameters[:-1]
    return parameters


def _tensor(part: Any) -> Any:
    return None if part is None else as_tensor(part)


def _epsilon(what: str, eps: float | None, x: Any) -> float:
    if eps is not None:
        return number(what, "eps", eps)
    return float(np.finfo(np.float64 if getattr(x, "dtype", None) == np.float64 else np.float32).eps)


def _shape(what: str, shape: Any) -> tuple[int, ...]:
    try:
        sizes = tuple(
            operator.index(size) for size in (shape if isinstance(shape, tuple | list) else (shape,))
        )
    except TypeError:
        sizes = ()
    if not sizes or min(sizes) < 0 or shape is True or shape is False:
        raise ArgumentError(f"{what}: normalized_shape is a size or a tuple of sizes, not {shape!r}")
    return sizes


CENTRED = 1e4
"""So far may the square of a mean be above the variance before it is worth while to take off what was rounded."""


ROW = 1 << 14
"""So many numbers may be added up by BLAS, which loses no digits that matter then."""


def _is_row(x: Any, shape: tuple[int, ...], weight: Parameter | None) -> bool:
    """One row of numbers to normalize, short enough for BLAS to add up, in float32 or float64."""
    size = x.size
    return (
        (size,) == shape
        and x.shape[-1] == size
        and 0 < size <= ROW
        and (weight is None or weight.array.dtype is x.dtype)
        and x.dtype.char in "fd"
        and kernels.table.plain
    )


@lru_cache(maxsize=64)
def _ones(n: int, kind: str) -> Any:
    ones = np.ones(n, kind)
    ones.flags.writeable = False
    return ones


def layer_norm_of_row(row: Any, weight: Any, bias: Any, eps: float) -> Any:
    """(x - mean) / √(variance + eps) · weight + bias of one row (n,), n ≤ ROW, in float32 or float64.

    A weight or bias of None is left out.
    """
    n = len(row)
    ones = _ones(n, row.dtype.char)
    mean = float(row.dot(ones)) / n
    y = row - mean
    square = float(y.dot(y)) / n
    if mean * mean > CENTRED * square:
        # The mean is rounded; against a large offset that shows in what is left.
        y -= float(y.dot(ones)) / n
        square = float(y.dot(y)) / n
    y *= 1 / math.sqrt(square + eps) if square + eps > 0 else math.nan
    if weight is not None:
        y *= weight
    if bias is not None:
        y += bias
    return y


class LayerNorm(Module):
    """(x - mean) / √(variance + eps) · weight + bias over the last axes: see `functional.layer_norm`.

    Args:
        normalized_shape: the last axes of the input, as a size or a tuple of sizes.
        eps: is added to the variance.
        elementwise_affine: whether there is a weight, and with `bias` a bias.
        dtype: of the parameters; float32 by default.

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
        self.eps, self.elementwise_affine = number("LayerNorm", "eps", eps), bool(elementwise_affine)
        ones, zeros = np.ones(self.normalized_shape, np.float32), np.zeros(self.normalized_shape, np.float32)
        self.weight = Parameter(ones, dtype=dtype) if elementwise_affine else None
        self.bias = Parameter(zeros, dtype=dtype) if elementwise_affine and bias else None

    def reset_parameters(self) -> None:
        """Ones into the weight, zeros into the bias."""
        if self.weight is not None:
            self.weight.write(1)
        if self.bias is not None:
            self.bias.write(0)

    def forward(self, x: Any) -> Tensor:
        return self.compute(
            LayerNormFunction(self.normalized_shape, self.eps), x, *_given(self.weight, self.bias)
        )

    def infer(self, x: Any, *rest: Any) -> Any:
        if not _is_row(x, self.normalized_shape, self.weight):
            return super().infer(x)
        scale = None if self.weight is None else self.weight.array
        shift = None if self.bias is None else self.bias.array
        return layer_norm_of_row(x.reshape(x.size), scale, shift, self.eps).reshape(x.shape)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """x / √(mean(x²) + eps) · weight over the last axes: see `functional.rms_norm`.

    Args:
        normalized_shape: the last axes of the input, as a size or a tuple of sizes.
        eps: is added to the mean square; None is the machine epsilon.
        elementwise_affine: whether there is a weight.
        dtype: of the parameter; float32 by default.

    Parameter: `weight` (ones) of shape normalized_shape, unless left out.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        dtype: Any = None,
    ) -> None:
        self.normalized_shape = _shape("RMSNorm", normalized_shape)
        self.eps = None if eps is None else number("RMSNorm", "eps", eps)
        self.elementwise_affine = bool(elementwise_affine)
        ones = np.ones(self.normalized_shape, np.float32)
        self.weight = Parameter(ones, dtype=dtype) if elementwise_affine else None

    def reset_parameters(self) -> None:
        """Ones into the weight."""
        if self.weight is not None:
            self.weight.write(1)

    def forward(self, x: Any) -> Tensor:
        function = RMSNormFunction(self.normalized_shape, _epsilon("RMSNorm", self.eps, x))
        return self.compute(function, x, *_given(self.weight))

    def infer(self, x: Any, *rest: Any) -> Any:
        if not _is_row(x, self.normalized_shape, self.weight):
            return super().infer(x)
        row = x.reshape(x.size)
        eps = _epsilon("RMSNorm", None, x) if self.eps is None else self.eps
        square = float(row.dot(row)) / x.size + eps
        y = row * (1 / math.sqrt(square) if square > 0 else math.nan)
        if self.weight is not None:
            y *= self.weight.array
        return y.reshape(x.shape)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
