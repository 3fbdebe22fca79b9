"""Batch norm, ReLU and max pooling as one step, for Sequential: three passes over the images instead of nine.

Where these layers follow each other, nobody looks at what is between them, and a kernel does all of it at once
(tt-perf registers one), Sequential runs them together. What comes out, gradients and running values are the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import ReLU
from tt_nn.activations import ReLUFunction
from tt_nn.fusions import Fused, fusions
from tt_tensor import Tensor, kernels
from tt_vision.batch_norm import BatchNorm2d, BatchNormFunction
from tt_vision.channel_norm import handed_back, in_float64, wanted, working
from tt_vision.kernels import batch_norm_relu as by
from tt_vision.kernels.batch_norm import inverse_root
from tt_vision.max_pooling import MaxPool2d, MaxPoolFunction

__all__ = ["BatchNormReLUFunction"]

for _name, _kernel, _backward in (
    ("loops", by.batch_norm_relu_loops, by.batch_norm_relu_backward_loops),
    ("numpy", by.batch_norm_relu, by.batch_norm_relu_backward),
):
    kernels.register("batch_norm_relu", _name, _kernel, default=_name == "numpy")
    kernels.register("batch_norm_relu_backward", _name, _backward, default=_name == "numpy")


class BatchNormReLUFunction(BatchNormFunction):
    """y = max(x̂ w + b, 0), x̂ as in BatchNormFunction, and with `pool` the greatest of each two by two of them.

    x is (N, C, H, W), with even H and W where it is pooled. The gradient goes to the pixel that won, if it is positive,
    and from there through batch norm. Kept is the input, and what the kernel in use wants besides.
    """

    def __init__(self, eps: float, pool: bool = False) -> None:
        super().__init__(eps)
        self.pool = pool

    def normalised(self, x: Any, dtype: Any, weight: Any, bias: Any) -> Any:
        self.bias = bias
        if not x.size:
            halves = (x.shape[2] // 2, x.shape[3] // 2) if self.pool else x.shape[2:]
            return np.zeros((*x.shape[:2], *halves), dtype)
        run = kernels.kernel("batch_norm_relu")
        y, self.mean, self.variance, self.kept = run(
            working(x, dtype), in_float64(weight), in_float64(bias), self.eps, self.pool
        )
        return y.astype(dtype, copy=False)

    def backward(self, grad: Any) -> Any:
        x = self.x
        if not x.size:
            nothing = np.zeros(x.shape[1], grad.dtype)
            return handed_back(self, x, np.zeros(x.shape, grad.dtype), nothing, nothing.copy())
        scale = inverse_root(self.variance + self.eps)
        dtype = grad.dtype
        found = kernels.kernel("batch_norm_relu_backward")(
            working(grad, dtype), working(x, dtype), in_float64(self.weight), in_float64(self.bias), self.mean, scale,
            self.pool, self.kept, wanted(self),
        )  # fmt: skip
        return handed_back(self, x, *found)

    def composite(self, x: Any, weight: Any = None, bias: Any = None) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        y = ReLUFunction.composite(super().composite(x, weight, bias))
        return MaxPoolFunction(by.PAIRS)(y) if self.pool else y


def _fused(layers: list[Any], at: int) -> Fused | None:
    """For a BatchNorm2d at that place: the layers that can run with it, and how."""
    norm = layers[at]
    following = layers[at + 1 : at + 3]
    if not following or type(following[0]) is not ReLU or not norm.training:
        return None
    if norm.weight is None or not norm.weight.requires_grad:
        return None  # it may not be recorded, and the way back may be by hand
    run = kernels.kernel("batch_norm_relu")
    if run is by.batch_norm_relu or run is by.batch_norm_relu_loops:
        return None  # it would do one after the other, and so does Sequential
    pool = len(following) == 2 and type(following[1]) is MaxPool2d and _pairs(following[1])

    def forward(x: Tensor) -> tuple[Tensor, int]:
        norm.check(x, norm.ranks, norm.shapes)
        pooled = pool and all(size > 0 and size % 2 == 0 for size in x.shape[2:])
        return norm.normalised(BatchNormReLUFunction(norm.eps, pooled), x), 2 + pooled

    return 2 + pool, forward


def _pairs(layer: MaxPool2d) -> bool:
    return layer.window == by.PAIRS and not layer.return_indices and not layer.ceil_mode


fusions[BatchNorm2d] = _fused
