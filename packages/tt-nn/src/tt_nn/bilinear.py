"""Bilinear: every output a weighted sum over all products of one number of each of two inputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_nn import init
from tt_nn.by_tape import ByTape
from tt_nn.parameter import Parameter
from tt_tensor import Tensor, as_tensor, einsum, random
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ShapeError

__all__ = ["Bilinear", "bilinear"]


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Tensor:
    """y_k = Σᵢⱼ x₁ᵢ W_kij x₂ⱼ + b_k, for x₁ (…, I), x₂ (…, J), W (K, I, J), b (K,); gives (…, K).

    Raises ShapeError where shapes do not fit.
    """
    x, y, w = as_tensor(input1), as_tensor(input2), as_tensor(weight)
    if w.ndim != 3 or not x.ndim or not y.ndim or x.shape[:-1] != y.shape[:-1]:
        raise ShapeError(
            f"bilinear: inputs (…, I) and (…, J), alike but for their last axis, and a weight (K, I, J), not "
            f"{x.shape}, {y.shape} and {w.shape}"
        )
    if (x.shape[-1], y.shape[-1]) != w.shape[1:]:
        raise ShapeError(
            f"bilinear: inputs of shape {x.shape} and {y.shape} do not fit a weight of shape {w.shape}"
        )
    found = einsum("...i,kij,...j->...k", x, w, y)
    return found if bias is None else found + as_tensor(bias)


class Bilinear(ByTape):
    """y = x₁ᵀ W x₂ + b: see `functional.bilinear`.

    Args:
        in1_features, in2_features, out_features: I, J and K.
        bias: whether b is added.
        dtype: of the parameters; float32 by default.

    Parameters: `weight` (K, I, J), `bias` (K,), both drawn uniformly from ±1/√I.
    """

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, dtype: Any = None
    ) -> None:
        self.in1_features = whole_number("Bilinear", "in1_features", in1_features, 1)
        self.in2_features = whole_number("Bilinear", "in2_features", in2_features)
        self.out_features = whole_number("Bilinear", "out_features", out_features)
        shape = (self.out_features, self.in1_features, self.in2_features)
        self.weight = Parameter(np.zeros(shape, np.float32), dtype=dtype)
        self.bias = Parameter(np.zeros(self.out_features, np.float32), dtype=dtype) if bias else None
        if init.wanted():
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew from the default generator."""
        bound = 1 / math.sqrt(self.in1_features)
        for parameter in self.parameters():
            parameter.write(random.uniform(-bound, bound, parameter.shape, dtype=parameter.dtype))

    def forward(self, input1: Any, input2: Any) -> Tensor:
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
