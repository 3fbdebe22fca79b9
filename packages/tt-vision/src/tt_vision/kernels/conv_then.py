"""A convolution and what follows it in one: the steps that define it, one after the other.

x is (N, C, H, W), as in conv_loops. All kernels have one signature:

    conv2d_then(x, weight, bias, scale, window, pool, relu, winners) -> y, won
    conv2d_pooled_backward(x, weight, grad, won, window, image, needs) -> dx, dweight

z = x ⋆ weight, with `pool` the greatest of each two by two of it (H' and W' are even then), y = z · scale + bias, with
`relu` max(y, 0). Scale and bias, one number for each channel, may be None. `won` says which of four it was, as
max_pool2d does, where `winners` asks for it, else None. `grad` is the gradient of the pooled z.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.activations import relu_loops
from tt_nn.blocks import positive_part
from tt_tensor import kernels
from tt_vision.kernels import conv_loops, conv_winograd
from tt_vision.kernels.batch_norm_relu import PAIRS
from tt_vision.kernels.conv_winograd_pooled import conv2d_pooled
from tt_vision.kernels.conv_winograd_pooled import conv2d_pooled_backward as winograd_pooled_backward
from tt_vision.kernels.max_pool import max_pool2d_loops
from tt_vision.kernels.max_pool_ways import max_pool2d_backward_loops
from tt_vision.window import Pair, Window

__all__ = [
    "conv2d_pooled_backward",
    "conv2d_pooled_backward_loops",
    "conv2d_then",
    "conv2d_then_loops",
    "scaled",
]


def conv2d_then_loops(
    x: Any, weight: Any, bias: Any, scale: Any, window: Window, pool: bool, relu: bool, winners: bool
) -> tuple[Any, Any]:
    """The loops of each."""
    z, won = conv_loops.conv2d(x, weight, None, window), None
    if pool:
        z, won = max_pool2d_loops(z, PAIRS)
    y = scaled(z, scale, bias)
    return relu_loops(y) if relu else y, won if winners else None


def conv2d_pooled_backward_loops(
    x: Any, weight: Any, grad: Any, won: Any, window: Window, image: Pair, needs: tuple[bool, bool]
) -> tuple[Any, Any]:
    """To the places that won, then back through the convolution."""
    places = (2 * grad.shape[2], 2 * grad.shape[3])
    return conv_loops.conv2d_backward(
        x, weight, max_pool2d_backward_loops(grad, won, PAIRS, places), window, image, needs
    )


def conv2d_then(
    x: Any, weight: Any, bias: Any, scale: Any, window: Window, pool: bool, relu: bool, winners: bool
) -> tuple[Any, Any]:
    """Winograd's with the pooling where that suits, else the kernels that there are without it."""
    added, found, won = None if scale is not None else bias, None, None
    if pool and conv_winograd.suits_images(x, len(weight), window):
        found = conv2d_pooled(x, weight, added, window, winners)
    if found is not None:
        z, won = found
    else:
        z = kernels.kernel("conv2d", "numpy")(x, weight, added, window)
        if pool:
            z, won = kernels.kernel("max_pool2d", "numpy")(z, PAIRS, winners)
    if scale is not None:
        z = scaled(z, scale, bias)
    return positive_part(z) if relu else z, won


def conv2d_pooled_backward(
    x: Any, weight: Any, grad: Any, won: Any, window: Window, image: Pair, needs: tuple[bool, bool]
) -> tuple[Any, Any]:
    """Winograd's where that suits, else the kernels that there are without it."""
    n, o, *halves = grad.shape
    places, found = (2 * halves[0], 2 * halves[1]), None
    if needs[0] and conv_winograd.suits(window, places, image, (n, o, weight.shape[1]), grad.dtype):
        found = winograd_pooled_backward(x if needs[1] else None, weight, grad, won, window, image)
    if found is None:
        g = kernels.kernel("max_pool2d_backward", "numpy")(grad, won, PAIRS, places)
        found = kernels.kernel("conv2d_backward", "numpy")(x, weight, g, window, image, needs)
    return found


def scaled(z: Any, scale: Any, bias: Any) -> Any:
    """z · scale + bias for each channel, of z's dtype; z itself where there is neither."""
    for part, apply in ((scale, np.multiply), (bias, np.add)):
        if part is not None:
            z = apply(z, part.astype(z.dtype, copy=False)[:, None, None])
    return z
