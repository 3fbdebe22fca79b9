"""LayerNorm and RMSNorm: bring every row to one scale, whatever came before."""

from __future__ import annotations

import math
import operator
from functools import lru_cache
from typing import Any

import numpy as np

from tt_nn.activations import number
from tt_nn.blocks import BLOCK, RUN, across, room, working
from tt_nn.module import Module
from tt_nn.parameter import Parameter
from tt_tensor import Function, Tensor, kernels
from tt_tensor.errors import ArgumentError, ShapeError
from tt_tensor.kernels import table
from tt_tensor.kernels.reductions import reduce

__all__ = ["LayerNorm", "LayerNormFunction", "RMSNorm", "RMSNormFunction", "layer_norm", "rms_norm"]


LONGEST = 64
"""So many rows are summed in one run: a longer sum loses more digits, a shorter one costs more calls."""

ALONE = 9215
"""Up to so many numbers BLAS takes one thread for a product with a vector."""


def layer_norm_loops(x: Any, eps: float) -> tuple[Any, Any]:
    """Row by row: m = Σ xᵢ / n, v = Σ (xᵢ - m)² / n, r = 1 / √(v + eps), x̂ᵢ = (xᵢ - m) r. Gives x̂ and r."""
    y, scale = np.empty_like(x), np.empty((len(x), 1), x.dtype)
    for row, values in enumerate(x.tolist()):
        n = max(len(values), 1)
        mean = sum(values) / n
        variance = sum((value - mean) ** 2 for value in values) / n
        scale[row] = inverse_root(variance + eps)
        for i, value in enumerate(values):
            y[row, i] = (value - mean) * float(scale[row, 0])
    return y, scale


def layer_norm_numpy(x: Any, eps: float) -> tuple[Any, Any]:
    """The same for many rows at once; the mean goes first, so that a large one costs no digits of the variance."""
    rows, n = x.shape
    ones = np.ones(n, x.dtype)
    y, scale = room(x.shape, x.dtype), np.empty((rows, 1), x.dtype)
    if x.nbytes <= BLOCK:
        _layer_norm_block(x, y, scale, ones, eps)
    else:
        for part in _blocks_of_rows(x):
            _layer_norm_block(x[part], y[part], scale[part], ones, eps)
    return y, scale


def _layer_norm_block(x: Any, y: Any, scale: Any, ones: Any, eps: float) -> None:
    share = 1 / max(ones.size, 1)
    if x.size <= RUN:
        # A mean is rounded, as its sum is; against a large offset that shows in what is left. A small array is
        # centred once more without a question, which would cost more than the answer.
        np.subtract(x, _products(x, ones) * share, y)
        y -= _products(y, ones) * share
        variance = _products(y, y) * share
    else:
        if _small_means(x, y, scale, ones, share, eps):
            return
        np.subtract(x, _products(x, ones) * share, y)
        rest = _products(y, ones) * share
        variance = _products(y, y) * share
        worst = np.maximum.reduce(rest * rest / (variance + eps), axis=None, initial=0)
        if worst > (4 * np.finfo(x.dtype).eps) ** 2:
            y -= rest
            variance = _products(y, y) * share
    variance += eps
    np.sqrt(variance, variance)
    np.divide(1, variance, scale)
    y *= scale


def _small_means(x: Any, y: Any, scale: Any, ones: Any, share: float, eps: float) -> bool:
    """Fill y and scale by variance = mean(x²) − mean², x̂ = x r − mean r: two passes less. False where that is no good.

    Where no mean² is larger than the variance, the difference costs at most a bit; so are the rows of a network.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean = _products(x, ones)
        mean *= share
        square = mean * mean
        variance = _products(x, x)
        variance *= share
        variance -= square
        variance += eps
        if not np.less_equal(square, variance).all():
            return False
    np.sqrt(variance, variance)
    np.divide(1, variance, scale)
    np.multiply(x, scale, y)
    mean *= scale
    y -= mean
    return True


def rms_norm_loops(x: Any, eps: float) -> tuple[Any, Any]:
    """Row by row: r = 1 / √(Σ xᵢ² / n + eps), x̂ᵢ = xᵢ r. Gives x̂ and r."""
    y, scale = np.empty_like(x), np.empty((len(x), 1), x.dtype)
    for row, values in enumerate(x.tolist()):
        scale[row] = inverse_root(sum(value * value for value in values) / max(len(values), 1) + eps)
        for i, value in enumerate(values):
            y[row, i] = value * float(scale[row, 0])
    return y, scale


def rms_norm_numpy(x: Any, eps: float) -> tuple[Any, Any]:
    """The same for many rows at once."""
    rows, n = x.shape
    y, scale = room(x.shape, x.dtype), np.empty((rows, 1), x.dtype)
    for part in _blocks_of_rows(x):
        some = x[part]
        r = np.divide(1, np.sqrt(_products(some, some) * (1 / max(n, 1)) + eps), scale[part])
        np.multiply(some, r, y[part])
    return y, scale


def inverse_root(value: float) -> float:
    """1 / √value; infinite for 0, NaN below."""
    if value == 0:
        return math.inf
    return 1 / math.sqrt(value) if value > 0 else math.nan


def _blocks_of_rows(x: Any) -> list[slice]:
    """Slices of as many rows as a cache holds."""
    step = max(1, BLOCK // max(x.shape[1] * x.itemsize, 1))
    return [slice(start, start + step) for start in range(0, len(x), step)]


def _products(x: Any, y: Any) -> Any:
    """Σ xᵢ yᵢ of every row, (rows, 1).

    BLAS multiplies and adds in one pass without a temporary, in a few dozen running sums; for long rows, where
    such a sum loses digits, NumPy adds in pairs.
    """
    if x.shape[1] > 1 << 14:
        return np.add.reduce(x * y, 1, keepdims=True)
    return np.vecdot(x, y)[:, None]


def _column_sums(x: Any) -> Any:
    """Σ over the rows, (n,): by BLAS in short runs, whose sums are then summed."""
    rows, n = x.shape
    run = min(LONGEST, ALONE // max(n, 1))
    if not table.plain or x.size <= RUN or run < 8 or not x.flags.c_contiguous or x.dtype.char not in "fd":
        return reduce(np.add, x, (0,))
    count, rest = divmod(rows, run)
    sums = np.matmul(np.ones(run, x.dtype), x[: rows - rest].reshape(count, run, n))
    total = reduce(np.add, sums, (0,))
    if rest:
        total += np.add.reduce(x[rows - rest :], axis=0)
    return total


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
        wide = self.checked(x, weight, bias)
        self.n = math.prod(self.shape)
        rows = wide.reshape(math.prod(x.shape[: x.ndim - len(self.shape)]), self.n)
        self.y, self.scale = kernels.kernel(self.kernel)(rows, self.eps)
        self.weight = weight
        y = self.affine(self.y, weight, bias).reshape(x.shape)
        if wide is not x:
            y = y.astype(
                np.result_type(x, *[part for part in (weight, bias) if part is not None]), copy=False
            )
        return y

    def backward(self, grad: Any) -> Any:
        y, weight = self.y, self.weight
        rows = grad.reshape(y.shape)
        if rows.dtype.itemsize < y.dtype.itemsize:
            rows = rows.astype(y.dtype)
        share = 1 / max(self.n, 1)
        work = np.multiply(rows, y, out=room(y.shape, np.result_type(rows, y)))
        dw = None if weight is None else _column_sums(work).reshape(self.shape)
        dy = self.affine(rows, weight, None)
        # x̂ mean(d x̂) takes the place of the product, which is needed no more.
        np.multiply(y, _products(dy, y) * share, work)
        dy -= work
        self.center(dy, share)
        dy *= self.scale
        grads = [dy.reshape(grad.shape), dw]
        if len(self.inputs) > 2:
            grads.append(_column_sums(rows).reshape(self.shape))
        return tuple(grads[: len(self.inputs)])

    def affine(self, rows: Any, weight: Any, bias: Any) -> Any:
        """rows · weight + bias, in memory of its own: what is kept and what is handed out must not be the same."""
        given = [part.reshape(self.n) for part in (weight, bias) if part is not None]
        y = room(rows.shape, np.result_type(rows, *given))
        if weight is None:
            np.copyto(y, rows)
        else:
            spread(np.multiply, rows, given[0], y)
        if bias is not None:
            spread(np.add, y, given[-1], y)
        return y

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

    def center(self, dy: Any, share: float) -> None:
        """Take from `dy` what subtracting the mean takes from a gradient."""

    def normalized(self, rows: Any, share: float) -> Any:
        """x̂ by operations that can be recorded."""
        raise NotImplementedError


def spread(ufunc: Any, x: Any, row: Any, out: Any) -> None:
    """ufunc(x, row) into `out`, the way that suits the size."""
    if x.size <= RUN:
        ufunc(x, row, out=out)
    else:
        across(ufunc, x, row, out)


class LayerNormFunction(_Normalize):
    """y = x̂ w + b, x̂ = (x - mean) r, r = 1 / √(variance + eps) over the last axes.

    With d = w · grad: dx = r (d - mean(d) - x̂ mean(d x̂)), dw = Σ grad x̂, db = Σ grad over the rows.
    """

    kernel = "layer_norm"

    def center(self, dy: Any, share: float) -> None:
        dy -= _products(dy, np.ones(self.n, dy.dtype)) * share

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
    return function(input, *_given(weight, bias))


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    """x / √(mean(x²) + eps) · weight over the last axes; eps None is the machine epsilon of what it computes in.

    Shapes and errors as for `layer_norm`. Source: Zhang & Sennrich, 2019, arXiv:1910.07467.
    """
    function = RMSNormFunction(_shape("rms_norm", normalized_shape), _epsilon("rms_norm", eps, input))
    return function(input, *_given(weight))


def _given(*parameters: Any) -> tuple[Any, ...]:
    found = list(parameters)
    while found and found[-1] is None:
        found.pop()
    return tuple(found)


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


def _is_row(x: Any, shape: tuple[int, ...], weight: Parameter | None) -> bool:
    """One row of numbers to normalize, short enough for BLAS to add up, in float32 or float64."""
    size = x.size
    return (
        (size,) == shape
        and x.shape[-1] == size
        and 0 < size <= 1 << 14
        and (weight is None or weight.array.dtype is x.dtype)
        and x.dtype.char in "fd"
        and kernels.table.plain
    )


@lru_cache(maxsize=64)
def _ones(n: int, kind: str) -> Any:
    ones = np.ones(n, kind)
    ones.flags.writeable = False
    return ones


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
        n = x.size
        row, ones = x.reshape(n), _ones(n, x.dtype.char)
        mean = float(row.dot(ones)) / n
        y = row - mean
        square = float(y.dot(y)) / n
        if mean * mean > CENTRED * square:
            # The mean is rounded; against a large offset that shows in what is left.
            y -= float(y.dot(ones)) / n
            square = float(y.dot(y)) / n
        y *= 1 / math.sqrt(square + self.eps) if square + self.eps > 0 else math.nan
        if self.weight is not None:
            y *= self.weight.array
        if self.bias is not None:
            y += self.bias.array
        return y.reshape(x.shape)

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
        square = float(row.dot(row)) / x.size + _epsilon("RMSNorm", self.eps, x)
        y = row * (1 / math.sqrt(square) if square > 0 else math.nan)
        if self.weight is not None:
            y *= self.weight.array
        return y.reshape(x.shape)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
