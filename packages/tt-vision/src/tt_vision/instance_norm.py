"""InstanceNorm1d, InstanceNorm2d: each channel of each image brought to mean 0 and variance 1.

A group norm with a group for each channel. Unlike it, and like batch norm, it may keep running statistics for eval().
"""

from __future__ import annotations

import math
from typing import Any

from tt_tensor import Tensor, as_tensor
from tt_tensor.arguments import number
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.batch_norm import BatchNormEvalFunction
from tt_vision.channel_norm import RunningNorm, given, update_running
from tt_vision.group_norm import GroupNormFunction

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "instance_norm"]


def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / √(variance + eps) · weight + bias, for each channel of each image.

    With `use_input_stats`, mean and (biased) variance are the image's own, and the running ones, if there are any, move
    towards their means over the batch in place, as in `batch_norm`. Otherwise the running ones normalise.

    Args:
        input: (N, C, L), (N, C, H, W) or with more axes, floating; float16 is computed in float32.
        running_mean, running_var: (C,), or None.
        weight, bias: (C,), or None.

    Raises ShapeError where shapes do not fit, and with `use_input_stats` for one pixel per channel; DTypeError for
    integers; ArgumentError without running values where they are needed, or for numbers that are none.
    Source: Ulyanov, Vedaldi & Lempitsky, 2016, arXiv:1607.08022.
    """
    x = as_tensor(input)
    eps, momentum = number("instance_norm", "eps", eps), number("instance_norm", "momentum", momentum)
    if (running_mean is None) != (running_var is None):
        raise ArgumentError("instance_norm: give both running_mean and running_var, or None for both")
    running = None if running_mean is None else (as_tensor(running_mean), as_tensor(running_var))
    if not use_input_stats:
        if running is None:
            raise ArgumentError(
                "instance_norm: without use_input_stats, running_mean and running_var are needed"
            )
        return BatchNormEvalFunction(*running, eps)(x, *given(weight, bias))
    function = _of_image("instance_norm", x, eps)
    y = function(x, *given(weight, bias))
    if running is not None:
        _update("instance_norm", running, function, momentum)
    return y


def _of_image(what: str, x: Tensor, eps: float) -> GroupNormFunction:
    """The Function that normalises x, a group for each channel. Raises ShapeError for one pixel per channel."""
    if x.ndim < 3 or math.prod(x.shape[2:]) == 1:
        raise ShapeError(
            f"{what}: an input of shape {x.shape} has one pixel per channel, and no variance; more than one is needed, "
            "(N, C, L) or (N, C, H, W)"
        )
    return GroupNormFunction(max(x.shape[1], 1), eps)


def _update(what: str, running: tuple[Tensor, Tensor], function: GroupNormFunction, momentum: float) -> None:
    """Move the running values towards the means over the batch."""
    x = function.x
    if x.size:
        mean, variance = function.mean.mean(axis=0), function.variance.mean(axis=0)
        update_running(what, running, mean, variance, math.prod(x.shape[2:]), momentum)


class _InstanceNorm(RunningNorm):
    dims: int
    shapes: str
    _alone = False

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype, bias=bias)

    def forward(self, x: Any) -> Tensor:
        x = as_tensor(x)
        self.check(x, (self.dims + 1, self.dims + 2), self.shapes, x.ndim - self.dims - 1)
        alone = x.ndim == self.dims + 1
        self.__dict__["_alone"] = alone
        return self._of_batch(x[None])[0] if alone else self._of_batch(x)

    def _of_batch(self, x: Tensor) -> Tensor:
        running = self.running()
        if running is not None and not self.training:
            return self.compute(BatchNormEvalFunction(*running, self.eps), x, *given(self.weight, self.bias))
        what = type(self).__name__
        function = _of_image(what, x, self.eps)
        y = self.compute(function, x, *given(self.weight, self.bias))
        if running is not None:
            _update(what, running, function, self.momentum or 0.0)
        return y

    def backward(self, grad: Any) -> Any:
        """The gradient through the last forward, of one image where that was of one."""
        return super().backward(as_tensor(grad)[None])[0] if self._alone else super().backward(grad)


class InstanceNorm2d(_InstanceNorm):
    """(x - mean) / √(variance + eps) · weight + bias for each channel of each image: see `functional.instance_norm`.

    Args:
        num_features: C of the input (N, C, H, W) or (C, H, W).
        eps: is added to the variance.
        momentum: the weight of a new value in the running ones; with None they stay as they are.
        affine: whether there is a weight, and with `bias` a bias; unlike in BatchNorm2d, by default not.
        track_running_stats: whether there are running values, which eval() normalises with; by default not.
        dtype: of parameters and running values; float32 by default.

    Parameters: `weight` (ones) and `bias` (zeros). Buffers: `running_mean`, `running_var`, and `num_batches_tracked`,
    which stays 0, as in PyTorch.

    Raises ShapeError for another shape, and for one pixel per channel where the image's own statistics are taken.
    """

    dims, shapes = 2, "(N, C, H, W) or (C, H, W)"


class InstanceNorm1d(_InstanceNorm):
    """InstanceNorm2d for (N, C, L) or (C, L): C channels of L samples each."""

    dims, shapes = 1, "(N, C, L) or (C, L)"
