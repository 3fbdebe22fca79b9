"""Unfold and Fold: the patches under a window as columns, and columns added up; each is the other's rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import Module
from tt_tensor import Function, Tensor, as_tensor
from tt_tensor.errors import DTypeError, ShapeError
from tt_tensor.ops.plain import raw
from tt_vision.window import Pair, Window, pair

__all__ = ["Fold", "FoldFunction", "Unfold", "UnfoldFunction", "fold", "unfold"]


class UnfoldFunction(Function):
    """y (N, C · kh · kw, L) or (C · kh · kw, L): column l is the patch at place l; a pixel gets all their grad.

    L = H' · W' places, row by row; zeros stand around the image.
    """

    def __init__(self, window: Window) -> None:
        self.window = window

    def forward(self, x: Any) -> Any:
        _check(x, "unfold", (3, 4), "(N, C, H, W) or (C, H, W)")
        if hasattr(x, "requires_grad"):
            self.image = x.shape[-2:]
            return UnfoldFunction(self.window)(x)
        self.image = x.shape[-2:]
        (top, bottom), (left, right) = self.window.padding
        high, wide = self.window.output(self.image, "unfold")
        padded = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(top, bottom), (left, right)])
        y = np.empty((*x.shape[:-2], *self.window.size, high, wide), x.dtype)
        for i, j in np.ndindex(*self.window.size):
            y[..., i, j, :, :] = padded[_under(self.window, i, j, high, wide)]
        return y.reshape(*x.shape[:-3], x.shape[-3] * self.window.size[0] * self.window.size[1], high * wide)

    def backward(self, grad: Any) -> Any:
        function = FoldFunction(self.window, self.image)
        return function(grad) if isinstance(grad, Tensor) else function.forward(grad)


class FoldFunction(Function):
    """y (N, C, H, W) or (C, H, W): every pixel the sum over all patches that it is in; these get its grad."""

    def __init__(self, window: Window, image: Pair) -> None:
        self.window, self.image = window, image

    def forward(self, x: Any) -> Any:
        _check(x, "fold", (2, 3), "(N, C · kh · kw, L) or (C · kh · kw, L)")
        if hasattr(x, "requires_grad"):
            return FoldFunction(self.window, self.image)(x)
        high, wide = self.window.output(self.image, "fold")
        taps = self.window.size[0] * self.window.size[1]
        if x.shape[-1] != high * wide or x.shape[-2] % taps:
            raise ShapeError(
                f"fold: for an image of {self.image} and a window of {self.window.size}, the input has {high * wide} "
                f"columns and {taps} rows for each channel, not shape {x.shape}"
            )
        (top, bottom), (left, right) = self.window.padding
        patches = x.reshape(*x.shape[:-2], x.shape[-2] // taps, *self.window.size, high, wide)
        size = (self.image[0] + top + bottom, self.image[1] + left + right)
        y = np.zeros((*patches.shape[:-4], *size), x.dtype)
        for i, j in np.ndindex(*self.window.size):
            y[_under(self.window, i, j, high, wide)] += patches[..., i, j, :, :]
        return y[..., top : top + self.image[0], left : left + self.image[1]]

    def backward(self, grad: Any) -> Any:
        function = UnfoldFunction(self.window)
        return function(grad) if isinstance(grad, Tensor) else function.forward(grad)


def _under(window: Window, i: int, j: int, high: int, wide: int) -> tuple[Any, ...]:
    """The pixels of the padded image that tap (i, j) is on, place after place."""
    starts = [tap * step for tap, step in zip((i, j), window.dilation, strict=True)]
    return (
        ...,
        *[
            slice(start, start + step * (count - 1) + 1, step)
            for start, step, count in zip(starts, window.stride, (high, wide), strict=True)
        ],
    )


def _check(x: Any, what: str, ranks: tuple[int, int], axes: str) -> None:
    if raw(x).dtype.kind != "f":
        raise DTypeError(f"{what}: the input is {x.dtype}; use x.astype('float32') first")
    if x.ndim not in ranks:
        raise ShapeError(f"{what}: the input has shape {x.shape}; it must be {axes}")


def _window(what: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Window:
    around = pair(padding, f"{what}: padding", 0)
    return Window(
        pair(kernel_size, f"{what}: kernel_size", 1),
        pair(stride, f"{what}: stride", 1),
        ((around[0], around[0]), (around[1], around[1])),
        pair(dilation, f"{what}: dilation", 1),
    )


def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The patches under a window as columns: (N, C, H, W) becomes (N, C · kh · kw, L); see Unfold for the arguments."""
    return UnfoldFunction(_window("unfold", kernel_size, dilation, padding, stride))(as_tensor(input))


def fold(
    input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Columns added up to an image: (N, C · kh · kw, L) becomes (N, C, H, W); see Fold for the arguments."""
    image = pair(output_size, "fold: output_size", 1)
    return FoldFunction(_window("fold", kernel_size, dilation, padding, stride), image)(as_tensor(input))


class _Windowed(Module):
    """What Unfold and Fold are told."""

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        self.window = _window(type(self).__name__, kernel_size, dilation, padding, stride)
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Unfold(_Windowed):
    """y[n, c · kh · kw + i · kw + j, h · W' + w] = x[n, c, h s - p + i d, w s - p + j d], zeros around the image.

    A convolution is a matrix product with these columns. x is (N, C, H, W) or (C, H, W).

    Args:
        kernel_size, dilation, padding, stride: a whole number, or one for each of height and width.

    Raises ArgumentError for numbers out of range, ShapeError where the window does not fit.
    """

    def forward(self, x: Any) -> Tensor:
        return self.compute(UnfoldFunction(self.window), x)


class Fold(_Windowed):
    """y[n, c, h, w] = Σ over all patches that pixel (h, w) is in of its value there: what Unfold sends back.

    x is (N, C · kh · kw, L) or (C · kh · kw, L).

    Args:
        output_size: H and W, or one number for both.
        kernel_size, dilation, padding, stride: a whole number, or one for each of height and width.

    Raises ArgumentError for numbers out of range, ShapeError where x has not a column for each place.
    """

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        self.image, self.output_size = pair(output_size, "Fold: output_size", 1), output_size

    def forward(self, x: Any) -> Tensor:
        return self.compute(FoldFunction(self.window, self.image), x)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {super().extra_repr()}"
