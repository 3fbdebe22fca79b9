"""Convolution as seven loops: the definition, and what the fast kernels are held against."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_vision.window import Pair, Window

__all__ = ["conv2d", "conv2d_backward"]


def conv2d(x: Any, weight: Any, bias: Any, window: Window) -> Any:
    """y[n, o, h, w] = b[o] + Σ_{c, i, j} weight[o, c, i, j] · x[n, c of the group, h s - p + i d, w s - p + j d].

    x (N, C, H, W), weight (O, C / groups, kh, kw), bias (O,) or None; gives (N, O, H', W'). Pixels outside of the
    image are 0.
    """
    (n, _, height, width), (o, c, kh, kw) = x.shape, weight.shape
    places = window.output((height, width), "conv2d")
    y = np.zeros((n, o, *places), x.dtype)
    per_group = o // window.groups
    for image in range(n):
        for out in range(o):
            first = out // per_group * c
            for row in range(places[0]):
                for column in range(places[1]):
                    total = 0.0 if bias is None else float(bias[out])
                    for channel in range(c):
                        for i in range(kh):
                            for j in range(kw):
                                at = _pixel(window, row, column, i, j)
                                if 0 <= at[0] < height and 0 <= at[1] < width:
                                    total += float(weight[out, channel, i, j]) * float(
                                        x[(image, first + channel, *at)]
                                    )
                    y[image, out, row, column] = total
    return y


def conv2d_backward(
    x: Any, weight: Any, grad: Any, window: Window, image: Pair, needs: tuple[bool, bool]
) -> tuple[Any, Any]:
    """The same walk, with each product handing its share of the gradient to both of its factors.

    dx[pixel] += weight · grad, dweight += x[pixel] · grad. `image` is (H, W) of x. What `needs` does not ask for
    is None, and the operand that only it would take may be None, too: x for the weight's, weight for x's.
    """
    n, o, rows, columns = grad.shape
    kh, kw = window.size
    c = weight.shape[1] if weight is not None else x.shape[1] // window.groups
    per_group = o // window.groups
    dx = np.zeros((n, c * window.groups, *image)) if needs[0] else None
    dw = np.zeros((o, c, kh, kw)) if needs[1] else None
    for sample in range(n):
        for out in range(o):
            first = out // per_group * c
            for row in range(rows):
                for column in range(columns):
                    g = float(grad[sample, out, row, column])
                    for channel in range(c):
                        for i in range(kh):
                            for j in range(kw):
                                at = _pixel(window, row, column, i, j)
                                if not (0 <= at[0] < image[0] and 0 <= at[1] < image[1]):
                                    continue
                                place = (sample, first + channel, *at)
                                if dx is not None:
                                    dx[place] += g * float(weight[out, channel, i, j])
                                if dw is not None:
                                    dw[out, channel, i, j] += g * float(x[place])
    dtype = grad.dtype
    return None if dx is None else dx.astype(dtype), None if dw is None else dw.astype(dtype)


def _pixel(window: Window, row: int, column: int, i: int, j: int) -> Pair:
    """Which pixel tap (i, j) of the window at (row, column) is on; outside of the image in the padding."""
    return (
        row * window.stride[0] - window.padding[0][0] + i * window.dilation[0],
        column * window.stride[1] - window.padding[1][0] + j * window.dilation[1],
    )
