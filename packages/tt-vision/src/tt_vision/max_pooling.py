"""MaxPool1d, MaxPool2d: the greatest value under each window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tt_nn import Module
from tt_tensor import Function, Tensor, as_tensor, kernels, recorder
from tt_tensor.tensor import wrap
from tt_vision.axis_map import copies
from tt_vision.channels import channels_first
from tt_vision.kernels import max_pool, max_pool_ways
from tt_vision.on_images import OnImages, wide
from tt_vision.pooling import check_flags, fitted, make_window
from tt_vision.resampling import resampled
from tt_vision.window import Pair, Window

__all__ = [
    "MaxPickFunction",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPoolFunction",
    "MaxUnpoolFunction",
    "max_pool1d",
    "max_pool2d",
]

for _name, _loops, _numpy in (
    ("max_pool2d", max_pool.max_pool2d_loops, max_pool.max_pool2d),
    ("max_pool2d_backward", max_pool_ways.max_pool2d_backward_loops, max_pool_ways.max_pool2d_backward),
    ("max_pool2d_pick", max_pool_ways.max_pool2d_pick_loops, max_pool_ways.max_pool2d_pick),
):
    kernels.register(_name, "loops", _loops)
    kernels.register(_name, "numpy", _numpy, default=True)


@dataclass(frozen=True)
class Ways:
    """From the pixels to the places and back, for images of `image` pixels (height, width).

    Where windows differ in size (adaptive pooling), the pixels of each are first copied side by side, the last one
    as often as it takes: row i of the copy is row rows[i] of the image.
    """

    window: Window
    image: Pair
    rows: tuple[int, ...] | None = None
    columns: tuple[int, ...] | None = None

    @property
    def _maps(self) -> tuple[Any, Any]:
        high, wide = self.image
        return (
            copies(tuple(range(high)) if self.rows is None else self.rows, high),
            copies(tuple(range(wide)) if self.columns is None else self.columns, wide),
        )

    @property
    def _copied(self) -> bool:
        return self.rows is not None or self.columns is not None

    def greatest(self, images: Any, winners: bool) -> tuple[Any, Any]:
        """The greatest pixel at each place, and the tap that was on it."""
        if self._copied:
            images = resampled(images, *self._maps)
        found: tuple[Any, Any] = kernels.kernel("max_pool2d")(images, self.window, winners)
        return found

    def back(self, grad: Any, winners: Any) -> Any:
        """The gradient of each place, added to the pixel that won there."""
        g = wide(grad)
        if not self._copied:
            dx = kernels.kernel("max_pool2d_backward")(g, winners, self.window, self.image)
        else:
            rows, columns = self._maps
            size = (rows.places, columns.places)
            dx = kernels.kernel("max_pool2d_backward")(g, winners, self.window, size)
            dx = resampled(dx, rows.transposed, columns.transposed)
        return dx.astype(grad.dtype, copy=False)

    def pick(self, images: Any, winners: Any) -> Any:
        """What stands at the pixels that won."""
        if self._copied:
            images = resampled(images, *self._maps)
        return kernels.kernel("max_pool2d_pick")(images, winners, self.window)

    def indices(self, winners: Any) -> Any:
        """The positions h · W + w of the pixels that won, as int64; -1 where the window was on none."""
        rows, columns = self._maps
        won, size = winners.transpose(0, 2, 3, 1), (rows.places, columns.places)
        starts = max_pool_ways.first_pixels(self.window, size, won.shape)
        index, none = max_pool_ways.winning_pixels(won, self.window, size, starts)
        pixel = index // max(index.shape[3], 1) % max(rows.places * columns.places, 1)
        down, right = np.divmod(pixel, columns.places)
        if self.rows is not None:
            down = np.array(self.rows)[down]
        if self.columns is not None:
            right = np.array(self.columns)[right]
        flat = (down * self.image[1] + right).astype(np.int64, copy=False)
        if none is not None:
            flat[none] = -1
        return channels_first(flat)


class MaxPoolFunction(OnImages, Function):
    """y = the greatest pixel under each window; the gradient goes to that one, of equals the first in row-major order.

    A NaN is greater than all, as in PyTorch. Kept are the numbers of the winning taps, a byte for each place.
    """

    what = "max_pool"
    kinds = "fiu"
    winners: Any = None
    x: Any = None

    def __init__(self, window: Window, ceil_mode: bool = False) -> None:
        self.window, self.ceil_mode, self.dims = window, ceil_mode, window.dims

    def ways(self, image: Pair) -> Ways:
        """The geometry for images of this size."""
        return Ways(fitted(self.window, image, self.ceil_mode, self.what), image)

    def forward(self, x: Any) -> Any:
        images = self.images(x)
        self.by = self.ways(images.shape[2:])
        # Who asks for no gradient while nothing is recorded need not pay for the winners.
        now = recorder.active is None or recorder.recording()
        y, self.winners = self.by.greatest(images, now)
        self.x = None if now else images
        return self.like(x, y)

    def won(self) -> Any:
        """The winning taps (N, C, H', W')."""
        if self.winners is None:
            self.winners, self.x = self.by.greatest(self.x, True)[1], None
        return self.winners

    def backward(self, grad: Any) -> Any:
        if isinstance(grad, Tensor):
            return MaxUnpoolFunction(self.won(), self.by)(grad)
        return self.like(grad, self.by.back(self.images(grad, "gradient"), self.won()))

    def indices(self) -> Tensor:
        """The positions of the greatest pixels in the flat image, of the output's shape, as int64."""
        indices = self.by.indices(self.won())
        if self.dims == 1:
            indices = indices[:, :, 0]
        return wrap(indices.reshape(self.output_shape) if len(self.output_shape) < indices.ndim else indices)


class MaxUnpoolFunction(OnImages, Function):
    """x = 0, but for each place its value added to the pixel that won there: what max pooling sends back.

    The gradient at a place is the one at its pixel.
    """

    what = "max_unpool"

    def __init__(self, winners: Any, by: Ways) -> None:
        self.winners, self.by, self.dims = winners, by, by.window.dims

    def forward(self, g: Any) -> Any:
        return self.like(g, self.by.back(self.images(g), self.winners))

    def backward(self, grad: Any) -> Any:
        if isinstance(grad, Tensor):
            return MaxPickFunction(self.winners, self.by)(grad)
        return self.like(grad, self.by.pick(self.images(grad, "gradient"), self.winners))


class MaxPickFunction(OnImages, Function):
    """y = at each place the value at the pixel that won there: the gradient of a place goes to its pixel."""

    what = "max_pick"

    def __init__(self, winners: Any, by: Ways) -> None:
        self.winners, self.by, self.dims = winners, by, by.window.dims

    def forward(self, h: Any) -> Any:
        return self.like(h, self.by.pick(self.images(h), self.winners))

    def backward(self, grad: Any) -> Any:
        if isinstance(grad, Tensor):
            return MaxUnpoolFunction(self.winners, self.by)(grad)
        return self.like(grad, self.by.back(self.images(grad, "gradient"), self.winners))


def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """y[n, c, h, w] = max over i < kh, j < kw of input[n, c, h s - p + i d, w s - p + j d]; padding never wins.

    See MaxPool2d for the arguments, which are the same.
    """
    return _functional(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """`max_pool2d` for one axis: input (N, C, L) or (C, L)."""
    return _functional(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _functional(dims: int, x: Any, *settings: Any) -> Any:
    *geometry, ceil_mode, return_indices = settings
    what = f"max_pool{dims}d"
    check_flags(what, ceil_mode=ceil_mode, return_indices=return_indices)
    function = MaxPoolFunction(make_window(what, dims, *geometry), ceil_mode)
    y = function(as_tensor(x))
    return (y, function.indices()) if return_indices else y


class _MaxPool(Module):
    """The greatest value under each window."""

    dims: int

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        what = type(self).__name__
        check_flags(what, return_indices=return_indices, ceil_mode=ceil_mode)
        self.window = make_window(what, self.dims, kernel_size, stride, padding, dilation)
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, x: Any) -> Any:
        function = MaxPoolFunction(self.window, self.ceil_mode)
        y = self.compute(function, x)
        return (y, function.indices()) if self.return_indices else y

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool2d(_MaxPool):
    """y[n, c, h, w] = max over i < kh, j < kw of x[n, c, h s - p + i d, w s - p + j d].

    x is (N, C, H, W) or (C, H, W); y is (N, C, H', W'), H' = ⌊(H + 2 p - d (kh - 1) - 1) / s⌋ + 1. Padding never wins.
    Of equal pixels the first in row-major order gets the gradient; a NaN under the window gives NaN.

    Args:
        kernel_size, stride, padding, dilation: a whole number, or one for each of height and width; the stride is the
            kernel size by default.
        return_indices: also give where each came from, h · W + w in its image, int64 of y's shape.
        ceil_mode: ⌈ ⌉ instead of ⌊ ⌋: a last window may reach over the edge, if it begins on the image.

    Raises ArgumentError for a padding of more than half of the window, ShapeError where the window does not fit.
    """

    dims = 2


class MaxPool1d(_MaxPool):
    """y[n, c, l] = max over i < k of x[n, c, l s - p + i d]: MaxPool2d for one axis, x (N, C, L) or (C, L).

    `return_indices` gives the positions along L.
    """

    dims = 1
