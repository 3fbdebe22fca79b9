"""Activations of straight pieces, for machines without exponentials: Hardtanh, ReLU6, Hardsigmoid, Hardswish."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn.activations import OutOfPlace
from tt_nn.blocks import kept, working
from tt_nn.gated import Gated
from tt_nn.module import Module
from tt_tensor import Function, Tensor
from tt_tensor.arguments import number
from tt_tensor.errors import ArgumentError, DTypeError
from tt_tensor.kernels.elementwise import binary
from tt_tensor.ops.plain import raw

__all__ = [
    "Hardsigmoid",
    "HardsigmoidFunction",
    "Hardswish",
    "HardswishFunction",
    "Hardtanh",
    "HardtanhFunction",
    "ReLU6",
    "ReLU6Function",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "relu6",
]


class HardtanhFunction(Function):
    """min(max(x, low), high): dx = grad in between, else 0; where x is NaN the gradient must not look healthy."""

    name = "hardtanh"

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        self.low, self.high = low, high

    def forward(self, x: Any) -> Any:
        if x.dtype.kind == "b":
            raise DTypeError(f"{self.name}: the input is bool; use x.astype('float32') first")
        self.inside = ~((x <= self.low) | (x >= self.high))
        return binary(np.minimum, binary(np.maximum, x, self.low), self.high)

    def backward(self, grad: Any) -> Any:
        return kept(self.inside, grad)

    def composite(self, x: Any) -> Tensor:
        """The same by choices, for higher orders."""
        outside = (raw(x) <= self.low) | (raw(x) >= self.high)
        return np.where(outside, np.clip(raw(x), self.low, self.high), x)  # type: ignore[return-value]


class ReLU6Function(HardtanhFunction):
    """min(max(x, 0), 6): dx = grad where 0 < x < 6, else 0."""

    name = "relu6"

    def __init__(self) -> None:
        super().__init__(0, 6)


class HardsigmoidFunction(Function):
    """clip(x / 6 + ½, 0, 1): dx = grad / 6 inside ±3, else 0."""

    def forward(self, x: Any) -> Any:
        wide = working(x, "hardsigmoid")
        self.inside = np.abs(wide) < 3
        y = binary(np.minimum, binary(np.maximum, binary(np.add, wide, 3), 0), 6) * (1 / 6)
        return y if wide is x else y.astype(x.dtype)

    def backward(self, grad: Any) -> Any:
        return kept(self.inside, grad) * (1 / 6)

    @staticmethod
    def composite(x: Any) -> Tensor:
        """The same by choices, for higher orders."""
        outside = np.clip(raw(x) + 3, 0, 6) * (1 / 6)
        return np.where(np.abs(raw(x)) < 3, (x + 3) * (1 / 6), outside)  # type: ignore[return-value]


class HardswishFunction(Gated, Function):
    """x · clip(x + 3, 0, 6) / 6: dx = grad · (x / 3 + ½) inside ±3, grad above, 0 below."""

    name = "hardswish"

    @staticmethod
    def gate_of(x: Any) -> Any:
        return np.clip(x + 3, 0, 6) * (1 / 6)

    @staticmethod
    def fill(x: Any, y: Any, gate: Any) -> None:
        np.add(x, 3, gate)
        np.clip(gate, 0, 6, out=gate)
        np.multiply(gate, 1 / 6, gate)
        np.multiply(x, gate, y)

    @staticmethod
    def send(x: Any, gate: Any, grad: Any, dx: Any) -> None:
        # The gate's own slope is 1/6 inside ±3.
        np.multiply(x, 1 / 6, dx)
        np.add(kept(np.abs(x) < 3, dx), gate, dx)
        np.multiply(dx, grad, dx)

    @staticmethod
    def composite(x: Any) -> Tensor:
        """The same by choices, for higher orders."""
        outside, above = np.abs(raw(x)) >= 3, raw(x) >= 3
        middle = np.where(outside, 0, x)
        return np.where(above, x, middle * (middle + 3) * (1 / 6))  # type: ignore[return-value]


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """min(max(x, min_val), max_val), element by element.

    Raises DTypeError for bool, ArgumentError unless the bounds are numbers and min_val < max_val. Source: Collobert,
    "Large Scale Machine Learning", 2004.
    """
    return HardtanhFunction(*_bounds("hardtanh", min_val, max_val))(input)


def _bounds(where: str, low: Any, high: Any) -> tuple[float, float]:
    low, high = number(where, "min_val", low), number(where, "max_val", high)
    if not low < high:
        raise ArgumentError(f"{where}: min_val must be less than max_val, not {low} and {high}")
    return low, high


def relu6(input: Any, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6), element by element; integers stay integers.

    Raises DTypeError for bool. Source: Krizhevsky, "Convolutional Deep Belief Networks on CIFAR-10", 2010.
    """
    return ReLU6Function()(input)


def hardsigmoid(input: Any, inplace: bool = False) -> Tensor:
    """clip(x / 6 + ½, 0, 1), element by element.

    Raises DTypeError for integers. Source: Courbariaux, Bengio & David, 2015, arXiv:1511.00363.
    """
    return HardsigmoidFunction()(input)


def hardswish(input: Any, inplace: bool = False) -> Tensor:
    """x · clip(x + 3, 0, 6) / 6, element by element.

    Raises DTypeError for integers. Source: Howard et al., "Searching for MobileNetV3", 2019, arXiv:1905.02244.
    """
    return HardswishFunction()(input)


class Hardtanh(Module):
    """min(max(x, min_val), max_val)."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        self.min_val, self.max_val = _bounds("Hardtanh", min_val, max_val)

    def forward(self, x: Any) -> Tensor:
        return self.compute(HardtanhFunction(self.min_val, self.max_val), x)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(OutOfPlace):
    """min(max(x, 0), 6)."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(ReLU6Function(), x)


class Hardsigmoid(OutOfPlace):
    """clip(x / 6 + ½, 0, 1)."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(HardsigmoidFunction(), x)


class Hardswish(OutOfPlace):
    """x · clip(x + 3, 0, 6) / 6."""

    def forward(self, x: Any) -> Tensor:
        return self.compute(HardswishFunction(), x)
