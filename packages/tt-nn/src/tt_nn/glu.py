"""GLU: one half of the numbers opens a gate for the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.blocks import working
from tt_nn.module import Module
from tt_tensor import Function, Tensor
from tt_tensor.errors import ShapeError
from tt_tensor.ops import special
from tt_tensor.ops.over_axes import one_axis

__all__ = ["GLU", "GLUFunction", "glu"]


class GLUFunction(Function):
    """y = a · σ(b), a and b the halves of x along `dim`: da = grad σ(b), db = grad a σ(b) (1 - σ(b)), side by side."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Any:
        self.axis = one_axis(self.dim, x.ndim, "glu")
        if x.shape[self.axis] % 2:
            raise ShapeError(
                f"glu: axis {self.axis} of shape {x.shape} has no two halves; its size must be even"
            )
        wide = working(x, "glu")
        self.a, b = np.split(wide, 2, axis=self.axis)
        self.gate = special.sigmoid(b)
        y = self.a * self.gate
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        da = grad * self.gate
        return np.concatenate((da, da * self.a * (1 - self.gate)), axis=self.axis)


def glu(input: Any, dim: int = -1) -> Tensor:
    """a · σ(b), where a is the first half of the input along `dim` and b the second: (…, 2n, …) becomes (…, n, …).

    Raises ShapeError where that axis is of odd size, AxisError for a dim out of range, DTypeError for integers.
    Source: Dauphin, Fan, Auli & Grangier, "Language Modeling with Gated Convolutional Networks", 2016,
    arXiv:1612.08083.
    """
    return GLUFunction(dim)(input)


class GLU(Module):
    """a · σ(b), a and b the halves of the input along `dim`: see `functional.glu`."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Tensor:
        return self.compute(GLUFunction(self.dim), x)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
