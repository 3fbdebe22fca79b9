"""What the normalisations share: shapes, a weight and a bias for each channel, running statistics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import Module, Parameter
from tt_tensor import Function, Tensor, as_tensor
from tt_tensor.arguments import number, whole_number
from tt_tensor.errors import DTypeError, ShapeError

__all__ = [
    "RunningNorm",
    "affine",
    "checked",
    "given",
    "handed_back",
    "in_float64",
    "planes",
    "update_running",
    "wanted",
    "working",
]


def checked(what: str, x: Any, weight: Any, bias: Any) -> Any:
    """The dtype of the result, for an input (N, C, …) and (C,) or None each.

    Raises ShapeError where shapes do not fit, DTypeError for integers.
    """
    if x.dtype.kind != "f":
        raise DTypeError(f"{what}: the input is {x.dtype}; use x.astype('float32') first")
    if x.ndim < 2:
        raise ShapeError(f"{what}: the input has shape {x.shape}; it must be (N, C, …)")
    dtype = x.dtype
    for name, part in (("weight", weight), ("bias", bias)):
        if part is None:
            continue
        if part.shape != x.shape[1:2]:
            raise ShapeError(
                f"{what}: {name} has shape {part.shape}, but the input {x.shape} has {x.shape[1]} channels; "
                "there must be one number for each"
            )
        if part.dtype != dtype:
            dtype = np.result_type(dtype, part.dtype)
    return dtype


def working(x: Any, dtype: Any) -> Any:
    """x in `dtype`, or in float32 where that is float16."""
    return x.astype(np.float32 if dtype == np.float16 else dtype, copy=False)


def planes(x: Any, dtype: Any) -> Any:
    """(N, C, …) as (N, C, P) with P pixels, in the dtype to work in."""
    x = working(x, dtype)
    return x if x.ndim == 3 else x.reshape(*x.shape[:2], math.prod(x.shape[2:]))


def in_float64(part: Any) -> Any:
    """A weight or a bias in float64; None stays None."""
    return None if part is None else part.astype(np.float64)


def wanted(function: Function) -> tuple[bool, bool, bool]:
    """Of input, weight and bias: whose gradients are asked for?"""
    count = len(function.inputs)
    return function.wants(0), count > 1 and function.wants(1), count > 2 and function.wants(2)


def handed_back(function: Function, grad: Any, dx: Any, dw: Any, db: Any) -> tuple[Any, ...]:
    """The gradients in the shapes of the inputs and the dtype of `grad`, as many as there are inputs."""
    if dx is not None:
        dx = dx.reshape(grad.shape)
    found = [None if g is None else g.astype(grad.dtype, copy=False) for g in (dx, dw, db)]
    return tuple(found[: len(function.inputs)])


def affine(y: Any, weight: Any, bias: Any) -> Any:
    """y weight + bias, on Tensors."""
    shape = (1, y.shape[1]) + (1,) * (y.ndim - 2)
    y = y if weight is None else y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def given(*parameters: Any) -> tuple[Any, ...]:
    """`parameters` up to the last one that is not None, as Tensors."""
    found = list(parameters)
    while found and found[-1] is None:
        found.pop()
    return tuple(part if part is None else as_tensor(part) for part in found)


def update_running(
    what: str, running: tuple[Tensor, Tensor], mean: Any, variance: Any, count: int, momentum: float
) -> None:
    """running = (1 - momentum) running + momentum new, in place; the new variance is the unbiased one.

    `variance` is the biased one of `count` values; no values say nothing. Raises ShapeError for running values of
    another number of channels.
    """
    for name, tensor in zip(("mean", "variance"), running, strict=True):
        if tensor.shape != mean.shape:
            raise ShapeError(
                f"{what}: the running {name} has shape {tensor.shape}, but the input has {len(mean)} channels; "
                "there must be one number for each"
            )
    if count > 1:
        for tensor, new in zip(running, (mean, variance * (count / (count - 1))), strict=True):
            tensor.write(tensor.array * (1 - momentum) + momentum * new)


class RunningNorm(Module):
    """A layer with a weight and a bias for each channel, and running statistics, under PyTorch's names."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    may_lack = ("num_batches_tracked",)  # PyTorch's have it since 0.4.1, and it loads older ones

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        what = type(self).__name__
        self.num_features = whole_number(what, "num_features", num_features)
        self.eps = number(what, "eps", eps)
        self.momentum = None if momentum is None else number(what, "momentum", momentum)
        self.affine, self.track_running_stats = bool(affine), bool(track_running_stats)
        ones, zeros = np.ones(self.num_features, np.float32), np.zeros(self.num_features, np.float32)
        self.weight = Parameter(ones, dtype=dtype) if affine else None
        self.bias = Parameter(zeros, dtype=dtype) if affine and bias else None
        dtype = np.float32 if dtype is None else dtype
        self.register_buffer("running_mean", Tensor(zeros, dtype) if track_running_stats else None)
        self.register_buffer("running_var", Tensor(ones, dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", Tensor(0, np.int64) if track_running_stats else None)

    def reset_running_stats(self) -> None:
        """Running mean 0, running variance 1, no batches seen."""
        for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if buffer is not None:
                buffer.write(value)

    def reset_parameters(self) -> None:
        """Ones into the weight, zeros into the bias, and no running statistics."""
        self.reset_running_stats()
        if self.weight is not None:
            self.weight.write(1)
        if self.bias is not None:
            self.bias.write(0)

    def running(self) -> tuple[Tensor, Tensor] | None:
        """Running mean and variance, where there are any."""
        if self.running_mean is None or self.running_var is None:
            return None
        return self.running_mean, self.running_var

    def check(self, x: Tensor, ranks: tuple[int, ...], shapes: str, axis: int = 1) -> None:
        """Raise ShapeError unless x has one of `ranks` axes, and the channels along `axis`."""
        if x.ndim not in ranks:
            raise ShapeError(f"{type(self).__name__}: the input has shape {x.shape}; it must be {shapes}")
        if x.shape[axis] != self.num_features:
            raise ShapeError(
                f"{type(self).__name__}: an input of shape {x.shape} has {x.shape[axis]} channels, but num_features "
                f"is {self.num_features}"
            )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )
