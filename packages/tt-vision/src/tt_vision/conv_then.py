"""A convolution and what follows it as one step, for Sequential: what is between them is never in memory.

    recorded:            Conv2d – [MaxPool2d(2), ReLU in either order]
    in inference mode:   the same, and with BatchNorm2d in eval mode before the ReLU

Where these layers follow each other, nobody looks at what is between them, and a kernel does all of it at once
(tt-perf registers one), Sequential runs them together. What comes out is the same up to rounding, and so are gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tt_nn import ReLU
from tt_nn.activations import ReLUFunction
from tt_nn.fusions import Fused, fusions
from tt_tensor import Tensor, as_tensor, kernels, recorder
from tt_vision.batch_norm import BatchNorm2d
from tt_vision.channels import channel_sums, channels_last, rows_of
from tt_vision.conv import Conv2d
from tt_vision.convolution import ConvFunction, correlate, send_back
from tt_vision.kernels import conv_then as by
from tt_vision.kernels.batch_norm import inverse_root
from tt_vision.kernels.batch_norm_relu import PAIRS
from tt_vision.kernels.conv_winograd import suits_images
from tt_vision.max_pooling import MaxPool2d, MaxPoolFunction
from tt_vision.on_images import wide
from tt_vision.window import Window

__all__ = ["ConvThenFunction"]

for _name, _then, _back in (
    ("loops", by.conv2d_then_loops, by.conv2d_pooled_backward_loops),
    ("numpy", by.conv2d_then, by.conv2d_pooled_backward),
):
    kernels.register("conv2d_then", _name, _then, default=_name == "numpy")
    kernels.register("conv2d_pooled_backward", _name, _back, default=_name == "numpy")


class ConvThenFunction(ConvFunction):
    """y = w ⋆ x, with `pool` the greatest of each two by two of it, times `scale`, plus b, with `relu` max(y, 0).

    w ⋆ x has an even height and width where it is pooled. The gradient goes to the place that won, if y is positive,
    and from there through the convolution. Kept are input and weight, which place won, and with `relu` the result.
    `scale`, (O,), is no input: it is for inference, where a batch norm is one.
    """

    what = "conv"

    def __init__(self, window: Window, pool: bool, relu: bool, scale: Any = None) -> None:
        super().__init__(window)
        self.pool, self.relu, self.scale = pool, relu, scale

    def forward(self, x: Any, weight: Any, bias: Any = None) -> Any:
        self.x, self.weight = x, weight
        images, w, b, dtype = self.checked(x, weight, bias)
        places = self.window.output(self.image, self.what)
        asks = self.pool and recorder.recording()
        if images.size and w.size and 0 not in places:
            run = kernels.kernel("conv2d_then")
            y, self.won = run(images, w, b, self.scale, self.window, self.pool, self.relu, asks)
        else:  # nothing to add up, so all places are equal
            y = by.scaled(correlate(images, w, None, self.window), self.scale, b)
            y, self.won = np.maximum(y, 0) if self.relu else y, None
            if self.pool:
                y = y[:, :, ::2, ::2]
                self.won = np.zeros(y.shape, np.uint8)
        self.y = y = self.like(x, y).astype(dtype, copy=False)
        return y

    def backward(self, grad: Any) -> Any:
        x, weight = self.x, self.weight
        needs = self.wants(0), self.wants(1)
        dtype = np.result_type(grad, x, weight)
        if self.relu:
            grad = kernels.kernel("relu_backward")(self.y, grad)
        g = wide(self.images(grad, "gradient").astype(dtype, copy=False))
        unscaled, g = g, by.scaled(g, self.scale, None)
        images, w = (wide(part.astype(dtype, copy=False)) for part in (self.images(x), self.filters(weight)))
        if self.pool and self.won is None:
            self.won = self.winners(images, w)
        db = None
        if len(self.inputs) > 2 and self.wants(2):
            # Summed over all places in their order, so that it is to the bit that of the layers one by one.
            sent = unscaled
            if self.pool and sent.size:
                places = (2 * sent.shape[2], 2 * sent.shape[3])
                sent = kernels.kernel("max_pool2d_backward")(sent, self.won, PAIRS, places)
            db = channel_sums(rows_of(channels_last(sent))).astype(grad.dtype)
        if not self.pool:
            dx, dw = send_back(images, w, g, self.window, self.image, needs)
        elif g.size and w.size and 0 not in self.image:
            back = kernels.kernel("conv2d_pooled_backward")
            dx, dw = (
                back(images, w, g, self.won, self.window, self.image, needs) if any(needs) else (None, None)
            )
        else:
            sent = np.zeros((*g.shape[:2], 2 * g.shape[2], 2 * g.shape[3]), g.dtype)
            dx, dw = send_back(images, w, sent, self.window, self.image, needs)
        dx = None if dx is None else self.like(x, dx).astype(dtype, copy=False)
        dw = None if dw is None else dw.astype(dtype, copy=False)
        return (dx, dw) if len(self.inputs) < 3 else (dx, dw, db)

    def winners(self, images: Any, w: Any) -> Any:
        """Which place won, for who asks only now."""
        run = kernels.kernel("conv2d_then")
        return run(images, w, None, None, self.window, True, False, True)[1]

    def composite(self, x: Any, weight: Any, bias: Any = None) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        y = ConvFunction(self.window)(x, weight)
        if self.pool:
            y = MaxPoolFunction(PAIRS)(y)
        if self.scale is not None:
            y = y * self.scale.astype(y.dtype)[:, None, None]
        if bias is not None:
            y = y + bias[:, None, None]
        return ReLUFunction.composite(y) if self.relu else y


@dataclass
class _Chain:
    """What follows a convolution, as far as it runs with it."""

    layers: list[Any]
    """The convolution first."""
    pool: int = 0
    """The place of the pooling in `layers`; 0: there is none."""
    norm: int = 0
    relu: bool = False

    @classmethod
    def of(cls, layers: list[Any], infers: bool) -> _Chain:
        chain = cls(layers[:1])
        for at, layer in enumerate(layers[1:4], 1):
            kind = type(layer)
            if kind is ReLU and not chain.relu:
                chain.relu = True
            elif kind is MaxPool2d and not chain.pool and _pairs(layer):
                chain.pool = at
            elif (
                kind is BatchNorm2d and infers and not (chain.norm or chain.relu) and _known(layer, layers[0])
            ):
                chain.norm = at
            else:
                break
            chain.layers.append(layer)
        return chain

    def unpooled(self) -> _Chain:
        """The part before the pooling."""
        return _Chain.of(self.layers[: self.pool], bool(self.norm))

    def run(self, x: Tensor) -> tuple[Tensor, int]:
        """The result, and how many layers ran."""
        conv = self.layers[0]
        places = conv.window.output(x.shape[-2:], "conv") if self.pool else (0, 0)
        if places[0] % 2 or places[1] % 2 or (self.pool and 0 in places):
            return self.unpooled().run(x)
        if len(self.layers) == 1:
            return x, 0
        weight, bias, scale = conv.weight, conv.bias, None
        if self.norm:
            scale, bias = _as_scale(self.layers[self.norm], bias)
            if not self.pool or self.norm < self.pool:  # a pooling would not find the same greatest after it
                weight = Tensor(weight.array * scale.astype(weight.dtype)[:, None, None, None])
                scale = None
        function = ConvThenFunction(conv.window, bool(self.pool), self.relu, scale)
        return conv.compute(function, x, weight, *(() if bias is None else (bias,))), len(self.layers)


def _as_scale(norm: BatchNorm2d, bias: Any) -> tuple[Any, Tensor]:
    """Batch norm in eval mode as z · scale + offset, for z without the bias that comes before it."""
    mean, variance = (part.array.astype(np.float64) for part in norm.running() or ())
    scale = inverse_root(variance + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.array
    offset = -mean if bias is None else bias.array - mean
    offset = offset * scale
    if norm.bias is not None:
        offset = offset + norm.bias.array
    dtype = norm.running_mean.dtype if norm.running_mean is not None else np.float32
    return scale.astype(dtype), Tensor(offset, dtype)


def _known(norm: BatchNorm2d, conv: Any) -> bool:
    """Is it in eval mode, with running values that are finite and of the convolution's channels and dtype?"""
    running = norm.running()
    if norm.training or running is None or norm.num_features != conv.out_channels:
        return False
    parts = [part for part in (*running, norm.weight, norm.bias) if part is not None]
    return all(part.shape == (conv.out_channels,) and part.dtype == conv.weight.dtype for part in parts)


def _pairs(layer: MaxPool2d) -> bool:
    return layer.window == PAIRS and not layer.return_indices and not layer.ceil_mode


def _fused(layers: list[Any], at: int) -> Fused | None:
    """For a Conv2d at that place: the layers that can run with it, and how."""
    conv = layers[at]
    run = kernels.kernel("conv2d_then")
    if conv._around or run is by.conv2d_then_loops:
        return None  # it would do one after the other, and so does Sequential
    infers, only_pooled = not recorder.recording(), run is by.conv2d_then
    chain = _Chain.of(layers[at : at + 4], infers and not only_pooled)
    if len(chain.layers) == 1:
        return None
    # NumPy's joins no more than the pooling, and to sum up a bias's gradient needs what is between.
    if only_pooled and not (chain.pool and (infers or conv.bias is None)):
        return None

    def forward(x: Any) -> tuple[Tensor, int]:
        x = as_tensor(x)
        if x.ndim not in (3, 4) or not (infers or _recorded(layers, at, x)):
            return x, 0
        if only_pooled and not (x.ndim == 4 and suits_images(x, conv.out_channels, conv.window)):
            return x, 0
        return chain.run(x)

    return len(chain.layers), forward


def _recorded(layers: list[Any], at: int, x: Tensor) -> bool:
    """Is something of it recorded, here or further on, so that nobody can go back through all of it by hand?"""
    if x.requires_grad or layers[at].weight.requires_grad:
        return True
    return any(parameter.requires_grad for layer in layers[at:] for parameter in layer.parameters())


fusions[Conv2d] = _fused
