"""The compiled convolution: Winograd's where it suits, else a product that reads the image itself, else NumPy's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_perf.compiled import direct, winograd
from tt_perf.compiled.arrays import filled_up, whole
from tt_perf.compiled.lanes import LANES
from tt_perf.compiled.table import fallback
from tt_tensor import kernels

__all__ = ["conv2d", "conv2d_backward", "conv2d_pooled_backward", "conv2d_then"]

SMALL = 1 << 18
"""Multiplications up to which a call costs more than is spared."""

LARGE = 1 << 20
"""The same for the gradient of the filters of a direct convolution."""

FEW, FEW_BACK = 2, 8
"""Tiles up to which preparing the filters would cost more than Winograd spares."""

MOST_FILLED = 2
"""By how much the channels may grow where they are filled up to multiples of 16."""

WORTH = 1 << 24
"""Multiplications that are worth a thread."""


def conv2d(x: Any, weight: Any, bias: Any, window: Any) -> Any:
    """See tt_vision.kernels.conv_loops. x (N, C, H, W), weight (O, C / groups, kh, kw), y (N, O, H', W')."""
    found = _forward(x, weight, bias, None, window, False, -math.inf, False)
    return fallback("conv2d")(x, weight, bias, window) if found is None else found[0]


def conv2d_then(
    x: Any, weight: Any, bias: Any, scale: Any, window: Any, pool: bool, relu: bool, winners: bool
) -> tuple[Any, Any]:
    """See tt_vision.kernels.conv_then: the convolution, pooled, scaled and through a ReLU, and which place won."""
    found = _forward(x, weight, bias, scale, window, pool, 0.0 if relu else -math.inf, winners)
    if found is not None:
        return found
    if not pool:
        return fallback("conv2d_then")(x, weight, bias, scale, window, pool, relu, winners)  # type: ignore[no-any-return]
    if scale is None:
        bias, before = None, bias
    else:
        before = None
    z, won = kernels.kernel("max_pool2d")(conv2d(x, weight, before, window), _pairs(window), winners)
    for part, apply in ((scale, np.multiply), (bias, np.add)):
        if part is not None:
            z = apply(z, part.astype(z.dtype, copy=False)[:, None, None])
    return kernels.kernel("relu")(z) if relu else z, won


def _forward(
    x: Any, weight: Any, bias: Any, scale: Any, window: Any, pool: bool, least: float, winners: bool
) -> tuple[Any, Any] | None:
    """y and which place won, where Winograd's or the direct convolution suits; else None."""
    c, o, image = x.shape[1], len(weight), x.shape[2:]
    if not _are_float32(x, weight, bias, scale):
        return None
    places = window.output(image, "conv2d")
    work = weight.size * places[0] * places[1]
    if work * len(x) < SMALL:
        return None
    y = None
    winograds = _three_by_three(c, o, window) and _tiles(len(x), places) > FEW
    if winograds and not (pool and (places[0] % 2 or places[1] % 2)):
        y = winograd.forward(
            _images(x),
            weight,
            bias,
            window.padding,
            places,
            _least(work),
            scale,
            least,
            pool,
            winners and pool,
        )
    if y is None and not pool and direct.suits(c, o, window, image, places):
        y = direct.forward(x, weight, bias, window, places, _least(work), scale, least)
    if y is None:
        return None
    y, won = y if winners and pool else (y, None)
    return y.transpose(0, 3, 1, 2), None if won is None else won.transpose(0, 3, 1, 2)


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
    if _three_by_three(c, o, window) and _tiles(len(grad), places) > FEW_BACK:
        pixels = _images(x) if needs[1] else None
        found = winograd.backward(pixels, weight, _images(grad), window.padding, image, needs, _least(work))
        if found is not None:
            dx, dw = found
            return None if dx is None else dx.transpose(0, 3, 1, 2), dw
    large = work * len(grad) >= LARGE
    if large and needs[1] and o % LANES == 0 and direct.suits(c, o, window, image, places):
        dx = back(x, weight, grad, window, image, (True, False))[0] if needs[0] else None
        return dx, direct.weights(x, _images(grad), window, _least(work))
    return back(x, weight, grad, window, image, needs)  # type: ignore[no-any-return]


def conv2d_pooled_backward(
    x: Any, weight: Any, grad: Any, won: Any, window: Any, image: tuple[int, int], needs: tuple[bool, bool]
) -> tuple[Any, Any]:
    """See tt_vision.kernels.conv_then: (dx, dweight) of the gradient at the places that won."""
    c = x.shape[1] if needs[1] else weight.shape[1] * window.groups
    o, places = grad.shape[1], (2 * grad.shape[2], 2 * grad.shape[3])
    work = window.size[0] * window.size[1] * c * o * places[0] * places[1]
    known = (
        _are_float32(grad, x if needs[1] else None, weight if needs[0] else None) and won.dtype == np.uint8
    )
    winograds = _three_by_three(c, o, window) and _tiles(len(grad), places) > FEW_BACK
    if known and work * len(grad) >= SMALL and winograds:
        found = winograd.backward(
            _images(x) if needs[1] else None,
            weight,
            _images(grad),
            window.padding,
            image,
            needs,
            _least(work),
            won.transpose(0, 2, 3, 1),
        )
        if found is not None:
            dx, dw = found
            return None if dx is None else dx.transpose(0, 3, 1, 2), dw
    sent = kernels.kernel("max_pool2d_backward")(grad, won, _pairs(window), places)
    return conv2d_backward(x, weight, sent, window, image, needs)


def _pairs(window: Any) -> Any:
    """The window of the pooling, of the same type."""
    return type(window)((2, 2), (2, 2))


def _are_float32(*arrays: Any) -> bool:
    return all(array is None or array.dtype == np.float32 for array in arrays)


def _images(x: Any) -> Any:
    """(N, C, H, W) as a C-contiguous (N, H, W, C); no copy where it is stored so and may be written to."""
    return whole(x.transpose(0, 2, 3, 1))


def _three_by_three(c: int, o: int, window: Any) -> bool:
    """Is the window one of three by three that moves by one pixel, and do the channels about fill registers?"""
    return (
        (window.size, window.stride, window.dilation, window.groups) == ((3, 3), (1, 1), (1, 1), 1)
        and min(c, o) > 0
        and filled_up(c) * filled_up(o) <= MOST_FILLED * c * o
        and all(pad <= 2 for pads in window.padding for pad in pads)
    )


def _tiles(n: int, places: tuple[int, int]) -> int:
    """Four by four results each."""
    return n * -(-places[0] // 4) * -(-places[1] // 4)


def _least(work: int) -> int:
    """How many images are worth a thread, of so many multiplications each."""
    return max(1, -(-WORTH // max(work, 1)))
