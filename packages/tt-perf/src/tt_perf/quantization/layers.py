"""Layers whose weights are stored in less than float32: they compute what the layer they were made of computes.

Their weights are buffers, so a state dict holds them as they are: `weight` (integers, or 16-bit floats), `scale`,
`zero_point` where weights are affine, `bias`, and where activations have a range of their own, `input_scale` and
`input_zero_point`. They only predict: integers have no gradient.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np

from tt_nn import Module
from tt_perf.quantization.halves import HalfArray
from tt_perf.quantization.integers import QuantizedArray
from tt_perf.quantization.products import Activation, activation_codes
from tt_perf.quantization.schemes import Scheme, StoredArray
from tt_tensor import Function, Tensor, kernels
from tt_tensor.errors import DTypeError, GradientError, IndexingError, ShapeError
from tt_tensor.tensor import wrap

__all__ = ["QuantizedConv2d", "QuantizedEmbedding", "QuantizedLayer", "QuantizedLinear"]

NO_TRAINING = (
    "this model is quantized: its weights are integers or rounded, and a step of training would be lost in the "
    "rounding. Train the float model, then quantize it again"
)


class QuantizedLayer(Module):
    """What they share: the stored weight, and the refusal to be trained.

    Args:
        scheme: how weights and activations are stored.
        stored: the weight.
        bias: float32 (rows,), or None.
        tensors: buffers to use, (weight, scale, zero_point), where another layer has the same weight; else made.
    """

    weight: Tensor
    input_scale: Tensor
    input_zero_point: Tensor

    def __init__(
        self,
        scheme: Scheme,
        stored: StoredArray,
        bias: Any = None,
        tensors: tuple[Tensor, Tensor | None, Tensor | None] | None = None,
    ) -> None:
        self.scheme = scheme
        self.shape = stored.shape
        scale, zero = (
            (stored.scale, stored.zero_point) if isinstance(stored, QuantizedArray) else (None, None)
        )
        if tensors is None:
            weight, scale, zero = (
                None if part is None else wrap(part) for part in (stored.values, scale, zero)
            )
        else:
            weight, scale, zero = tensors
        self.register_buffer("weight", weight)
        if scale is not None:
            self.register_buffer("scale", scale)
        if zero is not None:
            self.register_buffer("zero_point", zero)
        self.register_buffer("bias", None if bias is None else wrap(np.array(bias, np.float32)))
        if scheme.activations == "static":
            self.register_buffer("input_scale", wrap(np.ones((), np.float32)))
            self.register_buffer("input_zero_point", wrap(np.zeros((), np.uint8)))
        self._stored = stored

    @property
    def training(self) -> bool:  # type: ignore[override]
        """False, always: `train()` is refused."""
        return False

    @training.setter
    def training(self, mode: bool) -> None:
        if mode:
            raise GradientError(f"{type(self).__name__}.train: {NO_TRAINING}")

    def stored(self) -> StoredArray:
        """The weight with its scales, on the memory of the buffers."""
        held = self._stored
        buffers = self.__dict__
        if held.values is not buffers["weight"].array or (
            isinstance(held, QuantizedArray) and held.scale is not buffers["scale"].array
        ):
            # Somebody gave the buffers other memory: a copy of the layer, or a conversion.
            weight = buffers["weight"].array
            if isinstance(held, HalfArray):
                held = HalfArray(weight, self.shape)
            else:
                zero = buffers.get("zero_point")
                held = QuantizedArray(
                    weight,
                    buffers["scale"].array,
                    None if zero is None else zero.array,
                    held.group_size,
                    self.shape,
                )
            buffers["_stored"] = held
        return held

    def tensors(self) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The buffers (weight, scale, zero_point), for a layer that is tied to this one."""
        return self.weight, self.__dict__.get("scale"), self.__dict__.get("zero_point")

    def activation(self) -> Activation:
        """Scale and zero point of static activations; None for others."""
        if self.scheme.activations != "static":
            return None
        return float(self.input_scale.array), int(self.input_zero_point.array)

    def dequantize(self) -> Any:
        """The weight as float32, of the shape that it had."""
        return self.stored().dequantize()

    def settings(self) -> str:
        """The scheme in a few words, for `extra_repr`."""
        stored = self.stored()
        words = [f"weights={self.scheme.weights}"]
        if isinstance(stored, QuantizedArray) and stored.scale.shape[1] > 1:
            words.append(f"group_size={stored.group_size}")
        if not self.scheme.symmetric:
            words.append("affine")
        if self.scheme.activations:
            words.append(f"activations={self.scheme.activations}")
        return ", ".join(words)


def _refuse(layer: Any) -> NoReturn:
    raise GradientError(f"{type(layer).__name__}.backward: {NO_TRAINING}")


class QuantizedLinear(QuantizedLayer):
    """y = x Ŵᵀ + b, made of a Linear by `quantize`.

    Buffers: `weight` (out_features, in_features), `scale` and perhaps `zero_point` (out_features, groups), `bias`.
    """

    stands_for_linear = True
    """To tt_text's kernels of one new token: they take it where they would take a Linear."""

    @property
    def in_features(self) -> int:
        """Size of the input's last axis."""
        return self.shape[1]

    @property
    def out_features(self) -> int:
        """Size of the output's last axis."""
        return self.shape[0]

    def forward(self, x: Any) -> Tensor:
        return self.compute(_LinearFunction(self), x)

    def infer(self, x: Any, *rest: Any) -> Any:
        out, inputs = self.shape
        if x.shape[-1:] != (inputs,):
            raise ShapeError(
                f"QuantizedLinear: an input of shape {x.shape} against a weight of shape {self.shape}: the last axis "
                f"of the input must have {inputs} elements"
            )
        if x.dtype.kind != "f":
            raise DTypeError(f"QuantizedLinear: the input is {x.dtype}; use x.astype('float32') first")
        bias = self.__dict__["bias"]
        rows = x.reshape(math.prod(x.shape[:-1]), inputs)
        y = product(self, rows, None if bias is None else bias.array)
        return y.reshape(*x.shape[:-1], out)

    def extra_repr(self) -> str:
        bias = self.__dict__["bias"] is not None
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={bias}, {self.settings()}"


def product(layer: QuantizedLayer, rows: Any, bias: Any) -> Any:
    """rows (R, K) times the layer's weight, on the kernel in use."""
    if layer.scheme.activations is None:
        return kernels.kernel("quantized_linear")(rows, layer.stored(), bias)
    return kernels.kernel("quantized_linear_int8")(rows, layer.stored(), bias, layer.activation())


class _LinearFunction(Function):
    """y = x Ŵᵀ + b; no way back."""

    def __init__(self, layer: QuantizedLinear) -> None:
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer.infer(x)

    def backward(self, grad: Any) -> Any:
        _refuse(self.layer)


class QuantizedEmbedding(QuantizedLayer):
    """y[…] = Ŵ[ids[…]], made of an Embedding by `quantize`: rows become floats, of its dtype, as they are read.

    Buffers: `weight` (num_embeddings, embedding_dim), `scale` and perhaps `zero_point` (num_embeddings, groups).

    Args:
        dtype: of the Embedding's table; from it the layers behind have theirs.
    """

    def __init__(
        self, scheme: Scheme, stored: StoredArray, tensors: Any = None, dtype: Any = np.float32
    ) -> None:
        super().__init__(scheme, stored, tensors=tensors)
        self.dtype = np.dtype(dtype)

    @property
    def num_embeddings(self) -> int:
        """How many ids there are."""
        return self.shape[0]

    @property
    def embedding_dim(self) -> int:
        """How many numbers stand for each."""
        return self.shape[1]

    def forward(self, input: Any) -> Tensor:
        return self.compute(_EmbeddingFunction(self), input)

    def infer(self, x: Any, *rest: Any) -> Any:
        if x.dtype.kind not in "iu":
            raise DTypeError(
                f"QuantizedEmbedding: ids are whole numbers, not {x.dtype}; use astype('int64') first"
            )
        rows = self.shape[0]
        one = x.item() if x.size == 1 else -1  # a text's new token needs no search
        if not 0 <= one < rows and x.size and not (x.min() >= 0 and x.max() < rows):
            wrong = int(x[(x < 0) | (x >= rows)].reshape(-1)[0])
            raise IndexingError(
                f"QuantizedEmbedding: id {wrong} is out of range for a table of {rows} rows (ids 0 to {rows - 1}); the "
                "tokenizer has more tokens than the table, or is another one"
            )
        some = x.reshape(-1) if one < 0 else slice(one, one + 1)
        found = self.stored().take(some).reshape(*x.shape, self.shape[1])
        return found.astype(np.promote_types(self.dtype, found.dtype), copy=False)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, {self.settings()}"


class _EmbeddingFunction(Function):
    """y[…] = Ŵ[ids[…]]; no way back."""

    def __init__(self, layer: QuantizedEmbedding) -> None:
        self.layer = layer

    def forward(self, ids: Any) -> Any:
        return self.layer.infer(ids)

    def backward(self, grad: Any) -> Any:
        _refuse(self.layer)


class QuantizedConv2d(QuantizedLayer):
    """y = Ŵ ⋆ x + b, made of a convolution of tt-vision by `quantize`.

    The weight becomes float32 for each call, which costs little beside the convolution, and the kernel "conv2d" in use
    does the rest. Quantized activations are rounded to what their integers stand for: the same numbers come out as
    from sums of integers, but for float32's own rounding.

    Buffers: `weight` (O, C / groups · kh · kw), `scale` and perhaps `zero_point` (O, groups), `bias`.

    Args:
        convolution: the layer it is made of; its settings are taken over.
    """

    def __init__(
        self, scheme: Scheme, stored: StoredArray, bias: Any, tensors: Any, convolution: Any
    ) -> None:
        super().__init__(scheme, stored, bias, tensors)
        self.window = convolution.window
        self.described = convolution.extra_repr()
        self._around = tuple(convolution._around)

    def forward(self, x: Any) -> Tensor:
        for around in self._around:
            x = around(x)
        return self.compute(_ConvFunction(self), x)

    def convolve(self, x: Any) -> Any:
        """The convolution of an array (N, C, H, W), (C, H, W), or with one axis less for Conv1d."""
        window = self.window
        axes = "(N, C, H, W) or (C, H, W)" if window.dims == 2 else "(N, C, L) or (C, L)"
        if x.ndim not in (window.dims + 1, window.dims + 2):
            raise ShapeError(f"QuantizedConv2d: the input has shape {x.shape}; it must be {axes}")
        if x.dtype.kind != "f":
            raise DTypeError(f"QuantizedConv2d: the input is {x.dtype}; use x.astype('float32') first")
        images = x if x.ndim == window.dims + 2 else x[None]
        channels = self.shape[1] * window.groups
        if images.shape[1] != channels:
            raise ShapeError(
                f"QuantizedConv2d: an input of shape {x.shape} has {images.shape[1]} channels; the weight takes "
                f"{channels}"
            )
        weight, bias = self.dequantize(), self.__dict__["bias"]
        if window.dims == 1:
            images, weight = images[:, :, None], weight[:, :, None]
        if self.scheme.activations is not None:
            images = self.rounded(images)
        dtype = np.result_type(x, weight)
        y = kernels.kernel("conv2d")(
            images.astype(dtype, copy=False),
            weight.astype(dtype, copy=False),
            None if bias is None else bias.array.astype(dtype, copy=False),
            window,
        )
        if window.dims == 1:
            y = y[:, :, 0]
        return y if x.ndim == window.dims + 2 else y[0]

    def rounded(self, images: Any) -> Any:
        """Activations as their integers stand for them; dynamic ones have a scale for each image."""
        # (N, H, W, C) in memory, as the layers of tt-vision like it; one row an image.
        last = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
        codes, scale, zero = activation_codes(last.reshape(len(last), -1), self.activation())
        numbers = codes.astype(np.float32)
        numbers -= zero[:, None]
        numbers *= scale[:, None]
        return numbers.reshape(last.shape).transpose(0, 3, 1, 2)

    def extra_repr(self) -> str:
        return f"{self.described}, {self.settings()}"


class _ConvFunction(Function):
    """y = Ŵ ⋆ x + b; no way back."""

    def __init__(self, layer: QuantizedConv2d) -> None:
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer.convolve(x)

    def backward(self, grad: Any) -> Any:
        _refuse(self.layer)
