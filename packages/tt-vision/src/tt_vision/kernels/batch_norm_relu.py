"""Batch norm, ReLU and max pooling by two by two in one: the steps that define it, one after the other.

x is (N, C, H, W). All kernels have one signature:

    batch_norm_relu(x, weight, bias, eps, pool) -> y, mean, variance, kept
    batch_norm_relu_backward(grad, x, weight, bias, mean, scale, pool, kept, needs) -> dx, dweight, dbias

`pool` says whether the greatest of each four pixels is taken; height and width are even then. `kept` is what the
forward leaves for the way back, if anything: with None, that works it out anew from x. For the rest see batch_norm.py.
"""

from __future__ import annotations

from typing import Any

from tt_nn.activations import relu_backward_loops, relu_loops
from tt_nn.blocks import kept_where_positive, positive_part
from tt_vision.kernels.batch_norm import (
    Needs,
    batch_norm,
    batch_norm_backward,
    batch_norm_backward_loops,
    batch_norm_loops,
)
from tt_vision.kernels.max_pool import max_pool2d, max_pool2d_loops
from tt_vision.kernels.max_pool_ways import max_pool2d_backward, max_pool2d_backward_loops
from tt_vision.window import Window

__all__ = [
    "PAIRS",
    "batch_norm_relu",
    "batch_norm_relu_backward",
    "batch_norm_relu_backward_loops",
    "batch_norm_relu_loops",
]

PAIRS = Window((2, 2), (2, 2))
"""The window of the pooling."""


def batch_norm_relu_loops(
    x: Any, weight: Any, bias: Any, eps: float, pool: bool
) -> tuple[Any, Any, Any, Any]:
    """y = max over the window of max(0, batch_norm(x))."""
    y, mean, variance = batch_norm_loops(_planes(x), weight, bias, eps)
    images = relu_loops(y.reshape(x.shape))
    won = None
    pooled = images
    if pool:
        pooled, won = max_pool2d_loops(images, PAIRS)
    return pooled, mean, variance, (images, won)


def batch_norm_relu_backward_loops(
    grad: Any,
    x: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    scale: Any,
    pool: bool,
    kept: Any,
    needs: Needs,
) -> tuple[Any, Any, Any]:
    """To the pixel that won, if it is positive, then back through batch norm."""
    if kept is None:
        y = batch_norm_loops(_planes(x), weight, bias, 0.0, (mean, 1 / (scale * scale)))[0]
        images = relu_loops(y.reshape(x.shape))
        kept = images, max_pool2d_loops(images, PAIRS)[1] if pool else None
    images, won = kept
    g = max_pool2d_backward_loops(grad, won, PAIRS, x.shape[2:]) if pool else grad
    g = relu_backward_loops(images, g)
    return _like(x, batch_norm_backward_loops(_planes(g), _planes(x), weight, mean, scale, True, needs))


def batch_norm_relu(x: Any, weight: Any, bias: Any, eps: float, pool: bool) -> tuple[Any, Any, Any, Any]:
    """The three kernels that there are without it."""
    y, mean, variance = batch_norm(_planes(x), weight, bias, eps)
    images = positive_part(y.reshape(x.shape))
    pooled, won = max_pool2d(images, PAIRS) if pool else (images, None)
    return pooled, mean, variance, (images, won)


def batch_norm_relu_backward(
    grad: Any,
    x: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    scale: Any,
    pool: bool,
    kept: Any,
    needs: Needs,
) -> tuple[Any, Any, Any]:
    """The three kernels that there are without it."""
    if kept is None:
        y, *_ = batch_norm(_planes(x), weight, bias, 0.0, (mean, 1 / (scale * scale)))
        images = positive_part(y.reshape(x.shape))
        kept = images, max_pool2d(images, PAIRS)[1] if pool else None
    images, won = kept
    g = max_pool2d_backward(grad, won, PAIRS, x.shape[2:]) if pool else grad
    g = kept_where_positive(images, g)
    return _like(x, batch_norm_backward(_planes(g), _planes(x), weight, mean, scale, True, needs))


def _planes(x: Any) -> Any:
    """(N, C, H, W) as (N, C, H W)."""
    return x.reshape(*x.shape[:2], x.shape[2] * x.shape[3])


def _like(x: Any, found: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    dx, dw, db = found
    return None if dx is None else dx.reshape(x.shape), dw, db
