"""Dropout1d, Dropout2d: in training, silence whole channels, since neighbouring pixels tell the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import Dropout
from tt_nn.dropout import draw_mask
from tt_tensor import Function, Generator, Tensor, as_tensor
from tt_tensor.arguments import probability
from tt_tensor.errors import DTypeError, ShapeError
from tt_tensor.ops.plain import raw
from tt_vision.kernels.image_rows import scaled_channels

__all__ = ["ChannelDropoutFunction", "Dropout1d", "Dropout2d", "dropout1d", "dropout2d"]

FEW = 1 << 14
"""Elements up to which a product as it stands is quicker than blocks."""


class ChannelDropoutFunction(Function):
    """x · mask · scale, with a mask of bools drawn outside: dx = grad · mask · scale; none for the mask.

    For an x (N, C, …) the mask is (N, C, 1, …), for (C, L) it is (C, 1).
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def forward(self, x: Any, mask: Any) -> Any:
        if x.dtype.kind != "f":
            raise DTypeError(f"dropout: the input is {x.dtype}; use x.astype('float32') first")
        wanted = _shape_of_mask(x.shape)
        if mask.shape != wanted:
            raise ShapeError(
                f"dropout: a mask of shape {mask.shape} for an input of shape {x.shape}; it must be {wanted}"
            )
        self.mask = mask
        return self.masked(x)

    def backward(self, grad: Any) -> Any:
        return self.masked(grad), None

    def masked(self, x: Any) -> Any:
        """x · mask · scale; a large array block by block."""
        factor = raw(self.mask) * np.asarray(self.scale, x.dtype)
        if x.__class__ is not np.ndarray or x.size <= FEW or x.ndim == 2 or x.dtype == np.float16:
            return x * factor
        n, c = x.shape[:2]
        return scaled_channels(x.reshape(n, c, math.prod(x.shape[2:])), factor.reshape(n, c)).reshape(x.shape)


def dropout2d(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """In training, each channel of each image (N, C, H, W) becomes 0 with probability p, others grow by 1 / (1 - p).

    The input itself where `training` is False. `inplace` changes nothing: the input keeps its memory.

    Raises ArgumentError for a p that is no probability, ShapeError for other than 4 axes (PyTorch takes (N, C, L), and
    warns that it will take that as one image; say `dropout1d`, or x[None], which cannot be misread), DTypeError for
    integers or a generator that is none.
    Source: Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015, arXiv:1411.4280.
    """
    x = as_tensor(input)
    p = probability("dropout2d", "p", p)
    _check("dropout2d", x, (4,), "(N, C, H, W); for one image use x[None], for (N, C, L) dropout1d")
    return _apply(p)(x, _mask(x.shape, p, generator)) if training and p else x


def dropout1d(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """`dropout2d` for channels of L samples: (N, C, L), or (C, L), in which each row is a channel."""
    x = as_tensor(input)
    p = probability("dropout1d", "p", p)
    _check("dropout1d", x, (2, 3), "(N, C, L) or (C, L)")
    return _apply(p)(x, _mask(x.shape, p, generator)) if training and p else x


def _apply(p: float) -> ChannelDropoutFunction:
    return ChannelDropoutFunction(1 / (1 - p) if p < 1 else 0.0)


def _mask(shape: tuple[int, ...], p: float, generator: Any) -> Tensor:
    return draw_mask(_shape_of_mask(shape), p, generator)


def _shape_of_mask(shape: tuple[int, ...]) -> tuple[int, ...]:
    """One for each channel: along the second axis, of two axes along the first."""
    channels = shape[:2] if len(shape) > 2 else shape[:1]
    return channels + (1,) * (len(shape) - len(channels))


def _check(what: str, x: Tensor, ranks: tuple[int, ...], shapes: str) -> None:
    if x.ndim not in ranks:
        raise ShapeError(f"{what}: the input has shape {x.shape}; it must be {shapes}")


class Dropout2d(Dropout):
    """In training, each channel of each image (N, C, H, W) is silenced with probability p: see `functional.dropout2d`.

    Args:
        p: the probability of a channel to be silenced.
        inplace: taken so that PyTorch's models need no change; the input keeps its own memory, always.
        generator: where the masks are drawn from; by default the generator that `manual_seed` seeds.

    Raises ArgumentError for a p that is no probability, ShapeError for another shape.
    """

    ranks: tuple[int, ...] = (4,)
    shapes = "(N, C, H, W); for one image use x[None], for (N, C, L) Dropout1d"

    def forward(self, x: Any) -> Any:
        x = as_tensor(x)
        _check(type(self).__name__, x, self.ranks, self.shapes)
        self.__dict__["_passed"] = not (self.training and self.p)
        return x if self._passed else self.compute(_apply(self.p), x, _mask(x.shape, self.p, self.generator))


class Dropout1d(Dropout2d):
    """Dropout2d for channels of L samples: (N, C, L) or (C, L)."""

    ranks, shapes = (2, 3), "(N, C, L) or (C, L)"
