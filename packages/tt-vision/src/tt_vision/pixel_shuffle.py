"""PixelShuffle: r² channels become r · r pixels, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import Module, shards
from tt_tensor import Function, Tensor, as_tensor
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ShapeError
from tt_tensor.ops.plain import raw
from tt_vision.channels import channels_first
from tt_vision.kernels.taps import WORTH

__all__ = [
    "PixelShuffle",
    "PixelShuffleFunction",
    "PixelUnshuffle",
    "PixelUnshuffleFunction",
    "pixel_shuffle",
    "pixel_unshuffle",
]


class PixelShuffleFunction(Function):
    """y[…, c, h r + i, w r + j] = x[…, c r² + i r + j, h, w]: the gradient goes back the same way."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def forward(self, x: Any) -> Any:
        x, r = raw(x), self.factor
        if x.ndim < 3 or x.shape[-3] % (r * r):
            raise ShapeError(
                f"pixel_shuffle: an input of shape {x.shape}; it must be (…, C, H, W) with C divisible by "
                f"{r} · {r} = {r * r}"
            )
        *lead, channels, high, wide = x.shape
        n, c = math.prod(lead), channels // (r * r)
        # (N, C, r, r, H, W) → (N, H, r, W, r, C), the channels last.
        parts = x.reshape(n, c, r, r, high, wide).transpose(0, 4, 2, 5, 3, 1)
        y = _copied(parts).reshape(n, high * r, wide * r, c)
        return channels_first(y).reshape(*lead, c, high * r, wide * r)

    def backward(self, grad: Any) -> Any:
        function = PixelUnshuffleFunction(self.factor)
        return function(grad) if isinstance(grad, Tensor) else function.forward(grad)


class PixelUnshuffleFunction(Function):
    """y[…, c r² + i r + j, h, w] = x[…, c, h r + i, w r + j]: the gradient goes back the same way."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def forward(self, x: Any) -> Any:
        x, r = raw(x), self.factor
        if x.ndim < 3 or x.shape[-2] % r or x.shape[-1] % r:
            raise ShapeError(
                f"pixel_unshuffle: an input of shape {x.shape}; it must be (…, C, H, W) with H and W divisible by {r}"
            )
        *lead, c, tall, broad = x.shape
        n, high, wide = math.prod(lead), tall // r, broad // r
        # (N, C, H, r, W, r) → (N, H, W, C, r, r), the channels last.
        parts = x.reshape(n, c, high, r, wide, r).transpose(0, 2, 4, 1, 3, 5)
        y = _copied(parts).reshape(n, high, wide, c * r * r)
        return channels_first(y).reshape(*lead, c * r * r, high, wide)

    def backward(self, grad: Any) -> Any:
        function = PixelShuffleFunction(self.factor)
        return function(grad) if isinstance(grad, Tensor) else function.forward(grad)


def _copied(parts: Any) -> Any:
    """`parts` in this order in memory; the images are shared out to threads."""
    copied = np.empty(parts.shape, parts.dtype)

    def body(start: int, stop: int, part: int) -> None:
        copied[start:stop] = parts[start:stop]

    if copied.size:
        shards.run(body, len(parts), -(-WORTH * len(parts) // copied.size))
    return copied


def pixel_shuffle(input: Any, upscale_factor: int) -> Tensor:
    """y[…, c, h r + i, w r + j] = input[…, c r² + i r + j, h, w]; see PixelShuffle."""
    return PixelShuffleFunction(whole_number("pixel_shuffle", "upscale_factor", upscale_factor, 1))(
        as_tensor(input)
    )


def pixel_unshuffle(input: Any, downscale_factor: int) -> Tensor:
    """y[…, c r² + i r + j, h, w] = input[…, c, h r + i, w r + j]; see PixelUnshuffle."""
    return PixelUnshuffleFunction(whole_number("pixel_unshuffle", "downscale_factor", downscale_factor, 1))(
        as_tensor(input)
    )


class PixelShuffle(Module):
    """y[…, c, h r + i, w r + j] = x[…, c r² + i r + j, h, w], with r = upscale_factor.

    (…, C r², H, W) gives (…, C, H r, W r).

    Raises ArgumentError for a factor below 1, ShapeError where the channels are not divisible by r².
    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
    Neural Network", 2016.
    """

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = whole_number("PixelShuffle", "upscale_factor", upscale_factor, 1)

    def forward(self, x: Any) -> Tensor:
        return self.compute(PixelShuffleFunction(self.upscale_factor), x)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """y[…, c r² + i r + j, h, w] = x[…, c, h r + i, w r + j], with r = downscale_factor.

    (…, C, H r, W r) gives (…, C r², H, W). The inverse of PixelShuffle.

    Raises ArgumentError for a factor below 1, ShapeError where height or width are not divisible by r.
    """

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = whole_number("PixelUnshuffle", "downscale_factor", downscale_factor, 1)

    def forward(self, x: Any) -> Tensor:
        return self.compute(PixelUnshuffleFunction(self.downscale_factor), x)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
