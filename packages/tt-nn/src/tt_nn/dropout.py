"""Dropout: in training, silence a random part of the inputs, so that no unit leans on another."""

from __future__ import annotations

from typing import Any

from tt_tensor import Function, Generator, Tensor, as_tensor, bernoulli
from tt_tensor.errors import ArgumentError

from tt_nn.module import Module

__all__ = ["Dropout", "DropoutFunction", "dropout"]


class DropoutFunction(Function):
    """x · mask, with a mask of 0 and 1 / (1 - p) drawn outside: dx = grad · mask; none for the mask."""

    def forward(self, x: Any, mask: Any) -> Any:
        self.mask = mask
        return x * mask

    def backward(self, grad: Any) -> Any:
        return grad * self.mask, None


def draw_mask(x: Any, p: float, generator: Generator | None = None) -> Tensor:
    """0 with probability p, else 1 / (1 - p), for each element of `x`, in its dtype."""
    mask = bernoulli(1 - p, x.shape, dtype=x.dtype, generator=generator)
    if 0 < p < 1:
        mask.array *= 1 / (1 - p)
    return mask


def dropout(input: Any, p: float = 0.5, training: bool = True, generator: Generator | None = None) -> Tensor:
    """In training, each element becomes 0 with probability p and the others grow by 1 / (1 - p), which keeps the mean.

    The input itself where `training` is False. Source: Srivastava et al., "Dropout", 2014.
    """
    x = as_tensor(input)
    p = _probability("dropout", p)
    return DropoutFunction()(x, draw_mask(x, p, generator)) if training and p else x


def _probability(where: str, p: Any) -> float:
    if not isinstance(p, int | float) or isinstance(p, bool) or not 0 <= p <= 1:
        raise ArgumentError(f"{where}: p is a probability from 0 to 1, not {p!r}")
    return float(p)


class Dropout(Module):
    """In training, x · mask / (1 - p) with a random mask that is 0 with probability p; in eval, x itself.

    Args:
        p: the probability of an element to be silenced.
        generator: where the masks are drawn from; by default the generator that `manual_seed` seeds.
    """

    def __init__(self, p: float = 0.5, generator: Generator | None = None) -> None:
        self.p, self.generator = _probability("Dropout", p), generator
        self._passed = False

    def forward(self, x: Any) -> Any:
        x = as_tensor(x)
        self.__dict__["_passed"] = not (self.training and self.p)
        if self._passed:
            return x
        return self.compute(DropoutFunction(), x, draw_mask(x, self.p, self.generator))

    def backward(self, grad: Any) -> Any:
        """The gradient through the mask of the last forward; as it is, where that let everything pass."""
        return grad if self._passed else super().backward(grad)

    def extra_repr(self) -> str:
        return f"p={self.p}"
