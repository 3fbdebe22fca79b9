"""ConvTranspose1d, ConvTranspose2d: the way back of a convolution as a layer, which makes images larger."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import Module, Parameter, shards
from tt_tensor import Tensor, as_tensor
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.conv import Around, check_channels, describe, draw_uniformly, make_window
from tt_vision.convolution import ConvTransposeFunction
from tt_vision.window import Pair, Window, pair

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "conv_transpose1d", "conv_transpose2d"]


def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """y[n, c, h s - p + i d, w s - p + j d] += weight[o, c, i, j] · input[n, o, h, w]: each pixel paints its filter.

    Args:
        input: (N, O, H, W), or (O, H, W).
        weight: (O, C / groups, kh, kw).
        bias: (C,) or None.
        stride, padding, dilation: as for the convolution whose way back this is.
        output_padding: rows and columns to add at the end, less than stride or dilation: of the sizes that the
            convolution would make H x W of, the one that is meant.

    Gives (N, C, H', W'), H' = (H - 1) s - 2 p + d (kh - 1) + output_padding + 1.

    Raises ShapeError where shapes do not fit, DTypeError for integers, ArgumentError for a wrong setting.
    """
    return _functional(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """`conv_transpose2d` for one axis: input (N, O, L) or (O, L), weight (O, C / groups, k)."""
    return _functional(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def _functional(
    dims: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
) -> Tensor:
    what = f"conv_transpose{dims}d"
    x, w = as_tensor(input), as_tensor(weight)
    if w.ndim != dims + 2:
        raise ShapeError(
            f"{what}: the weight has shape {w.shape}; it must have {dims + 2} axes (O, C / groups, ...)"
        )
    window = _window(what, dims, w.shape[2:], stride, padding, dilation, groups)
    more = check_output_padding(what, window, output_padding)
    function = ConvTransposeFunction(window, image_size(what, window, x.shape, more))
    for around in empty_places(window, more):
        x = around(x)
    return function(x, w) if bias is None else function(x, w, as_tensor(bias))


class _ConvTranspose(Module):
    """What ConvTranspose1d and ConvTranspose2d share."""

    dims: int
    _around: tuple[Around, ...] = ()
    """What the last forward did before the convolution."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        dtype: Any = None,
    ) -> None:
        name = type(self).__name__
        if padding_mode != "zeros":
            raise ArgumentError(f"{name}: padding_mode can only be 'zeros', not {padding_mode!r}")
        self.window = _window(name, self.dims, kernel_size, stride, padding, dilation, groups)
        check_channels(name, in_channels, out_channels, groups)
        shards.prefer()
        self.more = check_output_padding(name, self.window, output_padding)
        first = 2 - self.dims
        self.in_channels, self.out_channels, self.groups = int(in_channels), int(out_channels), int(groups)
        self.kernel_size, self.stride = self.window.size[first:], self.window.stride[first:]
        self.padding = pair(padding, name, 0, self.dims)[first:]
        self.output_padding, self.dilation = self.more[first:], self.window.dilation[first:]
        shape = (self.in_channels, self.out_channels // self.groups, *self.kernel_size)
        self.weight = Parameter(np.zeros(shape, np.float32), dtype=dtype)
        self.bias = Parameter(np.zeros(self.out_channels, np.float32), dtype=dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, uniformly from ±1/√(O / groups · kh · kw), as PyTorch does."""
        draw_uniformly(self.weight, self.bias)

    def forward(self, x: Any, output_size: Any = None) -> Tensor:
        x = as_tensor(x)
        name = type(self).__name__
        if output_size is None:
            image = image_size(name, self.window, x.shape, self.more)
            self._around = empty_places(self.window, self.more)
        else:
            image = _asked(name, self.window, x.shape, output_size)
            self._around = ()
        for around in self._around:
            x = around(x)
        function = ConvTransposeFunction(self.window, image)
        if self.bias is None:
            return self.compute(function, x, self.weight)
        return self.compute(function, x, self.weight, self.bias)

    def backward(self, grad: Any) -> Any:
        """By hand: the gradient at the input; that of weight and bias is added to theirs."""
        dx = super().backward(grad)
        for around in self._around:
            dx = around.backward(dx)
        return dx

    def extra_repr(self) -> str:
        return describe(self)


class ConvTranspose2d(_ConvTranspose):
    """The way back of Conv2d as a layer: each input pixel paints its filter, scaled, into a larger image.

    y[n, c, h s - p + i d, w s - p + j d] = b[c] + Σ weight[o, c, i, j] · x[n, o, h, w], over all that paint there.

    Args:
        in_channels, out_channels: O and C.
        kernel_size, stride, padding, dilation, groups: as for the Conv2d from C to O channels that it turns around.
        output_padding: rows and columns to add at the end; less than stride or dilation.
        bias: whether b is added.

    Input (N, O, H, W) or (O, H, W), output (N, C, H', W'), H' = (H - 1) s - 2 p + d (k - 1) + output_padding + 1;
    `layer(x, output_size=(H', W'))` chooses among the possible ones. Parameters: `weight` (O, C / groups, kh, kw),
    `bias` (C,).
    Source: Zeiler et al., "Deconvolutional Networks", 2010.
    """

    dims = 2


class ConvTranspose1d(_ConvTranspose):
    """ConvTranspose2d along one axis: input (N, O, L) or (O, L), weight (O, C / groups, k)."""

    dims = 1


def _window(what: str, dims: int, size: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Window:
    if isinstance(padding, str):
        raise ArgumentError(f"{what}: padding is numbers here, not {padding!r}")
    return make_window(what, dims, size, stride, padding, dilation, groups)


def check_output_padding(what: str, window: Window, output_padding: Any) -> Pair:
    """As a pair. Raises ArgumentError unless it is less than stride or dilation along each axis."""
    more = pair(output_padding, f"{what}: output_padding", 0, window.dims)
    for m, s, d in zip(more, window.stride, window.dilation, strict=True):
        if m and m >= max(s, d):
            raise ArgumentError(
                f"{what}: output_padding {output_padding!r} must be less than stride {s} or dilation {d}"
            )
    return more


def empty_places(window: Window, more: Pair) -> tuple[Around, ...]:
    """Zeros to put after the input, where `more` pixels are so many that the window would stand there once more.

    Stride 1 and dilation 2 with one more pixel, for example: only zeros reach it.
    """
    extra = [m // s for m, s in zip(more, window.stride, strict=True)]
    return (Around(((0, extra[0]), (0, extra[1])), "zeros", window.dims),) if any(extra) else ()


def image_size(what: str, window: Window, shape: tuple[int, ...], more: Pair) -> Pair:
    """(H', W') of what comes out. Raises ShapeError for an input with other axes, or where nothing would be left."""
    dims = window.dims
    if len(shape) not in (dims + 1, dims + 2):
        axes = "(N, C, H, W) or (C, H, W)" if dims == 2 else "(N, C, L) or (C, L)"
        raise ShapeError(f"{what}: the input has shape {shape}; it must be {axes}")
    places = shape[-2:] if dims == 2 else (1, shape[-1])
    image = [
        (n - 1) * s - sum(around) + reach + m
        for n, s, around, reach, m in zip(
            places, window.stride, window.padding, window.reach, more, strict=True
        )
    ]
    if min(image) < 1:
        raise ShapeError(
            f"{what}: an input of shape {shape} with padding {window.padding} leaves no pixel: {image}"
        )
    return image[0], image[1]


def _asked(what: str, window: Window, shape: tuple[int, ...], output_size: Any) -> Pair:
    """`output_size` as a pair. Raises ShapeError unless the convolution would make the input's size of it.

    It may begin with batch and channels, as the shape of an image does.
    """
    dims = window.dims
    least = image_size(what, window, shape, (0, 0))
    most = [low + s - 1 for low, s in zip(least, window.stride, strict=True)]
    given = output_size
    if isinstance(given, tuple | list) and len(given) == len(shape):
        given = given[-dims:]
    asked = pair(given, f"{what}: output_size", 0, dims)
    wanted = asked if dims == 2 else (1, asked[1])
    if any(not low <= w <= high for low, w, high in zip(least, wanted, most, strict=True)):
        raise ShapeError(
            f"{what}: output_size {output_size!r} must lie between {least[-dims:]} and {tuple(most[-dims:])} "
            f"for an input of shape {shape}"
        )
    return wanted
