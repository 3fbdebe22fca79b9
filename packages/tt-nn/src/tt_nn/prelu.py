"""PReLU: a leaky ReLU whose slope is learned, one for all or one for each channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.blocks import working
from tt_nn.module import Module
from tt_nn.parameter import Parameter
from tt_tensor import Function, Tensor, as_tensor
from tt_tensor.arguments import number
from tt_tensor.creation import full
from tt_tensor.errors import ShapeError
from tt_tensor.ops.plain import raw

__all__ = ["PReLU", "PReLUFunction", "prelu"]


class PReLUFunction(Function):
    """x where x > 0, else w x: dx = grad or w grad, the latter at the kink; dw = Σ grad x where x < 0."""

    def forward(self, x: Any, weight: Any) -> Any:
        if weight.ndim != 1 or (weight.size != 1 and (x.ndim < 2 or x.shape[1] != weight.size)):
            raise ShapeError(
                f"prelu: an input of shape {x.shape} against a weight of shape {weight.shape}; there is one weight, "
                "or one for each channel, which stand on axis 1"
            )
        self.x = wide = working(x, "prelu")
        self.by_channel = weight.size != 1
        self.weight = weight.reshape((-1, *(1,) * (x.ndim - 2))) if self.by_channel else weight.reshape(())
        y = np.where(raw(wide) > 0, wide, wide * self.weight)
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        positive = raw(self.x) > 0
        dx = np.where(positive, grad, grad * self.weight)
        if not self.wants(1):
            return dx, None
        axes = tuple([axis for axis in range(self.x.ndim) if axis != 1 or not self.by_channel])
        return dx, np.where(positive, 0, grad * self.x).sum(axis=axes).reshape(-1)


def prelu(input: Any, weight: Any) -> Tensor:
    """x where x > 0, else w x, with one w, of shape (1,), or one for each channel of x (N, C, …), of shape (C,).

    Raises ShapeError for a weight of another shape, DTypeError for integers. Source: He, Zhang, Ren & Sun, "Delving
    Deep into Rectifiers", 2015, arXiv:1502.01852.
    """
    return PReLUFunction()(as_tensor(input), as_tensor(weight))


class PReLU(Module):
    """x where x > 0, else w x, with `num_parameters` slopes w that are learned: see `functional.prelu`.

    Weight decay pulls a slope to 0, so leave it out of the decay.
    """

    weight: Parameter

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        self.num_parameters = num_parameters
        self.weight = Parameter(full((num_parameters,), number("PReLU", "init", init), dtype="float32"))

    def forward(self, x: Any) -> Tensor:
        return self.compute(PReLUFunction(), x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
