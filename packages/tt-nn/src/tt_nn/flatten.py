"""Flatten and Unflatten: the same elements under fewer axes, or more."""

from __future__ import annotations

import math
from typing import Any

from tt_tensor import Tensor, as_tensor
from tt_tensor.errors import ArgumentError, ShapeError
from tt_tensor.ops.reductions import axes_of
from tt_tensor.ops.shapes import Reshape

from tt_nn.module import Module

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim` into one: (N, C, H, W) becomes (N, C·H·W). A view."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Tensor:
        x = as_tensor(x)
        start, end = (axes_of(dim, x.ndim, "Flatten")[0] for dim in (self.start_dim, self.end_dim))
        if start > end:
            raise ShapeError(f"Flatten: start_dim {self.start_dim} lies behind end_dim {self.end_dim} in {x.shape}")
        shape = (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])
        return self.compute(Reshape(shape), x)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split the axis `dim` into axes of the sizes `unflattened_size`, one of which may be -1. A view."""

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        sizes = tuple(unflattened_size) if isinstance(unflattened_size, tuple | list) else ()
        if not sizes or not all(isinstance(size, int) and size >= -1 for size in sizes) or sizes.count(-1) > 1:
            raise ArgumentError(
                f"Unflatten: unflattened_size is a tuple of sizes, one of them -1 at most, not {unflattened_size!r}"
            )
        self.dim, self.unflattened_size = dim, sizes

    def forward(self, x: Any) -> Tensor:
        x = as_tensor(x)
        dim = axes_of(self.dim, x.ndim, "Unflatten")[0]
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
