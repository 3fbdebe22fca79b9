"""GroupNorm: groups of channels of one image brought to mean 0 and variance 1, whatever the batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import Module, Parameter
from tt_tensor import Function, Tensor, as_tensor, kernels
from tt_tensor.arguments import number, whole_number
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.channel_norm import affine, checked, given, handed_back, in_float64, planes, wanted
from tt_vision.kernels import group_norm as by
from tt_vision.kernels.batch_norm import inverse_root

__all__ = ["GroupNorm", "GroupNormFunction", "group_norm"]

kernels.register("group_norm", "loops", by.group_norm_loops)
kernels.register("group_norm", "numpy", by.group_norm, default=True)
kernels.register("group_norm_backward", "loops", by.group_norm_backward_loops)
kernels.register("group_norm_backward", "numpy", by.group_norm_backward, default=True)


class GroupNormFunction(Function):
    """y = x̂ w + b, x̂ = (x - mean) r, r = 1 / √(variance + eps), over C / groups channels of each of N images.

    With d = grad w: dx = r (d - mean(d) - x̂ mean(d x̂)) over the group, dw = Σ grad x̂ and db = Σ grad for a channel.
    It keeps the input itself and no second copy of it. The forward leaves `mean` and `variance`, (N, groups).
    """

    def __init__(self, groups: int, eps: float) -> None:
        self.groups, self.eps = groups, eps

    def forward(self, x: Any, weight: Any = None, bias: Any = None) -> Any:
        dtype = checked("group_norm", x, weight, bias)
        if x.shape[1] % self.groups:
            raise ShapeError(
                f"group_norm: the {x.shape[1]} channels of an input of shape {x.shape} cannot be shared out to "
                f"{self.groups} groups"
            )
        self.x, self.weight = x, weight
        self.mean = self.variance = np.zeros((x.shape[0], self.groups))
        if not x.size:
            return np.zeros(x.shape, dtype)
        y, self.mean, self.variance = kernels.kernel("group_norm")(
            planes(x, dtype), self.groups, in_float64(weight), in_float64(bias), self.eps
        )
        return y.reshape(x.shape).astype(dtype, copy=False)

    def backward(self, grad: Any) -> Any:
        if not grad.size:
            nothing = np.zeros(grad.shape[1], grad.dtype)
            return handed_back(self, grad, grad.copy(), nothing, nothing.copy())
        scale = inverse_root(self.variance + self.eps)
        x, g = planes(self.x, grad.dtype), planes(grad, grad.dtype)
        run = kernels.kernel("group_norm_backward")
        found = run(g, x, self.groups, in_float64(self.weight), self.mean, scale, wanted(self))
        return handed_back(self, grad, *found)

    def composite(self, x: Any, weight: Any = None, bias: Any = None) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        n, size = x.shape[0], x.shape[1] // self.groups * math.prod(x.shape[2:])
        rows, share = x.reshape(n, self.groups, size), 1 / max(size, 1)
        off = rows - np.sum(rows, axis=2, keepdims=True) * share
        variance = np.sum(off * off, axis=2, keepdims=True) * share
        return affine((off / np.sqrt(variance + self.eps)).reshape(x.shape), weight, bias)


def group_norm(
    input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """(x - mean) / √(variance + eps) · weight + bias, for each group of C / num_groups channels of each image.

    Args:
        input: (N, C), (N, C, L), (N, C, H, W) or with more axes, floating; float16 is computed in float32.
        num_groups: divides C. With 1 the whole image is one group, with C each channel.
        weight, bias: (C,), or None.
        eps: is added to the (biased) variance.

    Raises ShapeError where shapes do not fit, and as PyTorch for a batch of 1 with one value per group; DTypeError for
    integers; ArgumentError for numbers that are none. Source: Wu & He, 2018, arXiv:1803.08494.
    """
    x = as_tensor(input)
    groups = whole_number("group_norm", "num_groups", num_groups, 1)
    function = GroupNormFunction(groups, number("group_norm", "eps", eps))
    _check(x, groups)
    return function(x, *given(weight, bias))


def _check(x: Tensor, groups: int) -> None:
    """Raise ShapeError for a batch of 1 with one value per group."""
    if x.ndim > 1 and x.size == groups and x.shape[0] == 1:
        raise ShapeError(
            f"group_norm: an input of shape {x.shape} in {groups} groups has one value per group, and no variance; "
            "use fewer groups"
        )


class GroupNorm(Module):
    """(x - mean) / √(variance + eps) · weight + bias over groups of channels: see `functional.group_norm`.

    Args:
        num_groups: divides num_channels.
        num_channels: C of the input (N, C, …).
        eps: is added to the variance.
        affine: whether there is a weight, and with `bias` a bias.
        dtype: of the parameters; float32 by default.

    Parameters: `weight` (ones) and `bias` (zeros) of shape (C,). It is the same in training and in eval.

    Raises ArgumentError for numbers that do not divide.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        self.num_groups = whole_number("GroupNorm", "num_groups", num_groups, 1)
        self.num_channels = whole_number("GroupNorm", "num_channels", num_channels)
        if self.num_channels % self.num_groups:
            raise ArgumentError(
                f"GroupNorm: {num_channels} channels cannot be shared out to {num_groups} groups; num_groups must "
                "divide num_channels"
            )
        self.eps, self.affine = number("GroupNorm", "eps", eps), bool(affine)
        ones, zeros = np.ones(self.num_channels, np.float32), np.zeros(self.num_channels, np.float32)
        self.weight = Parameter(ones, dtype=dtype) if affine else None
        self.bias = Parameter(zeros, dtype=dtype) if affine and bias else None

    def reset_parameters(self) -> None:
        """Ones into the weight, zeros into the bias."""
        if self.weight is not None:
            self.weight.write(1)
        if self.bias is not None:
            self.bias.write(0)

    def forward(self, x: Any) -> Tensor:
        x = as_tensor(x)
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ShapeError(
                f"GroupNorm: the input has shape {x.shape}; it must be (N, {self.num_channels}, …), with num_channels "
                "second"
            )
        _check(x, self.num_groups)
        return self.compute(GroupNormFunction(self.num_groups, self.eps), x, *given(self.weight, self.bias))

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )
