"""AlphaDropout: silences numbers as Dropout does, and keeps mean and variance; for networks of SELU."""

from __future__ import annotations

import math
from typing import Any

from tt_nn.activations import SELU_ALPHA, SELU_SCALE
from tt_nn.dropout import Dropout, draw_mask
from tt_tensor import Function, Generator, Tensor, as_tensor
from tt_tensor.arguments import probability
from tt_tensor.errors import DTypeError

__all__ = ["AlphaDropout", "AlphaDropoutFunction", "alpha_dropout"]

SHUT = -SELU_ALPHA * SELU_SCALE
"""What SELU comes to at -inf: what a silenced number is."""


class AlphaDropoutFunction(Function):
    """a (x where the mask is, else α′) + b with α′ = -1.758: dx = grad a where the mask is, else 0; none for the mask.

    a = 1 / √((1 - p)(1 + p α′²)) and b = -a p α′ take mean 0 and variance 1 to mean 0 and variance 1.
    """

    def __init__(self, p: float = 0.5) -> None:
        self.scale = 1 / math.sqrt((1 - p) * (1 + p * SHUT * SHUT)) if p < 1 else 0.0
        self.shift = -self.scale * p * SHUT

    def forward(self, x: Any, mask: Any) -> Any:
        if x.dtype.kind != "f":
            raise DTypeError(f"alpha_dropout: the input is {x.dtype}; use x.astype('float32') first")
        self.open = mask.astype(x.dtype)
        return x * self.open * self.scale + ((1 - self.open) * (self.scale * SHUT) + self.shift)

    def backward(self, grad: Any) -> Any:
        return grad * self.open * self.scale, None


def alpha_dropout(
    input: Any,
    p: float = 0.5,
    training: bool = False,
    inplace: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """In training, each element becomes what SELU is at -inf with probability p; all are scaled and shifted after it.

    Mean 0 and variance 1 stay. The input itself where `training` is False; `inplace` changes nothing.

    Raises ArgumentError for a p that is no probability, DTypeError for integers or a generator that is none.
    Source: Klambauer, Unterthiner, Mayr & Hochreiter, 2017, arXiv:1706.02515.
    """
    x, p = as_tensor(input), probability("alpha_dropout", "p", p)
    return AlphaDropoutFunction(p)(x, draw_mask(x.shape, p, generator)) if training and p else x


class AlphaDropout(Dropout):
    """Dropout for SELU in training; in eval, x itself: see `functional.alpha_dropout`. Arguments as for `Dropout`."""

    def forward(self, x: Any) -> Any:
        x = as_tensor(x)
        self.__dict__["_passed"] = not (self.training and self.p)
        if self._passed:
            return x
        return self.compute(AlphaDropoutFunction(self.p), x, draw_mask(x.shape, self.p, self.generator))
