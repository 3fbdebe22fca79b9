"""Linear: every output a weighted sum of the inputs, plus a bias."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import init, shards
from tt_nn.module import Module
from tt_nn.parameter import Parameter
from tt_nn.products import matrix_product
from tt_nn.sums import over_rows
from tt_tensor import Function, Tensor, as_tensor, kernels, matmul, random, swapaxes
from tt_tensor.arguments import whole_number
from tt_tensor.errors import DTypeError, ShapeError
from tt_tensor.kernels import table

__all__ = ["Identity", "Linear", "LinearFunction", "linear"]


ONE_THREAD = 1 << 13
"""A matrix of up to so many numbers OpenBLAS multiplies with a vector on one thread by itself."""


class LinearFunction(Function):
    """y = x Wᵀ + b: dx = grad W, dW = gradᵀ x, db = Σ grad over all rows."""

    def forward(self, x: Any, weight: Any, bias: Any = None) -> Any:
        self.x, self.weight = x, weight
        try:
            y = matrix_product(x, weight.T)
        except ValueError:
            y = None
        if y is None or weight.ndim != 2:
            raise ShapeError(
                f"linear: an input of shape {x.shape} against a weight of shape {weight.shape}: the last axis of the "
                "input must have in_features = weight.shape[1] elements"
            )
        if y.dtype is not weight.dtype and x.dtype.kind != "f":
            raise DTypeError(
                f"linear: the input is {x.dtype}, the weight {weight.dtype}; use x.astype('float32') first"
            )
        if bias is not None:
            y += bias
        return y

    def backward(self, grad: Any) -> Any:
        x, weight = self.x, self.weight
        needs = self.needs
        times = matrix_product if shards.preferred else np.dot
        of_x = needs is None or needs[0]
        if grad.ndim == 2:
            dx = times(grad, weight) if of_x else None
        else:
            rows = math.prod(x.shape[:-1])  # -1 would not do where a size is 0
            x, grad = x.reshape(rows, x.shape[-1]), grad.reshape(rows, weight.shape[0])
            dx = times(grad, weight).reshape(self.x.shape) if of_x else None
        dweight = times(grad.T, x) if needs is None or needs[1] else None
        if len(self.inputs) == 2:
            return dx, dweight
        dbias = None
        if needs is None or needs[2]:
            shared = shards.preferred and grad.size > ONE_THREAD
            dbias = shards.alone(over_rows, grad) if shared else over_rows(grad)
        return dx, dweight, dbias

    @staticmethod
    def composite(x: Any, weight: Any, bias: Any = None) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        y = matmul(x, swapaxes(weight, 0, 1))
        return y if bias is None else y + bias


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """y = x Wᵀ + b, with the input x (…, in_features), W (out_features, in_features), b (out_features,).

    Raises ShapeError where the last axis of x is not in_features, DTypeError for an integer input.
    """
    x, w = as_tensor(input), as_tensor(weight)
    return LinearFunction()(x, w) if bias is None else LinearFunction()(x, w, as_tensor(bias))


def linear_infer_loops(x: Any, weight: Any, bias: Any) -> Any:
    """Row by row, for x (…, in), W (out, in), b (out,) or None: yᵢ = Σⱼ Wᵢⱼ xⱼ + bᵢ. Gives (…, out)."""
    outside, inside = weight.shape
    y = np.empty((*x.shape[:-1], outside), x.dtype)
    for place in np.ndindex(x.shape[:-1]):
        for i in range(outside):
            total = 0.0 if bias is None else float(bias[i])
            for j in range(inside):
                total += float(weight[i, j]) * float(x[(*place, j)])
            y[(*place, i)] = total
    return y


def linear_infer_numpy(x: Any, weight: Any, bias: Any) -> Any:
    """The same by BLAS: for one row as a matrix times a vector."""
    inside = weight.shape[1]
    if x.size == inside > 0:
        y = weight.dot(x.reshape(inside))
    else:
        y = x.reshape(math.prod(x.shape[:-1]), inside).dot(weight.T)
    if bias is not None:
        y += bias
    return y.reshape((*x.shape[:-1], weight.shape[0]))


kernels.register("linear_infer", "loops", linear_infer_loops)
kernels.register("linear_infer", "numpy", linear_infer_numpy, default=True)


class Linear(Module):
    """y = x Wᵀ + b.

    Args:
        in_features: size of the input's last axis.
        out_features: size of the output's last axis.
        bias: whether b is added.
        dtype: of the parameters; float32 by default.

    Parameters: `weight` (out_features, in_features), `bias` (out_features,), both drawn uniformly from
    ±1/√in_features, as PyTorch does.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype: Any = None) -> None:
        self.in_features = whole_number("Linear", "in_features", in_features)
        self.out_features = whole_number("Linear", "out_features", out_features)
        shape = (self.out_features, self.in_features)
        self.weight = Parameter(np.zeros(shape, np.float32), dtype=dtype)
        self.bias = Parameter(np.zeros(self.out_features, np.float32), dtype=dtype) if bias else None
        if init.wanted():
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew from the default generator."""
        bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                parameter.write(random.uniform(-bound, bound, parameter.shape, dtype=parameter.dtype))

    def forward(self, x: Any) -> Tensor:
        if self.bias is None:
            return self.compute(LinearFunction(), x, self.weight)
        return self.compute(LinearFunction(), x, self.weight, self.bias)

    def infer(self, x: Any, *rest: Any) -> Any:
        weight = self.weight.array
        if x.dtype is not weight.dtype or x.shape[-1] != self.in_features or not table.plain:
            return super().infer(x)
        return kernels.kernel("linear_infer")(x, weight, None if self.bias is None else self.bias.array)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


class Identity(Module):
    """y = x. Takes any arguments and ignores them, so that it can stand in for a layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, x: Any) -> Any:
        return as_tensor(x) if isinstance(x, np.ndarray) else x

    def backward(self, grad: Any) -> Any:
        """The gradient as it is."""
        return as_tensor(grad) if isinstance(grad, np.ndarray) else grad
