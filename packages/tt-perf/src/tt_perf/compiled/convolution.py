"""The compiled convolution: Winograd's where it suits, else a product that reads the image itself, else NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_perf.compiled import direct, winograd
from tt_perf.compiled.arrays import whole
from tt_perf.compiled.lanes import LANES
from tt_perf.compiled.table import fallback

__all__ = ["conv2d", "conv2d_backward"]

SMALL = 1 << 20
"""Multiplications up to which preparing the filters would cost more than is spared."""

WORTH = 1 << 24
"""Multiplications that are worth a thread."""


def conv2d(x: Any, weight: Any, bias: Any, window: Any) -> Any:
    """See tt_vision.kernels.conv_loops. x (N, C, H, W), weight (O, C / groups, kh, kw), y (N, O, H', W')."""
    c, o, image = x.shape[1], len(weight), x.shape[2:]
    if _are_float32(x, weight, bias):
        places = window.output(image, "conv2d")
        work = weight.size * places[0] * places[1]
        if work * len(x) >= SMALL:
            row = None if bias is None else whole(bias)
            y = None
            if _three_by_three(c, o, window):
                y = winograd.forward(_images(x), weight, row, window.padding, places, _least(work))
            if y is None and direct.suits(c, o, window, image, places):
                y = direct.forward(_images(x), weight, row, window, places, _least(work))
            if y is not None:
                return y.transpose(0, 3, 1, 2)
    return fallback("conv2d")(x, weight, bias, window)


def conv2d_backward(
    x: Any, weight: Any, grad: Any, window: Any, image: tuple[int, int], needs: tuple[bool, bool]
) -> tuple[Any, Any]:
    """See tt_vision.kernels.conv_loops: (dx, dweight), None for what is not asked for."""
    c = x.shape[1] if needs[1] else weight.shape[1] * window.groups
    o, places = grad.shape[1], grad.shape[2:]
    work = window.size[0] * window.size[1] * c * o * places[0] * places[1]
    known = _are_float32(grad, x if needs[1] else None, weight if needs[0] else None)
    back = fallback("conv2d_backward")
    if not known or work * len(grad) < SMALL:
        return back(x, weight, grad, window, image, needs)  # type: ignore[no-any-return]
    if _three_by_three(c, o, window):
        pixels = _images(x) if needs[1] else None
        found = winograd.backward(pixels, weight, _images(grad), window.padding, image, needs, _least(work))
        if found is not None:
            dx, dw = found
            return None if dx is None else dx.transpose(0, 3, 1, 2), dw
    if needs[1] and direct.suits(c, o, window, image, places):
        dx = back(x, weight, grad, window, image, (True, False))[0] if needs[0] else None
        return dx, direct.weights(_images(x), _images(grad), window, _least(work))
    return back(x, weight, grad, window, image, needs)  # type: ignore[no-any-return]


def _are_float32(*arrays: Any) -> bool:
    return all(array is None or array.dtype == np.float32 for array in arrays)


def _images(x: Any) -> Any:
    """(N, C, H, W) as a C-contiguous (N, H, W, C); no copy where it is stored so and may be written to."""
    return whole(x.transpose(0, 2, 3, 1))


def _three_by_three(c: int, o: int, window: Any) -> bool:
    """Is the window one of three by three that moves by one pixel, and do the channels fill registers?"""
    return (
        (window.size, window.stride, window.dilation, window.groups) == ((3, 3), (1, 1), (1, 1), 1)
        and c % LANES == 0
        and o % LANES == 0
        and min(c, o) > 0
        and all(pad <= 2 for pads in window.padding for pad in pads)
    )


def _least(work: int) -> int:
    """How many images are worth a thread, of so many multiplications each."""
    return max(1, -(-WORTH // max(work, 1)))
