"""Convolution as one matrix product: every window becomes a row, every filter a column (im2col).

The windows of the whole batch are copied at once: kh · kw times the memory of the images. That is the idea; the
blocked kernels do it in pieces that a cache holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.products import matrix_product
from tt_vision.channels import channels_first
from tt_vision.window import Pair, Window

__all__ = ["conv2d", "conv2d_backward", "padded", "windows"]


def conv2d(x: Any, weight: Any, bias: Any, window: Window) -> Any:
    """y = (rows of windows) · (filters as columns) + b, one product for each group."""
    (n, _, height, width), (o, c, kh, kw) = x.shape, weight.shape
    places = window.output((height, width), "conv2d")
    groups = window.groups
    columns = windows(padded(x, window), window, places)  # (N, H', W', kh, kw, C)
    y = np.empty((n, *places, o), x.dtype)
    for group in range(groups):
        rows = columns[..., group * c : (group + 1) * c].reshape(n * places[0] * places[1], kh * kw * c)
        filters = weight[group * (o // groups) : (group + 1) * (o // groups)]
        matrix = filters.transpose(2, 3, 1, 0).reshape(kh * kw * c, o // groups)
        y[..., group * (o // groups) : (group + 1) * (o // groups)] = matrix_product(rows, matrix).reshape(
            n, *places, o // groups
        )
    if bias is not None:
        y += bias
    return channels_first(y)


def conv2d_backward(
    x: Any, weight: Any, grad: Any, window: Window, image: Pair, needs: tuple[bool, bool]
) -> tuple[Any, Any]:
    """dW = rowsᵀ · grad; d rows = grad · Wᵀ, and each window adds its part to the pixels that it was made of."""
    n, o, *places = grad.shape
    kh, kw = window.size
    groups = window.groups
    c = weight.shape[1] if weight is not None else x.shape[1] // groups
    per_group = o // groups
    g = grad.transpose(0, 2, 3, 1)
    dx = dw = None
    if needs[1]:
        columns = windows(padded(x, window), window, (places[0], places[1]))
        dw = np.empty((o, c, kh, kw), grad.dtype)
    if needs[0]:
        (top, bottom), (left, right) = window.padding
        around = np.zeros((n, image[0] + top + bottom, image[1] + left + right, c * groups), grad.dtype)
        taps = windows(around, window, (places[0], places[1]))  # views of what is added to
    for group in range(groups):
        channels, filters = (
            slice(group * c, (group + 1) * c),
            slice(group * per_group, (group + 1) * per_group),
        )
        rows = g[..., filters].reshape(n * places[0] * places[1], per_group)
        if dw is not None:
            some = columns[..., channels].reshape(len(rows), kh * kw * c)
            dw[filters] = matrix_product(some.T, rows).reshape(kh, kw, c, per_group).transpose(3, 2, 0, 1)
        if needs[0]:
            matrix = weight[filters].transpose(0, 2, 3, 1).reshape(per_group, kh * kw * c)
            dcolumns = matrix_product(rows, matrix).reshape(n, *places, kh, kw, c)
            # One tap after the other: within a tap, no two windows share a pixel.
            for i in range(kh):
                for j in range(kw):
                    taps[:, :, :, i, j, channels] += dcolumns[:, :, :, i, j]
    if needs[0]:
        inner = around[:, top : top + image[0], left : left + image[1]]
        dx = channels_first(np.ascontiguousarray(inner))
    return dx, dw


def padded(x: Any, window: Window) -> Any:
    """(N, C, H, W) as (N, H + padding, W + padding, C) with zeros around."""
    (top, bottom), (left, right) = window.padding
    n, c, height, width = x.shape
    around = np.zeros((n, height + top + bottom, width + left + right, c), x.dtype)
    around[:, top : top + height, left : left + width] = x.transpose(0, 2, 3, 1)
    return around


def windows(images: Any, window: Window, places: Pair) -> Any:
    """Every window of padded images (N, H, W, C), as a view (N, H', W', kh, kw, C)."""
    n, _, _, c = images.shape
    to_image, down, right, to_channel = images.strides
    (sh, sw), (dh, dw) = window.stride, window.dilation
    return np.lib.stride_tricks.as_strided(
        images,
        (n, *places, *window.size, c),
        (to_image, sh * down, sw * right, dh * down, dw * right, to_channel),
    )
