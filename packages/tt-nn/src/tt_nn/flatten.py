"""Flatten and Unflatten: the same elements under fewer axes, or more."""

from __future__ import annotations

import math
import operator
from typing import Any

from tt_nn.module import Module
from tt_tensor import Tensor, as_tensor
from tt_tensor.errors import ArgumentError, ShapeError
from tt_tensor.ops.over_axes import one_axis
from tt_tensor.ops.shapes import Reshape

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim` into one: (N, C, H, W) becomes (N, C·H·W). A view where possible.

    Raises AxisError for an axis out of range, ShapeError where start_dim lies behind end_dim.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = _integer("Flatten", "start_dim", start_dim)
        self.end_dim = _integer("Flatten", "end_dim", end_dim)

    def forward(self, x: Any) -> Tensor:
        x = as_tensor(x)
        # A single number counts as one axis of size 1 here, as in PyTorch.
        start, end = (one_axis(dim, max(x.ndim, 1), "Flatten") for dim in (self.start_dim, self.end_dim))
        if start > end:
            raise ShapeError(
                f"Flatten: start_dim {self.start_dim} lies behind end_dim {self.end_dim} in {x.shape}"
            )
        shape = (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])
        return self.compute(Reshape(shape), x)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split the axis `dim` into axes of the sizes `unflattened_size`, one of which may be -1. A view where possible.

    Raises ArgumentError for sizes that are none, AxisError for an axis out of range, ShapeError where the axis
    does not split into the sizes.
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        self.dim = _integer("Unflatten", "dim", dim)
        self.unflattened_size = _sizes(unflattened_size)

    def forward(self, x: Any) -> Tensor:
        x = as_tensor(x)
        dim = one_axis(self.dim, x.ndim, "Unflatten")
        known = math.prod(size for size in self.unflattened_size if size >= 0)
        rest = x.shape[dim] // known if known else 0
        sizes = tuple(rest if size == -1 else size for size in self.unflattened_size)
        if math.prod(sizes) != x.shape[dim]:
            raise ShapeError(
                f"Unflatten: axis {self.dim} of {x.shape} has {x.shape[dim]} elements, which do not split into "
                f"{self.unflattened_size}"
            )
        return self.compute(Reshape((*x.shape[:dim], *sizes, *x.shape[dim + 1 :])), x)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def _integer(where: str, name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError as error:
        raise ArgumentError(f"{where}: {name} is an axis, an integer, not {value!r}") from error


def _sizes(given: Any) -> tuple[int, ...]:
    try:
        sizes = tuple(operator.index(size) for size in given)
    except TypeError:
        sizes = ()
    if not sizes or min(sizes) < -1 or sizes.count(-1) > 1:
        raise ArgumentError(
            f"Unflatten: unflattened_size is a tuple of sizes, one of them -1 at most, not {given!r}"
        )
    return sizes
