"""Elementwise kernels: the same function at every position, operands broadcast against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tt_tensor.kernels import table

__all__ = ["binary", "loops", "numpy", "unary"]


def loops(ufunc: Callable[..., Any], *arrays: Any) -> Any:
    """out[i, j, …] = f(a[i, j, …], b[i, j, …], …), one element after the other."""
    if any(hasattr(array, "requires_grad") for array in arrays):
        return ufunc(*arrays)  # a Tensor answers the ufunc itself, and comes back here as an array
    shape = np.broadcast_shapes(*[np.shape(array) for array in arrays])
    stretched = [array if np.ndim(array) == 0 else np.broadcast_to(array, shape) for array in arrays]
    # The dtype that the whole operation promotes to, scalars being weak.
    like = ufunc(*[np.empty(0, array.dtype) if np.ndim(array) else array for array in arrays])
    out = np.empty(shape, np.asarray(like).dtype)
    for index in np.ndindex(shape):
        out[index] = ufunc(*[array[index] if np.ndim(array) else array for array in stretched])
    return out


def numpy(ufunc: Callable[..., Any], *arrays: Any) -> Any:
    """The same, by NumPy's own loops in C."""
    return ufunc(*arrays)


table.register("elementwise", "loops", loops)
table.register("elementwise", "numpy", numpy, default=True)


def unary(ufunc: Callable[..., Any], a: Any) -> Any:
    """f(a) on the kernel in use."""
    return ufunc(a) if table.plain else table.kernel("elementwise")(ufunc, a)


def binary(ufunc: Callable[..., Any], a: Any, b: Any) -> Any:
    """f(a, b) on the kernel in use."""
    return ufunc(a, b) if table.plain else table.kernel("elementwise")(ufunc, a, b)
