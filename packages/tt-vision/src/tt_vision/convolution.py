"""Convolution as one trilinear form, of which everything else is a derivative.

    T(x, w, g) = Σ g[n, o, place] · w[o, c, tap] · x[n, c, pixel of the tap at the place]

∂T/∂g is the convolution of x with w; ∂T/∂x is the transposed convolution of g with w; ∂T/∂w is what a weight
collects. Each is a Function here, linear in both of its inputs, and its rule is the other two. So derivatives of
every order are made of the same three, and the same kernels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards
from tt_tensor import Function, Tensor, kernels
from tt_tensor.errors import DTypeError, ShapeError
from tt_vision.channels import channel_sums, channels_last, rows_of
from tt_vision.kernels import conv_blocked, conv_depthwise, conv_im2col, conv_loops, conv_winograd
from tt_vision.on_images import OnImages
from tt_vision.window import Pair, Window

__all__ = ["ConvFunction", "ConvTransposeFunction", "ConvWeightFunction"]

SMALL = 1 << 16
"""Elements of all windows, up to which one product without blocks and threads is quicker."""


def conv2d(x: Any, weight: Any, bias: Any, window: Window) -> Any:
    """By the kernel that suits the shape."""
    if conv_depthwise.suits(window, weight.shape[0], x.shape[1]):
        return conv_depthwise.conv2d(x, weight, bias, window)
    places = window.output(x.shape[2:], "conv2d")
    size = x.shape[0] * places[0] * places[1] * x.shape[1] * window.size[0] * window.size[1]
    if size <= SMALL:
        return conv_im2col.conv2d(x, weight, bias, window)
    y = None
    if conv_winograd.suits_images(x, len(weight), window):
        y = conv_winograd.conv2d(x, weight, bias, window)
    return conv_blocked.conv2d(x, weight, bias, window) if y is None else y


def conv2d_backward(
    x: Any, weight: Any, grad: Any, window: Window, image: Pair, needs: tuple[bool, bool]
) -> tuple[Any, Any]:
    """By the kernel that suits the shape."""
    c = weight.shape[1] if weight is not None else x.shape[1] // window.groups
    if conv_depthwise.suits(window, grad.shape[1], c * window.groups):
        return conv_depthwise.conv2d_backward(x, weight, grad, window, image, needs)
    size = grad.size // max(grad.shape[1], 1) * c * window.groups * window.size[0] * window.size[1]
    if size <= SMALL:
        return conv_im2col.conv2d_backward(x, weight, grad, window, image, needs)
    found = None
    n, o, *places = grad.shape
    if needs[0] and conv_winograd.suits(window, (places[0], places[1]), image, (n, o, c), grad.dtype):
        found = conv_winograd.conv2d_backward(x if needs[1] else None, weight, grad, window, image)
    return found or conv_blocked.conv2d_backward(x, weight, grad, window, image, needs)


for _name, _kernel in (("loops", conv_loops), ("im2col", conv_im2col), ("blocked", conv_blocked)):
    kernels.register("conv2d", _name, _kernel.conv2d)
    kernels.register("conv2d_backward", _name, _kernel.conv2d_backward)
kernels.register("conv2d", "numpy", conv2d, default=True)
kernels.register("conv2d_backward", "numpy", conv2d_backward, default=True)


class _Trilinear(OnImages, Function):
    """One of the three. `window` is the geometry; filters of rows of samples, (O, C, k), are of height 1 inside."""

    def __init__(self, window: Window) -> None:
        shards.prefer()
        self.window, self.dims = window, window.dims

    def filters(self, weight: Any) -> Any:
        """The weight as (O, C / groups, kh, kw). Raises ShapeError where it does not fit the window."""
        dims = self.dims
        if weight.dtype.kind != "f":
            raise DTypeError(f"{self.what}: the weight is {weight.dtype}; use weight.astype('float32') first")
        if weight.ndim != dims + 2:
            shape = "(O, C / groups, kh, kw)" if dims == 2 else "(O, C / groups, k)"
            raise ShapeError(f"{self.what}: the weight has shape {weight.shape}; it must be {shape}")
        w = weight[:, :, None] if dims == 1 else weight
        if w.shape[2:] != self.window.size:
            raise ShapeError(
                f"{self.what}: the weight {weight.shape} is not of the kernel size {self.window.size}"
            )
        if w.shape[0] % self.window.groups:
            raise ShapeError(
                f"{self.what}: the {w.shape[0]} filters of the weight {weight.shape} cannot be shared out to "
                f"{self.window.groups} groups"
            )
        return w

    def weight_like(self, weights: Any) -> Any:
        """(O, C, kh, kw) with the axes that a weight has."""
        return weights[:, :, 0] if self.dims == 1 else weights

    def check_bias(self, bias: Any, channels: int) -> None:
        """Raise ShapeError unless there is one number for each channel that comes out, DTypeError for integers."""
        if bias is None:
            return
        if bias.shape != (channels,):
            raise ShapeError(
                f"{self.what}: the bias has shape {bias.shape}; ({channels},) is needed, one for each channel"
            )
        if bias.dtype.kind != "f":
            raise DTypeError(f"{self.what}: the bias is {bias.dtype}; use bias.astype('float32') first")

    def bias_gradient(self, grad: Any) -> Any:
        """Σ over all but the channels."""
        if isinstance(grad, Tensor):
            channel = grad.ndim - self.dims - 1
            return grad.sum(axis=tuple(axis for axis in range(grad.ndim) if axis != channel))
        (g,) = _wide(grad.dtype, self.images(grad, "gradient"))
        return channel_sums(rows_of(channels_last(g))).astype(grad.dtype)


class ConvFunction(_Trilinear):
    """y = w ⋆ x + b, the convolution of deep learning (a cross-correlation): see kernels/conv_loops.py.

    dx is the transposed convolution of grad with w, dw what each tap saw of x under grad, db = Σ grad.
    """

    what = "conv"
    image: Pair

    def forward(self, x: Any, weight: Any, bias: Any = None) -> Any:
        self.x, self.weight = x, weight
        if _any_tensor(x, weight, bias):
            again = ConvFunction(self.window)
            y = again(x, weight) if bias is None else again(x, weight, bias)
            self.image = again.image
            return y
        images, w, b, dtype = self.checked(x, weight, bias)
        return self.like(x, correlate(images, w, b, self.window)).astype(dtype, copy=False)

    def checked(self, x: Any, weight: Any, bias: Any) -> tuple[Any, Any, Any, Any]:
        """Images, filters and bias in one dtype, wide enough to add up, and the dtype of the result.

        Raises ShapeError where shapes do not fit, DTypeError for integers.
        """
        images, w = self.images(x, "input"), self.filters(weight)
        if images.shape[1] != w.shape[1] * self.window.groups:
            raise ShapeError(
                f"{self.what}: an input of shape {x.shape} has {images.shape[1]} channels, but the weight "
                f"{weight.shape} in {self.window.groups} groups takes {w.shape[1] * self.window.groups}"
            )
        self.check_bias(bias, len(w))
        self.image = images.shape[2:]
        self.window.output(self.image, self.what)
        dtype = np.result_type(*(part for part in (x, weight, bias) if part is not None))
        images, w, b = _wide(dtype, images, w, bias)
        return images, w, b, dtype

    def backward(self, grad: Any) -> Any:
        x, weight, window = self.x, self.weight, self.window
        of_x, of_weight = self.wants(0), self.wants(1)
        if isinstance(grad, Tensor):
            dx = ConvTransposeFunction(window, self.image)(grad, weight) if of_x else None
            dw = ConvWeightFunction(window)(x, grad) if of_weight else None
        else:
            dtype = np.result_type(grad, x, weight)
            images, w, g = _wide(
                dtype, self.images(x, "input"), self.filters(weight), self.images(grad, "gradient")
            )
            dx, dw = send_back(images, w, g, window, self.image, (of_x, of_weight))
            dx = None if dx is None else self.like(x, dx).astype(dtype, copy=False)
            dw = None if dw is None else self.weight_like(dw).astype(dtype, copy=False)
        if len(self.inputs) < 3:
            return dx, dw
        return dx, dw, self.bias_gradient(grad) if self.wants(2) else None


class ConvTransposeFunction(_Trilinear):
    """x = wᵀ ⋆ g + b: what a convolution sends back to an image of size `image`; as a layer, it enlarges.

    g (N, O, places), w (O, C / groups, kh, kw), gives (N, C, *image). For a gradient h at the result: dg is the
    convolution of h with w, dw what each tap saw of h under g, db = Σ h.
    """

    what = "conv_transpose"

    def __init__(self, window: Window, image: Pair) -> None:
        super().__init__(window)
        self.image = image

    def forward(self, g: Any, weight: Any, bias: Any = None) -> Any:
        self.g, self.weight = g, weight
        if _any_tensor(g, weight, bias):
            again = ConvTransposeFunction(self.window, self.image)
            return again(g, weight) if bias is None else again(g, weight, bias)
        images, w = self.images(g, "input"), self.filters(weight)
        if images.shape[1] != w.shape[0]:
            raise ShapeError(
                f"{self.what}: an input of shape {g.shape} has {images.shape[1]} channels, but the weight "
                f"{weight.shape} takes {w.shape[0]}"
            )
        self.check_bias(bias, w.shape[1] * self.window.groups)
        places = self.window.output(self.image, self.what)
        if images.shape[2:] != places:
            raise ShapeError(
                f"{self.what}: the window has {places} places in an image of {self.image} pixels, but the input "
                f"{g.shape} has {images.shape[2:]}"
            )
        dtype = np.result_type(*(part for part in (g, weight, bias) if part is not None))
        images, w, b = _wide(dtype, images, w, bias)
        x = send_back(None, w, images, self.window, self.image, (True, False))[0]
        if b is not None:
            x = x + b[:, None, None]
        return self.like(g, x).astype(dtype, copy=False)

    def backward(self, grad: Any) -> Any:
        g, weight, window = self.g, self.weight, self.window
        dg = dw = None
        if isinstance(grad, Tensor):
            dg = ConvFunction(window)(grad, weight) if self.wants(0) else None
            dw = ConvWeightFunction(window)(grad, g) if self.wants(1) else None
        else:
            dtype = np.result_type(grad, g, weight)
            h, w, images = _wide(
                dtype, self.images(grad, "gradient"), self.filters(weight), self.images(g, "input")
            )
            if self.wants(0):
                dg = self.like(g, correlate(h, w, None, window)).astype(dtype, copy=False)
            if self.wants(1):
                dw = send_back(h, None, images, window, self.image, (False, True))[1]
                dw = self.weight_like(dw).astype(dtype, copy=False)
        if len(self.inputs) < 3:
            return dg, dw
        return dg, dw, self.bias_gradient(grad) if self.wants(2) else None


class ConvWeightFunction(_Trilinear):
    """What the weight of a convolution collects: Σ g[place] · x[pixel of the tap at the place].

    x (N, C, H, W), g (N, O, places), gives (O, C / groups, kh, kw).
    For a gradient k, of the weight's shape: dx is the transposed convolution of g with k, dg the convolution of x
    with k.
    """

    what = "conv_weight"
    image: Pair

    def forward(self, x: Any, g: Any) -> Any:
        self.x, self.g = x, g
        if _any_tensor(x, g):
            again = ConvWeightFunction(self.window)
            dw = again(x, g)
            self.image = again.image
            return dw
        images, back = self.images(x, "input"), self.images(g, "gradient")
        self.image = images.shape[2:]
        places, groups = self.window.output(self.image, self.what), self.window.groups
        if len(back) != len(images) or back.shape[2:] != places:
            raise ShapeError(
                f"{self.what}: an input of shape {x.shape} has windows at {places} places, but the gradient has "
                f"shape {g.shape}"
            )
        if images.shape[1] % groups or back.shape[1] % groups:
            raise ShapeError(
                f"{self.what}: {images.shape[1]} and {back.shape[1]} channels cannot be shared out to {groups} groups"
            )
        dtype = np.result_type(x, g)
        images, back = _wide(dtype, images, back)
        dw = send_back(images, None, back, self.window, self.image, (False, True))[1]
        return self.weight_like(dw).astype(dtype, copy=False)

    def backward(self, grad: Any) -> Any:
        x, g, window = self.x, self.g, self.window
        if isinstance(grad, Tensor):
            dx = ConvTransposeFunction(window, self.image)(g, grad) if self.wants(0) else None
            return dx, ConvFunction(window)(x, grad) if self.wants(1) else None
        dtype = np.result_type(grad, x, g)
        images, k, back = _wide(
            dtype, self.images(x, "input"), self.filters(grad), self.images(g, "gradient")
        )
        dx = dg = None
        if self.wants(0):
            dx = send_back(None, k, back, window, self.image, (True, False))[0]
            dx = self.like(x, dx).astype(dtype, copy=False)
        if self.wants(1):
            dg = self.like(g, correlate(images, k, None, window)).astype(dtype, copy=False)
        return dx, dg


def correlate(x: Any, weight: Any, bias: Any, window: Window) -> Any:
    """∂T/∂g on the kernel in use; where there is nothing to add up, the bias alone."""
    places = window.output(x.shape[2:], "conv")
    if x.size and weight.size and 0 not in places:
        return kernels.kernel("conv2d")(x, weight, bias, window)
    y = np.zeros((len(x), len(weight), *places), x.dtype)
    if bias is not None:
        y += bias[:, None, None]
    return y


def send_back(
    x: Any, weight: Any, grad: Any, window: Window, image: Pair, needs: tuple[bool, bool]
) -> tuple[Any, Any]:
    """∂T/∂x and ∂T/∂w on the kernel in use; zeros where there is nothing to add up."""
    if not any(needs):
        return None, None
    c = weight.shape[1] if weight is not None else x.shape[1] // window.groups
    if grad.size and c and 0 not in image:
        found: tuple[Any, Any] = kernels.kernel("conv2d_backward")(x, weight, grad, window, image, needs)
        return found
    n, o = grad.shape[:2]
    dx = np.zeros((n, c * window.groups, *image), grad.dtype) if needs[0] else None
    return dx, np.zeros((o, c, *window.size), grad.dtype) if needs[1] else None


def _wide(dtype: Any, *arrays: Any) -> list[Any]:
    """The arrays in `dtype`, or in float32 where that is float16, which no BLAS multiplies; None stays None."""
    to = np.float32 if dtype == np.float16 else dtype
    return [None if array is None else array.astype(to, copy=False) for array in arrays]


def _any_tensor(*operands: Any) -> bool:
    """Whether a derivative of higher order asks: then forward applies the Function to the Tensors anew."""
    return any(isinstance(operand, Tensor) for operand in operands)
