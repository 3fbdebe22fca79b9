"""Making tensors: zeros ones full empty arange linspace eye one_hot, and the like of another.

A shape is given as `zeros(2, 3)` or as `zeros((2, 3))`. float32 unless the values or `dtype` say otherwise.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from tt_tensor.dtypes import check_dtype, default_dtype
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.tensor import Tensor, as_array, wrap

__all__ = [
    "arange",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "linspace",
    "one_hot",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]


def shape_of(sizes: tuple[Any, ...], what: str) -> tuple[int, ...]:
    """The shape meant by `sizes`: integers, or one tuple or list of them.

    Raises DTypeError for a size that is no integer, ShapeError for a negative one or too many elements.
    """
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = tuple(sizes[0])
    shape = tuple([integer(size, what, "a size") for size in sizes])
    if any(size < 0 for size in shape):
        raise ShapeError(f"{what}: the shape {shape} has a negative size")
    if math.prod(shape) > 2**60 or len(shape) > 64:
        raise ShapeError(f"{what}: the shape {shape} has more elements or axes than an array can have")
    return shape


def integer(value: Any, what: str, name: str) -> int:
    """`value` as an int. Raises DTypeError if it is none (a bool or a float is none)."""
    try:
        if not isinstance(value, bool | np.bool_):
            return operator.index(value)
    except TypeError:
        pass
    raise DTypeError(f"{what}: {name} is an integer, not {value!r}; the dtype is given as dtype=")


def finished(array: Any, requires_grad: bool) -> Tensor:
    """A Tensor around a new array, with its wish for a gradient."""
    result = wrap(array)
    if requires_grad:
        result.requires_grad = True
    return result


def _dtype(dtype: Any, what: str, otherwise: Any = default_dtype) -> np.dtype[Any]:
    return otherwise if dtype is None else check_dtype(dtype, what)


def zeros(*shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """0 everywhere.

    >>> zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])

    Raises ShapeError for a negative size, DTypeError for a size that is no integer or an unsupported dtype.
    """
    return finished(np.zeros(shape_of(shape, "zeros"), _dtype(dtype, "zeros")), requires_grad)


def ones(*shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """1 everywhere. Errors as for `zeros`."""
    return finished(np.ones(shape_of(shape, "ones"), _dtype(dtype, "ones")), requires_grad)


def empty(*shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Memory as it comes: whatever stood there before, to be overwritten. Errors as for `zeros`."""
    return finished(np.empty(shape_of(shape, "empty"), _dtype(dtype, "empty")), requires_grad)


def full(shape: Any, fill_value: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """`fill_value` everywhere, in its own dtype: float → float32, int → int64, bool → bool.

    Raises ShapeError if `fill_value` is not one value, ArgumentError if it does not fit into `dtype`.
    """
    sizes = shape_of((shape,), "full")
    value = _fill(fill_value, "full")
    return finished(
        _filled(np.empty(sizes, _dtype(dtype, "full", value.dtype)), value, "full"), requires_grad
    )


def _fill(fill_value: Any, what: str) -> Any:
    value = as_array(fill_value, what)
    if value.size != 1:
        raise ShapeError(f"{what}: fill_value is one number, not an array of shape {value.shape}")
    return value.reshape(())


def _filled(array: Any, value: Any, what: str) -> Any:
    kind = array.dtype.kind
    if kind in "iu":
        info, number = np.iinfo(array.dtype), value.item()
        if not info.min <= number <= info.max:  # false for nan as well
            raise ArgumentError(
                f"{what}: {number} does not fit into {array.dtype} ({info.min} to {info.max})"
            )
    array.fill(value)
    return array


def arange(
    start: Any, stop: Any = None, step: Any = 1, *, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """start, start + step, start + 2·step, … below `stop`; `arange(n)` counts from 0 to n - 1.

    int64 where all three are integers, else float32 (computed in float64, then rounded once).

    Raises DTypeError for what is no number, ArgumentError for step 0, for nan or infinity, or for values that
    `dtype` cannot hold.
    """
    if stop is None:
        start, stop = 0, start
    bounds = [_number(value, "arange") for value in (start, stop, step)]
    if bounds[2] == 0:
        raise ArgumentError("arange: step is 0, so the end is never reached")
    whole = all(isinstance(value, int) for value in bounds)
    wanted = _dtype(dtype, "arange", np.dtype(np.int64) if whole else default_dtype)
    if math.ceil((bounds[1] - bounds[0]) / bounds[2]) > 2**60:
        raise ShapeError(f"arange: from {start} to {stop} by {step} has more elements than an array can have")
    try:
        values = np.arange(*bounds, dtype=np.int64 if whole else np.float64)
    except OverflowError as error:
        raise ArgumentError(f"arange: {start}, {stop}, {step} do not all fit into int64") from error
    if wanted.kind in "iu" and values.size:
        info = np.iinfo(wanted)
        low, high = values.min(), values.max()
        if low < info.min or high > info.max:
            raise ArgumentError(f"arange: values from {low} to {high} do not fit into {wanted}")
    return finished(values.astype(wanted, copy=False), requires_grad)


def _number(value: Any, what: str) -> int | float:
    """`value` as a finite Python number."""
    if isinstance(value, Tensor | np.ndarray | np.generic) and value.size == 1:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DTypeError(f"{what}: expected a number, got {value!r}")
    if not math.isfinite(value):
        raise ArgumentError(f"{what}: {value} is not finite")
    return value


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    *,
    steps: int | None = None,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """start + i·(stop - start)/(num - 1) for i = 0 … num - 1: equal steps, both ends included.

    `steps` is PyTorch's name for num.

    Raises ArgumentError for a negative `num`, DTypeError for what is no number.
    """
    low, high = _number(start, "linspace"), _number(stop, "linspace")
    count = integer(num if steps is None else steps, "linspace", "num")
    if count < 0:
        raise ArgumentError(f"linspace: num is the number of values, {num} is negative")
    shape_of((count,), "linspace")
    wanted = _dtype(dtype, "linspace")
    return finished(np.linspace(low, high, count, dtype=wanted), requires_grad)


def eye(
    n: int, m: int | None = None, k: int = 0, *, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """out[i, j] = 1 where j = i + k, else 0; shape (n, m), by default (n, n)."""
    sizes = shape_of((n, n if m is None else m), "eye")
    diagonal = integer(k, "eye", "k")
    return finished(np.eye(*sizes, k=diagonal, dtype=_dtype(dtype, "eye")), requires_grad)


def one_hot(labels: Any, num_classes: int | None = None, *, dtype: Any = None) -> Tensor:
    """out[..., c] = 1 where labels[...] = c, else 0.

    labels: integers of any shape (…); out: (…, num_classes), int64 as in PyTorch, or `dtype`.
    Without `num_classes` there is one class for each value up to the largest label.

    Raises DTypeError for labels that are no integers, ArgumentError for one outside of 0 … num_classes - 1.
    """
    array = as_array(labels, "one_hot")
    if array.dtype.kind not in "iu":
        raise DTypeError(f"one_hot: labels are integers, not {array.dtype}; use astype('int64')")
    if num_classes is None:
        if array.size == 0:
            raise ArgumentError("one_hot: no labels, so the number of classes is unknown; pass num_classes")
        num_classes = int(array.max()) + 1
    classes = integer(num_classes, "one_hot", "num_classes")
    if classes < 1 and array.size:
        raise ArgumentError(f"one_hot: num_classes must be at least 1, not {classes}")
    if array.size and (array.min() < 0 or array.max() >= classes):
        wrong = array[(array < 0) | (array >= classes)].flat[0]
        raise ArgumentError(f"one_hot: label {wrong} is not one of the classes 0 to {classes - 1}")
    wanted = _dtype(dtype, "one_hot", np.dtype(np.int64))
    return wrap((array[..., None] == np.arange(classes)).astype(wanted))


def zeros_like(x: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """0 everywhere, in the shape and dtype of `x`."""
    array = as_array(x, "zeros_like")
    return finished(np.zeros(array.shape, _dtype(dtype, "zeros_like", array.dtype)), requires_grad)


def ones_like(x: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """1 everywhere, in the shape and dtype of `x`."""
    array = as_array(x, "ones_like")
    return finished(np.ones(array.shape, _dtype(dtype, "ones_like", array.dtype)), requires_grad)


def empty_like(x: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Memory as it comes, in the shape and dtype of `x`."""
    array = as_array(x, "empty_like")
    return finished(np.empty(array.shape, _dtype(dtype, "empty_like", array.dtype)), requires_grad)


def full_like(x: Any, fill_value: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """`fill_value` everywhere, in the shape and dtype of `x`. Errors as for `full`."""
    array = as_array(x, "full_like")
    out = np.empty(array.shape, _dtype(dtype, "full_like", array.dtype))
    return finished(_filled(out, _fill(fill_value, "full_like"), "full_like"), requires_grad)
