"""Conv1d, Conv2d and their transposes: layers whose weights slide over their input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import Module, Parameter, shards
from tt_tensor import Tensor, as_tensor, random
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, ShapeError
from tt_vision.convolution import ConvFunction
from tt_vision.padding import PADDING_MODES, PadImagesFunction
from tt_vision.window import Pair, Window, pair, same_padding

__all__ = ["Conv1d", "Conv2d", "conv1d", "conv2d"]


def conv2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """y[n, o, h, w] = b[o] + Σ weight[o, c, i, j] · input[n, c, h s - p + i d, w s - p + j d], zeros around the input.

    Args:
        input: (N, C, H, W), or (C, H, W).
        weight: (O, C / groups, kh, kw); filter o sees the channels of its group only.
        bias: (O,) or None.
        stride, dilation: a whole number, or one for each of height and width.
        padding: the same, or "valid" (none), or "same" (the output has the input's size; stride 1 only).

    Gives (N, O, H', W'), H' = ⌊(H + 2 p - d (kh - 1) - 1) / s⌋ + 1.

    Raises ShapeError where shapes do not fit, DTypeError for integers, ArgumentError for a wrong setting.
    """
    return _functional(2, input, weight, bias, stride, padding, dilation, groups)


def conv1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """`conv2d` for one axis: input (N, C, L) or (C, L), weight (O, C / groups, k)."""
    return _functional(1, input, weight, bias, stride, padding, dilation, groups)


def _functional(
    dims: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Tensor:
    w = as_tensor(weight)
    if w.ndim != dims + 2:
        raise ShapeError(
            f"conv{dims}d: the weight has shape {w.shape}; it must be (O, C / groups, {'kh, kw' if dims == 2 else 'k'})"
        )
    window = make_window(f"conv{dims}d", dims, w.shape[2:], stride, padding, dilation, groups)
    function = ConvFunction(window)
    return function(as_tensor(x), w) if bias is None else function(as_tensor(x), w, as_tensor(bias))


def make_window(
    what: str, dims: int, size: Any, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Window:
    """The geometry from a layer's arguments. Raises ArgumentError for one that no convolution can have."""
    k, s, d = (
        pair(value, f"{what}: {name}", 1, dims)
        for name, value in (("kernel_size", size), ("stride", stride), ("dilation", dilation))
    )
    groups = whole_number(what, "groups", groups, 1)
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ArgumentError(f"{what}: padding is numbers, 'same' or 'valid', not {padding!r}")
        if padding == "same" and s != (1, 1):
            raise ArgumentError(
                f"{what}: padding 'same' keeps the size of the image, which stride {stride!r} does not; give the "
                "padding in pixels"
            )
        around = same_padding(k, d) if padding == "same" else ((0, 0), (0, 0))
    else:
        p = pair(padding, f"{what}: padding", 0, dims)
        around = ((p[0], p[0]), (p[1], p[1]))
    return Window(k, s, around, d, int(groups), dims)


class _Conv(Module):
    """What Conv1d and Conv2d share."""

    dims: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: Any = None,
    ) -> None:
        name = type(self).__name__
        self.window = make_window(name, self.dims, kernel_size, stride, padding, dilation, groups)
        check_channels(name, in_channels, out_channels, groups)
        shards.prefer()
        if padding_mode not in PADDING_MODES:
            raise ArgumentError(
                f"{name}: padding_mode {padding_mode!r} is not one of {', '.join(PADDING_MODES)}"
            )
        self.in_channels, self.out_channels = int(in_channels), int(out_channels)
        self.kernel_size, self.stride = self.given(self.window.size), self.given(self.window.stride)
        self.padding = padding if isinstance(padding, str) else self.given(pair(padding, name, 0, self.dims))
        self.dilation, self.groups = self.given(self.window.dilation), int(groups)
        self.padding_mode = padding_mode
        # Another mode than zeros is a step of its own before the convolution. In a tuple, so that it is no part.
        self._around: tuple[Around, ...] = ()
        if padding_mode != "zeros":
            self._around = (Around(self.window.padding, padding_mode, self.dims),)
            self.window = Window(
                self.window.size,
                self.window.stride,
                dilation=self.window.dilation,
                groups=self.groups,
                dims=self.dims,
            )
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        self.weight = Parameter(np.zeros(shape, np.float32), dtype=dtype)
        self.bias = Parameter(np.zeros(self.out_channels, np.float32), dtype=dtype) if bias else None
        self.reset_parameters()

    def given(self, both: Pair) -> tuple[int, ...]:
        """A pair (height, width) with as many numbers as the layer has axes."""
        return both if self.dims == 2 else both[1:]

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, uniformly from ±1/√(C / groups · kh · kw), as PyTorch does."""
        draw_uniformly(self.weight, self.bias)

    def forward(self, x: Any) -> Tensor:
        for around in self._around:
            x = around(x)
        if self.bias is None:
            return self.compute(ConvFunction(self.window), x, self.weight)
        return self.compute(ConvFunction(self.window), x, self.weight, self.bias)

    def backward(self, grad: Any) -> Any:
        """By hand: the gradient at the input; that of weight and bias is added to theirs."""
        dx = super().backward(grad)
        for around in self._around:
            dx = around.backward(dx)
        return dx

    def extra_repr(self) -> str:
        return describe(self)


class Conv2d(_Conv):
    """y = weight ⋆ x + b: each output channel is what one filter sees at each place of the image.

    y[n, o, h, w] = b[o] + Σ_{c, i, j} weight[o, c, i, j] · x[n, c, h s - p + i d, w s - p + j d]

    Args:
        in_channels, out_channels: C and O, both multiples of `groups`.
        kernel_size, stride, dilation: k, s, d; a whole number, or one for each of height and width.
        padding: p, the same way, or "same" (the output is as large as the input; stride 1) or "valid" (none).
        groups: the channels are cut in so many groups, and each filter sees one of them; with C groups a filter a
            channel ("depthwise").
        bias: whether b is added.
        padding_mode: what stands around the image: "zeros", "reflect", "replicate" or "circular".
        dtype: of the parameters; float32 by default.

    Input (N, C, H, W) or (C, H, W), output (N, O, H', W'), H' = ⌊(H + 2 p - d (k - 1) - 1) / s⌋ + 1.
    Parameters: `weight` (O, C / groups, kh, kw), `bias` (O,).

    The kernel is chosen by shape; `tt_tensor.kernels.use("loops")` runs the seven loops that define it.
    Source: LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.
    """

    dims = 2


class Conv1d(_Conv):
    """y[n, o, l] = b[o] + Σ_{c, i} weight[o, c, i] · x[n, c, l s - p + i d]: Conv2d along one axis.

    Arguments as for Conv2d, each with one number. Input (N, C, L) or (C, L), output (N, O, L').
    Parameters: `weight` (O, C / groups, k), `bias` (O,).
    """

    dims = 1


class Around(Module):
    """Pixels around an image, a step of its own before a convolution."""

    def __init__(self, padding: tuple[Pair, Pair], mode: str, dims: int) -> None:
        self.padding, self.mode, self.dims = padding, mode, dims

    def forward(self, x: Any) -> Tensor:
        return self.compute(PadImagesFunction(self.padding, self.mode, dims=self.dims), x)


def check_channels(what: str, inputs: Any, outputs: Any, groups: Any) -> None:
    """Raise ArgumentError unless both numbers of channels are whole numbers that the groups divide."""
    for name, number in (("in_channels", inputs), ("out_channels", outputs)):
        if whole_number(what, name, number) % groups:
            raise ArgumentError(f"{what}: {name} = {number} cannot be shared out to groups = {groups}")


def draw_uniformly(weight: Parameter, bias: Parameter | None) -> None:
    """Uniform from ±1/√fan_in, fan_in = weight.shape[1] · taps."""
    fan_in = math.prod(weight.shape[1:])
    bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
    for parameter in (weight, bias):
        if parameter is not None:
            parameter.write(random.uniform(-bound, bound, parameter.shape, dtype=parameter.dtype))


def describe(layer: Any) -> str:
    """The settings of a convolution that are not the usual ones, as in PyTorch's repr."""
    said = [f"{layer.in_channels}, {layer.out_channels}", f"kernel_size={layer.kernel_size}"]
    said.append(f"stride={layer.stride}")
    for name, usual in (("padding", 0), ("output_padding", 0), ("dilation", 1)):
        value = getattr(layer, name, None)
        if value is not None and value != (usual,) * len(layer.kernel_size):
            said.append(f"{name}={value!r}")
    if layer.groups != 1:
        said.append(f"groups={layer.groups}")
    if layer.bias is None:
        said.append("bias=False")
    if getattr(layer, "padding_mode", "zeros") != "zeros":
        said.append(f"padding_mode={layer.padding_mode!r}")
    return ", ".join(said)
