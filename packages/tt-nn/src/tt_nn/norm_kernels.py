"""The kernels of LayerNorm and RMSNorm: rows of numbers brought to one scale, forth and back.

    x̂ = (x - m) r,  y = x̂ w + b            m the mean of a row (0 for RMSNorm), r = 1 / √(mean((x - m)²) + eps)
    d = w · grad,   dx = r (d - mean(d) - x̂ mean(d x̂)),  dw = Σ grad x̂,  db = Σ grad      (no mean(d) for RMSNorm)

The operations "layer_norm" and "rms_norm" of the table have a `NormKernel` each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tt_nn.blocks import BLOCK, RUN, across, room
from tt_tensor import kernels
from tt_tensor.kernels import table
from tt_tensor.kernels.reductions import reduce

__all__ = [
    "NormKernel",
    "inverse_root",
    "layer_norm_loops",
    "layer_norm_numpy",
    "rms_norm_loops",
    "rms_norm_numpy",
]


@dataclass(frozen=True, slots=True)
class NormKernel:
    """One way to normalize rows, forth and back.

    forward(x, weight, bias, eps) -> (y, saved):
        x and y (rows, n) in one dtype, weight and bias (n,) or None.
    backward(grad, weight, saved, of_weight, of_bias) -> (dx, dw, db):
        grad and dx (rows, n), dw and db (n,), or None where they are not asked for.
    """

    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[..., tuple[Any, Any, Any]]

    def __call__(self, *arguments: Any) -> tuple[Any, Any]:
        """The same as `forward`."""
        return self.forward(*arguments)


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


def _loops(normalize: Any, centred: bool) -> NormKernel:
    def forward(x: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any]:
        y, scale = normalize(x, eps)
        out = np.empty(x.shape, _dtype(x, weight, bias))
        for row in range(len(x)):
            for i in range(x.shape[1]):
                value = float(y[row, i]) * (1.0 if weight is None else float(weight[i]))
                out[row, i] = value + (0.0 if bias is None else float(bias[i]))
        return out, (y, scale)

    def backward(grad: Any, weight: Any, saved: Any, of_weight: bool, of_bias: bool) -> tuple[Any, Any, Any]:
        y, scale = saved
        rows, n = y.shape
        dtype = _dtype(grad, y, weight)
        dx, dw, db = np.empty(y.shape, dtype), np.zeros(n, dtype), np.zeros(n, dtype)
        for row in range(rows):
            d = [float(grad[row, i]) * (1.0 if weight is None else float(weight[i])) for i in range(n)]
            mean = sum(d) / n if centred and n else 0.0
            along = sum(one * float(y[row, i]) for i, one in enumerate(d)) / max(n, 1)
            for i in range(n):
                dx[row, i] = float(scale[row, 0]) * (d[i] - mean - float(y[row, i]) * along)
                dw[i] += grad[row, i] * y[row, i]
                db[i] += grad[row, i]
        return dx, dw if of_weight else None, db if of_bias else None

    return NormKernel(forward, backward)


def _numpy(normalize: Any, centred: bool) -> NormKernel:
    def forward(x: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any]:
        y, scale = normalize(x, eps)
        return _affine(y, weight, bias), (y, scale)

    def backward(grad: Any, weight: Any, saved: Any, of_weight: bool, of_bias: bool) -> tuple[Any, Any, Any]:
        y, scale = saved
        share = 1 / max(y.shape[1], 1)
        work = np.multiply(grad, y, out=room(y.shape, np.result_type(grad, y)))
        dw = _column_sums(work) if of_weight else None
        dy = _affine(grad, weight, None)
        # x̂ mean(d x̂) takes the place of the product, which is needed no more.
        np.multiply(y, _products(dy, y) * share, work)
        dy -= work
        if centred:
            dy -= _products(dy, np.ones(y.shape[1], dy.dtype)) * share
        dy *= scale
        return dy, dw, _column_sums(grad) if of_bias else None

    return NormKernel(forward, backward)


def _affine(rows: Any, weight: Any, bias: Any) -> Any:
    """rows · weight + bias, in memory of its own: what is kept and what is handed out must not be the same."""
    y = room(rows.shape, _dtype(rows, weight, bias))
    if weight is None:
        np.copyto(y, rows)
    else:
        _spread(np.multiply, rows, weight, y)
    if bias is not None:
        _spread(np.add, y, bias, y)
    return y


def _dtype(*arrays: Any) -> Any:
    return np.result_type(*[array for array in arrays if array is not None])


def _spread(ufunc: Any, x: Any, row: Any, out: Any) -> None:
    """ufunc(x, row) into `out`, the way that suits the size."""
    if x.size <= RUN:
        ufunc(x, row, out=out)
    else:
        across(ufunc, x, row, out)


for _name, _slow, _fast in (
    ("layer_norm", layer_norm_loops, layer_norm_numpy),
    ("rms_norm", rms_norm_loops, rms_norm_numpy),
):
    kernels.register(_name, "loops", _loops(_slow, _name == "layer_norm"))
    kernels.register(_name, "numpy", _numpy(_fast, _name == "layer_norm"), default=True)
