"""The compiled convolution: Winograd's where it suits, else NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_perf.compiled import winograd
from tt_perf.compiled.lanes import LANES
from tt_perf.compiled.table import fallback

__all__ = ["conv2d", "conv2d_backward"]

SMALL = 1 << 20
"""Multiplications up to which preparing the filters would cost more than is spared."""

WORTH = 1 << 24
"""Multiplications that are worth a thread."""


def conv2d(x: Any, weight: Any, bias: Any, window: Any) -> Any:
    """See tt_vision.kernels.conv_loops. x (N, C, H, W), weight (O, C / groups, kh, kw), y (N, O, H', W')."""
    if _suits(x, weight, window) and x.dtype == np.float32 and (bias is None or bias.dtype == np.float32):
        places = window.output(x.shape[2:], "conv2d")
        work = _work(weight.shape, places)
        if work * len(x) >= SMALL:
            images = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
            row = None if bias is None else np.ascontiguousarray(bias)
            y = winograd.forward(images, weight, row, window.padding, places, _least(work))
            if y is not None:
                return y.transpose(0, 3, 1, 2)
    return fallback("conv2d")(x, weight, bias, window)


def conv2d_backward(
    x: Any, weight: Any, grad: Any, window: Any, image: tuple[int, int], needs: tuple[bool, bool]
) -> tuple[Any, Any]:
    """See tt_vision.kernels.conv_loops: (dx, dweight), None for what is not asked for."""
    c = weight.shape[1] if weight is not None else x.shape[1]
    o, places = grad.shape[1], grad.shape[2:]
    whole = (not needs[1] or (x is not None and x.dtype == np.float32)) and (
        not needs[0] or (weight is not None and weight.dtype == np.float32)
    )
    work = _work((o, c), places)
    if whole and grad.dtype == np.float32 and _fits(c, o, window) and work * len(grad) >= SMALL:
        images = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if needs[1] else None
        g = np.ascontiguousarray(grad.transpose(0, 2, 3, 1))
        found = winograd.backward(images, weight, g, window.padding, image, needs, _least(work))
        if found is not None:
            dx, dw = found
            return None if dx is None else dx.transpose(0, 3, 1, 2), dw
    back: tuple[Any, Any] = fallback("conv2d_backward")(x, weight, grad, window, image, needs)
    return back


def _suits(x: Any, weight: Any, window: Any) -> bool:
    return weight.dtype == np.float32 and _fits(x.shape[1], len(weight), window)


def _fits(c: int, o: int, window: Any) -> bool:
    """Is the window one of three by three that moves by one pixel, and do the channels fill registers?"""
    return (
        (window.size, window.stride, window.dilation, window.groups) == ((3, 3), (1, 1), (1, 1), 1)
        and c % LANES == 0
        and o % LANES == 0
        and min(c, o) > 0
        and all(pad <= 2 for pads in window.padding for pad in pads)
    )


def _work(filters: tuple[int, ...], places: tuple[int, int]) -> int:
    """Multiplications for one image, without Winograd."""
    return 9 * filters[0] * filters[1] * places[0] * places[1]


def _least(work: int) -> int:
    """How many images are worth a thread."""
    return max(1, -(-WORTH // max(work, 1)))
