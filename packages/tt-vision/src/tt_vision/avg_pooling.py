"""AvgPool1d, AvgPool2d, GlobalAvgPool2d: the mean under each window."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import Module
from tt_tensor import Function, Tensor, as_tensor, kernels
from tt_tensor.errors import ArgumentError
from tt_vision.kernels import avg_pool
from tt_vision.on_images import OnImages, wide
from tt_vision.pooling import check_flags, make_window
from tt_vision.shares import AvgBins, AvgWindow, Shares, grid_of
from tt_vision.window import Pair, Window

__all__ = [
    "AvgPool1d",
    "AvgPool2d",
    "AvgPoolFunction",
    "AvgUnpoolFunction",
    "GlobalAvgPool2d",
    "GlobalAvgPoolFunction",
    "avg_pool1d",
    "avg_pool2d",
    "global_avg_pool2d",
]

for _name, _loops, _numpy in (
    ("avg_pool2d", avg_pool.avg_pool2d_loops, avg_pool.avg_pool2d),
    ("avg_pool2d_backward", avg_pool.avg_pool2d_backward_loops, avg_pool.avg_pool2d_backward),
):
    kernels.register(_name, "loops", _loops)
    kernels.register(_name, "numpy", _numpy, default=True)


class AvgPoolFunction(OnImages, Function):
    """y = Σ of the pixels of each place / its count: linear, each pixel gets grad / count from every place it is in."""

    what = "avg_pool"

    def __init__(self, shares: Shares) -> None:
        self.shares, self.dims = shares, shares.dims

    def forward(self, x: Any) -> Any:
        images = self.images(x)
        self.image = images.shape[2:]
        y = kernels.kernel("avg_pool2d")(wide(images), *grid_of(self.shares, self.image))
        return self.like(x, y.astype(x.dtype, copy=False))

    def backward(self, grad: Any) -> Any:
        return unpool(self, grad, self.shares, self.image)


class AvgUnpoolFunction(OnImages, Function):
    """x = for each pixel of an image of size `image`, Σ g / count over the places that it is in.

    What average pooling sends back; its own gradient is the average pool.
    """

    what = "avg_unpool"

    def __init__(self, shares: Shares, image: Pair) -> None:
        self.shares, self.image, self.dims = shares, image, shares.dims

    def forward(self, g: Any) -> Any:
        return unpool(self, g, self.shares, self.image)

    def backward(self, grad: Any) -> Any:
        if isinstance(grad, Tensor):
            return AvgPoolFunction(self.shares)(grad)
        return AvgPoolFunction(self.shares).forward(grad)


def unpool(function: OnImages, grad: Any, shares: Shares, image: Pair) -> Any:
    """A gradient sent back to the pixels; a Tensor by a Function."""
    if isinstance(grad, Tensor):
        return AvgUnpoolFunction(shares, image)(grad)
    g = function.images(grad, "gradient")
    dx = kernels.kernel("avg_pool2d_backward")(wide(g), *grid_of(shares, image))
    return function.like(grad, dx.astype(grad.dtype, copy=False))


class GlobalAvgPoolFunction(AvgPoolFunction):
    """y = the mean over height and width, (N, C) or (C,)."""

    what = "global_avg_pool"

    def __init__(self) -> None:
        super().__init__(AvgBins(1, 1))

    def forward(self, x: Any) -> Any:
        y = super().forward(x)
        return y.reshape(y.shape[:-2])

    def backward(self, grad: Any) -> Any:
        return super().backward(grad.reshape(*grad.shape, 1, 1))


def avg_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """y[n, c, h, w] = Σ over i < kh, j < kw of input[n, c, h s - p + i, w s - p + j] / (kh · kw).

    Zeros stand around the input. See AvgPool2d for the arguments, which are the same.
    """
    window = make_window("avg_pool2d", 2, kernel_size, stride, padding)
    return AvgPoolFunction(_settings("avg_pool2d", window, ceil_mode, count_include_pad, divisor_override))(
        as_tensor(input)
    )


def avg_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """`avg_pool2d` for one axis: input (N, C, L) or (C, L)."""
    window = make_window("avg_pool1d", 1, kernel_size, stride, padding)
    return AvgPoolFunction(_settings("avg_pool1d", window, ceil_mode, count_include_pad, None))(
        as_tensor(input)
    )


def global_avg_pool2d(input: Any) -> Tensor:
    """The mean over height and width: (N, C, H, W) gives (N, C), (C, H, W) gives (C,)."""
    return GlobalAvgPoolFunction()(as_tensor(input))


def _settings(
    what: str, window: Window, ceil_mode: Any, count_include_pad: Any, divisor_override: Any
) -> AvgWindow:
    """Raises ArgumentError for a divisor that is no whole number, or 0."""
    check_flags(what, ceil_mode=ceil_mode, count_include_pad=count_include_pad)
    if divisor_override is not None and (
        not isinstance(divisor_override, int | np.integer)
        or isinstance(divisor_override, bool)
        or divisor_override == 0
    ):
        raise ArgumentError(
            f"{what}: divisor_override is a whole number other than 0, not {divisor_override!r}"
        )
    return AvgWindow(
        window, ceil_mode, count_include_pad, None if divisor_override is None else int(divisor_override)
    )


class _AvgPool(Module):
    """The mean under each window."""

    dims: int

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        what = type(self).__name__
        window = make_window(what, self.dims, kernel_size, stride, padding)
        self.shares = _settings(what, window, ceil_mode, count_include_pad, divisor_override)
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding = padding

    def forward(self, x: Any) -> Tensor:
        return self.compute(AvgPoolFunction(self.shares), x)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """y[n, c, h, w] = Σ over i < kh, j < kw of x[n, c, h s - p + i, w s - p + j] / (kh · kw), zeros around x.

    x is (N, C, H, W) or (C, H, W); y is (N, C, H', W'), H' = ⌊(H + 2 p - kh) / s⌋ + 1.

    Args:
        kernel_size, stride, padding: a whole number, or one for each of height and width; the stride is the kernel
            size by default.
        ceil_mode: ⌈ ⌉ instead of ⌊ ⌋: a last window may reach over the edge, if it begins on the image. What it has
            beyond the padding is not counted.
        count_include_pad: whether zeros of the padding count; if not, the sum is divided by the pixels there are.
        divisor_override: what every sum is divided by instead.

    Raises ArgumentError for a padding of more than half of the window or a divisor of 0, ShapeError where the window
    does not fit.
    """

    dims = 2


class AvgPool1d(_AvgPool):
    """y[n, c, l] = Σ over i < k of x[n, c, l s - p + i] / k: AvgPool2d for one axis, x (N, C, L) or (C, L)."""

    dims = 1


class GlobalAvgPool2d(Module):
    """y[n, c] = Σ over h, w of x[n, c, h, w] / (H W): (N, C, H, W) gives (N, C), (C, H, W) gives (C,).

    What AdaptiveAvgPool2d(1) and Flatten() give together: a linear layer can follow.
    """

    def forward(self, x: Any) -> Tensor:
        return self.compute(GlobalAvgPoolFunction(), x)
