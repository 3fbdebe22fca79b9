"""BatchNorm1d, BatchNorm2d: each channel brought to mean 0 and variance 1 over the batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor import Function, Tensor, as_tensor, kernels
from tt_tensor.arguments import number
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.channel_norm import (
    RunningNorm,
    affine,
    checked,
    given,
    handed_back,
    in_float64,
    planes,
    update_running,
    wanted,
)
from tt_vision.kernels import batch_norm as by

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNormEvalFunction", "BatchNormFunction", "batch_norm"]

for _name, _kernel, _backward in (
    ("loops", by.batch_norm_loops, by.batch_norm_backward_loops),
    ("whole", by.batch_norm_whole, by.batch_norm_backward_whole),
    ("blocked", by.batch_norm_blocked, by.batch_norm_backward_blocked),
):
    kernels.register("batch_norm", _name, _kernel)
    kernels.register("batch_norm_backward", _name, _backward)
kernels.register("batch_norm", "numpy", by.batch_norm, default=True)
kernels.register("batch_norm_backward", "numpy", by.batch_norm_backward, default=True)


class BatchNormFunction(Function):
    """y = x̂ w + b, x̂ = (x - mean) r, r = 1 / √(variance + eps), for each channel of (N, C, …).

    Over the M values of a channel: dw = Σ grad x̂, db = Σ grad, dx = w r (grad - (db + x̂ dw) / M). It keeps the input
    itself and no second copy of it. The forward leaves `mean`, `variance` (the biased one) and `count` = M.
    """

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, x: Any, weight: Any = None, bias: Any = None) -> Any:
        dtype = checked("batch_norm", x, weight, bias)
        self.x, self.weight = x, weight
        self.count = x.size // max(x.shape[1], 1)
        if self.count == 1:
            raise ShapeError(
                f"batch_norm: an input of shape {x.shape} has one value per channel, and no variance; in training "
                "more than one is needed: a larger batch (a last one of 1 goes with drop_last=True), or eval()"
            )
        self.mean = self.variance = np.zeros(x.shape[1])
        return self.normalised(x, dtype, weight, bias)

    def normalised(self, x: Any, dtype: Any, weight: Any, bias: Any) -> Any:
        """y, by the kernel in use, which leaves the mean and the variance."""
        if not x.size:
            return np.zeros(x.shape, dtype)
        y, self.mean, self.variance = kernels.kernel("batch_norm")(
            planes(x, dtype), in_float64(weight), in_float64(bias), self.eps
        )
        return y.reshape(x.shape).astype(dtype, copy=False)

    def backward(self, grad: Any) -> Any:
        return _back(self, grad, self.mean, self.variance, True)

    def composite(self, x: Any, weight: Any = None, bias: Any = None) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        axes, share = (0, *range(2, x.ndim)), 1 / max(x.size // max(x.shape[1], 1), 1)
        off = x - np.sum(x, axis=axes, keepdims=True) * share
        variance = np.sum(off * off, axis=axes, keepdims=True) * share
        return affine(off / np.sqrt(variance + self.eps), weight, bias)


class BatchNormEvalFunction(Function):
    """y = (x - mean) r w + b, r = 1 / √(variance + eps), with a mean and a variance from outside.

    dx = grad r w, dw = Σ grad (x - mean) r, db = Σ grad.
    """

    def __init__(self, mean: Any, variance: Any, eps: float) -> None:
        # Copies: running values may move before the rule is called.
        self.mean, self.variance = np.array(mean, np.float64), np.array(variance, np.float64)
        self.eps = eps

    def forward(self, x: Any, weight: Any = None, bias: Any = None) -> Any:
        dtype = checked("batch_norm", x, weight, bias)
        for name, part in (("mean", self.mean), ("variance", self.variance)):
            if part.shape != x.shape[1:2]:
                raise ShapeError(
                    f"batch_norm: the running {name} has shape {part.shape}, but the input {x.shape} has "
                    f"{x.shape[1]} channels; there must be one number for each"
                )
        self.x, self.weight = x, weight
        if not x.size:
            return np.zeros(x.shape, dtype)
        run = kernels.kernel("batch_norm")
        y = run(planes(x, dtype), in_float64(weight), in_float64(bias), self.eps, (self.mean, self.variance))[
            0
        ]
        return y.reshape(x.shape).astype(dtype, copy=False)

    def backward(self, grad: Any) -> Any:
        return _back(self, grad, self.mean, self.variance, False)

    def composite(self, x: Any, weight: Any = None, bias: Any = None) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        shape = (1, x.shape[1]) + (1,) * (x.ndim - 2)
        mean, scale = self.mean, by.inverse_root(self.variance + self.eps)
        y = (x - mean.astype(x.dtype).reshape(shape)) * scale.astype(x.dtype).reshape(shape)
        return affine(y, weight, bias)


def _back(
    function: BatchNormFunction | BatchNormEvalFunction, grad: Any, mean: Any, variance: Any, through: bool
) -> tuple[Any, ...]:
    """The gradients by the kernel in use; zeros where the input has no elements."""
    x = function.x
    if not grad.size:
        nothing = np.zeros(grad.shape[1], grad.dtype)
        return handed_back(function, grad, grad.copy(), nothing, nothing.copy())
    scale = by.inverse_root(variance + function.eps)
    found = kernels.kernel("batch_norm_backward")(
        planes(grad, grad.dtype),
        planes(x, grad.dtype),
        in_float64(function.weight),
        mean,
        scale,
        through,
        wanted(function),
    )
    return handed_back(function, grad, *found)


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / √(variance + eps) · weight + bias, for each channel.

    In training, mean and (biased) variance are the batch's, and the running ones, if there are any, move towards them
    in place: running = (1 - momentum) running + momentum new, where the new variance is the unbiased one. Otherwise
    the running ones normalise, and nothing changes.

    Args:
        input: (N, C), (N, C, L), (N, C, H, W) or with more axes, floating; float16 is computed in float32.
        running_mean, running_var: (C,), or None.
        weight, bias: (C,), or None.
        momentum: the weight of the new value.
        eps: is added to the variance.

    Raises ShapeError where shapes do not fit, and in training for one value per channel; DTypeError for integers;
    ArgumentError without running values outside of training, or for numbers that are none.
    Source: Ioffe & Szegedy, 2015, arXiv:1502.03167.
    """
    x = as_tensor(input)
    eps, momentum = number("batch_norm", "eps", eps), number("batch_norm", "momentum", momentum)
    if (running_mean is None) != (running_var is None):
        raise ArgumentError("batch_norm: give both running_mean and running_var, or None for both")
    running = None if running_mean is None else (as_tensor(running_mean), as_tensor(running_var))
    if not training:
        if running is None:
            raise ArgumentError("batch_norm: outside of training, running_mean and running_var are needed")
        return BatchNormEvalFunction(*running, eps)(x, *given(weight, bias))
    function = BatchNormFunction(eps)
    y = function(x, *given(weight, bias))
    if running is not None:
        update_running("batch_norm", running, function.mean, function.variance, function.count, momentum)
    return y


class _BatchNorm(RunningNorm):
    ranks: tuple[int, ...]
    shapes: str

    def forward(self, x: Any) -> Tensor:
        x = as_tensor(x)
        self.check(x, self.ranks, self.shapes)
        running = self.running()
        if running is not None and not self.training:
            return self.compute(BatchNormEvalFunction(*running, self.eps), x, *given(self.weight, self.bias))
        return self.normalised(BatchNormFunction(self.eps), x)

    def normalised(self, function: BatchNormFunction, x: Tensor) -> Tensor:
        """function(x), by the batch's mean and variance, towards which the running ones move."""
        y = self.compute(function, x, *given(self.weight, self.bias))
        running = self.running()
        if running is not None and self.num_batches_tracked is not None:
            batches = self.num_batches_tracked.item() + 1
            self.num_batches_tracked.write(batches)
            momentum = 1 / batches if self.momentum is None else self.momentum
            what = type(self).__name__
            update_running(what, running, function.mean, function.variance, function.count, momentum)
        return y


class BatchNorm2d(_BatchNorm):
    """(x - mean) / √(variance + eps) · weight + bias for each channel of (N, C, H, W): see `functional.batch_norm`.

    Args:
        num_features: C.
        eps: is added to the variance.
        momentum: the weight of a new value in the running ones; None: they are the plain mean of all so far.
        affine: whether there is a weight, and with `bias` a bias.
        track_running_stats: whether there are running values; without them, eval() takes the batch's, too.
        dtype: of parameters and running values; float32 by default.

    Parameters: `weight` (ones) and `bias` (zeros). Buffers: `running_mean`, `running_var`, `num_batches_tracked`.

    Each forward in training moves the running values, inside of no_grad(), too. A checkpoint runs its piece of the
    network twice and moves them twice, as PyTorch's does.

    Raises ShapeError for another shape, and in training for one value per channel.
    """

    ranks, shapes = (4,), "(N, C, H, W)"


class BatchNorm1d(_BatchNorm):
    """BatchNorm2d for (N, C), or for (N, C, L): C channels of L samples each."""

    ranks, shapes = (2, 3), "(N, C) or (N, C, L)"
