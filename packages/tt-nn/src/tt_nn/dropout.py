"""Dropout: in training, silence a random part of the inputs, so that no unit leans on another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn.module import Module
from tt_tensor import Function, Generator, Tensor, as_tensor
from tt_tensor.arguments import probability
from tt_tensor.errors import DTypeError, ShapeError
from tt_tensor.generator import rng_of
from tt_tensor.kernels import table
from tt_tensor.tensor import wrap

__all__ = ["Dropout", "DropoutFunction", "draw_mask", "dropout"]


class DropoutFunction(Function):
    """x · mask · scale, with a mask of bools drawn outside: dx = grad · mask · scale; none for the mask."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def forward(self, x: Any, mask: Any) -> Any:
        if x.dtype.kind != "f":
            raise DTypeError(f"dropout: the input is {x.dtype}; use x.astype('float32') first")
        if mask.shape != x.shape:
            raise ShapeError(f"dropout: a mask of shape {mask.shape} for an input of shape {x.shape}")
        self.mask = mask
        return self.masked(x)

    def backward(self, grad: Any) -> Any:
        return self.masked(grad), None

    def masked(self, x: Any) -> Any:
        """x · mask · scale, on the kernel in use where x is an array."""
        if x.__class__ is np.ndarray and self.mask.__class__ is np.ndarray:
            return table.kernel("dropout")(x, self.mask, self.scale)
        return x * self.mask * self.scale


def loops(x: Any, mask: Any, scale: float) -> Any:
    """y = x · mask · scale, one number after the other; x and the bools of the mask have one shape."""
    y = np.empty(x.shape, x.dtype)
    for at in np.ndindex(x.shape):
        y[at] = float(x[at]) * bool(mask[at]) * scale
    return y


def numpy(x: Any, mask: Any, scale: float) -> Any:
    """The same in passes, one of which turns bools into numbers: a product with bools takes twice as long."""
    y = mask.astype(x.dtype)
    y *= x
    y *= scale
    return y


table.register("dropout", "loops", loops)
table.register("dropout", "numpy", numpy, default=True)


def draw_mask(shape: tuple[int, ...], p: float, generator: Any = None) -> Tensor:
    """False with probability `p`, else True, independently at each place of `shape`.

    The probability is exact to float64: a random byte decides, and only where it falls on the border, one time
    in 256, does a fraction decide. A byte costs an eighth of a number.

    Raises DTypeError for a `generator` that is none.
    """
    rng = rng_of(generator, "dropout")
    size = math.prod(shape)
    if size < 512:
        return wrap(rng.random(size).reshape(shape) >= p)
    border = int(p * 256)
    draws = rng.integers(0, 1 << 64, -(-size // 8), np.uint64).view(np.uint8)[:size]
    mask = draws > border
    if border < 256:
        at = np.flatnonzero(draws == border)
        mask[at] = rng.random(len(at)) >= p * 256 - border
    return wrap(mask.reshape(shape))


def dropout(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """In training, each element becomes 0 with probability p and the others grow by 1 / (1 - p), which keeps the mean.

    The input itself where `training` is False. `inplace` changes nothing: the input keeps its memory.

    Raises ArgumentError for a p that is no probability, DTypeError for integers or a generator that is none.
    Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.
    """
    x = as_tensor(input)
    p = probability("dropout", "p", p)
    return _apply(p)(x, draw_mask(x.shape, p, generator)) if training and p else x


def _apply(p: float) -> DropoutFunction:
    return DropoutFunction(1 / (1 - p) if p < 1 else 0.0)


class Dropout(Module):
    """In training, x · mask / (1 - p) with a random mask that is 0 with probability p; in eval, x itself.

    Args:
        p: the probability of an element to be silenced.
        inplace: taken so that PyTorch's models need no change; the input keeps its own memory, always.
        generator: where the masks are drawn from; by default the generator that `manual_seed` seeds.

    Raises ArgumentError for a p that is no probability.
    """

    _passed = False

    def __init__(self, p: float = 0.5, inplace: bool = False, generator: Generator | None = None) -> None:
        self.p, self.generator = probability("Dropout", "p", p), generator

    def forward(self, x: Any) -> Any:
        x = as_tensor(x)
        self.__dict__["_passed"] = not (self.training and self.p)
        if self._passed:
            return x
        return self.compute(_apply(self.p), x, draw_mask(x.shape, self.p, self.generator))

    def backward(self, grad: Any) -> Any:
        """The gradient through the mask of the last forward; as it is, where that let everything pass."""
        return as_tensor(grad) if self._passed else super().backward(grad)

    def extra_repr(self) -> str:
        return f"p={self.p}"
