"""Comparisons and choices: == < maximum minimum where clip, and the rules of those that have one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.dtypes import default_dtype
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.function import Function
from tt_tensor.kernels import table
from tt_tensor.kernels.elementwise import binary
from tt_tensor.ops.casting import tensor_of
from tt_tensor.ops.plain import array_of, plain_binary, raw
from tt_tensor.ops.special import choose

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = [
    "Clip",
    "CompareMethods",
    "Maximum",
    "Minimum",
    "Where",
    "allclose",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "eq",
    "equal",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "isclose",
    "le",
    "less",
    "less_equal",
    "lt",
    "maximum",
    "minimum",
    "nan_to_num",
    "ne",
    "not_equal",
    "relu",
    "where",
]


class Maximum(Function):
    """z = max(x, y): the greater one gets the gradient, equal ones half of it each (as in PyTorch)."""

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return binary(np.maximum, x, y)

    def backward(self, grad: Any) -> Any:
        return _to_the_greater(grad, raw(self.x), raw(self.y))


class Minimum(Function):
    """z = min(x, y): the smaller one gets the gradient, equal ones half of it each (as in PyTorch)."""

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return binary(np.minimum, x, y)

    def backward(self, grad: Any) -> Any:
        dy, dx = _to_the_greater(grad, raw(self.x), raw(self.y))
        return dx, dy


def _to_the_greater(grad: Any, x: Any, y: Any) -> tuple[Any, Any]:
    tied = np.equal(x, y)
    share = choose(tied, grad * 0.5, grad) if tied.any() else grad
    # What is beaten gets nothing; beside a NaN nothing is.
    return choose(np.less(x, y), 0.0, share), choose(np.greater(x, y), 0.0, share)


class Where(Function):
    """z = x where the condition holds, else y: each gets the gradient where it was chosen, and 0 elsewhere."""

    def forward(self, condition: Any, x: Any, y: Any) -> Any:
        mask = np.asarray(raw(condition))
        self.mask = mask if mask.dtype == bool else mask != 0
        if not table.plain:
            z = table.kernel("elementwise")(np.where, self.mask, x, y)
        else:
            z = choose(self.mask, x, y)
        if z.dtype == np.float64 and not hasattr(x, "dtype") and not hasattr(y, "dtype"):
            return z.astype(default_dtype)
        return z

    def backward(self, grad: Any) -> Any:
        dx = choose(self.mask, grad, 0.0) if self.wants(1) else None
        return None, dx, choose(self.mask, 0.0, grad) if self.wants(2) else None


class Clip(Function):
    """z = min(max(x, low), high): the gradient goes to x within the bounds (both included), beyond them to the
    bound that was taken."""

    def forward(self, x: Any, low: Any, high: Any) -> Any:
        self.x, self.low, self.high = x, low, high
        if table.plain:
            return np.clip(x, low, high)
        return table.kernel("elementwise")(np.clip, x, low, high)

    def backward(self, grad: Any) -> Any:
        x, low, high = raw(self.x), raw(self.low), raw(self.high)
        # A NaN is not within the bounds.
        if low is None:
            inside, below, above = np.less_equal(x, high), None, np.greater(x, high)
        elif high is None:
            inside, below, above = np.greater_equal(x, low), np.less(x, low), None
        else:
            inside = np.greater_equal(x, low) & np.less_equal(x, high)
            below = np.less(low, high) & np.less(x, low)
            above = np.less(high, low) | np.greater(x, high)
        return (
            choose(inside, grad, 0.0),
            choose(below, grad, 0.0) if hasattr(low, "dtype") and self.wants(1) else None,
            choose(above, grad, 0.0) if hasattr(high, "dtype") and self.wants(2) else None,
        )


def maximum(x: Any, y: Any) -> Tensor:
    """max(x, y), element by element, with broadcasting; NaN where either is NaN.

    Gradient: to the greater; where both are equal, half to each.
    Raises ShapeError where the shapes do not broadcast.
    """
    return Maximum()(x, y)


def minimum(x: Any, y: Any) -> Tensor:
    """min(x, y), element by element, with broadcasting; NaN where either is NaN.

    Gradient: to the smaller; where both are equal, half to each.
    Raises ShapeError where the shapes do not broadcast.
    """
    return Minimum()(x, y)


def relu(x: Any) -> Tensor:
    """max(x, 0), element by element; at 0 the gradient is 0 (`maximum` sends half of it there, `clip` all).

    The layer of tt-nn, with kernels of its own, is faster where x is large.
    """
    x = tensor_of(x)
    return Where()(x.array <= 0, 0, x)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """x where `condition` holds, else y, the three broadcast against each other.

    `condition` is an array of bool, or of numbers, of which every nonzero one counts as True (so does NaN). What
    is not chosen never touches the gradient, a NaN included. Of two Python floats the result is float32.
    With `condition` alone: the indices where it holds, a tuple of int64 tensors, one for each axis.

    Raises ShapeError where the shapes do not broadcast, ArgumentError for one of x and y without the other.
    """
    if x is None and y is None:
        from tt_tensor.tensor import wrap

        mask = np.atleast_1d(array_of(condition, "where"))
        return tuple(wrap(index) for index in np.nonzero(mask))
    if x is None or y is None:
        raise ArgumentError("where: give both x and y to choose from, or neither to get the indices")
    return Where()(condition, x, y)


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """x with numbers in place of NaN, inf and -inf: `nan`, and the largest and least of x's dtype unless given.

    No gradient flows where something was replaced.
    """
    x = tensor_of(x)
    if x.dtype.kind != "f":
        return x.clone()
    array, widest = x.array, np.finfo(x.dtype)
    high = float(widest.max) if posinf is None else posinf
    low = float(widest.min) if neginf is None else neginf
    x = where(np.isnan(array), nan, x)
    return where(array == np.inf, high, where(array == -np.inf, low, x))  # type: ignore[no-any-return]


def clip(x: Any, min: Any = None, max: Any = None, *, a_min: Any = None, a_max: Any = None) -> Tensor:
    """min(max(x, low), high), element by element; where low > high, the result is high.

    The bounds are numbers, arrays or tensors that broadcast against x, or None for no bound on that side;
    a_min and a_max are NumPy's names for them. Gradient: to x within the bounds, both included; beyond one, to
    that bound.

    Raises ArgumentError if both bounds are None or one is given twice, ShapeError where shapes do not broadcast.
    """
    return Clip()(x, *clip_bounds(min, max, a_min, a_max))


def clamp_min(x: Any, min: Any) -> Tensor:
    """max(x, min), element by element: `clip` from below."""
    return clip(x, min)


def clamp_max(x: Any, max: Any) -> Tensor:
    """min(x, max), element by element: `clip` from above."""
    return clip(x, max=max)


def clip_bounds(low: Any, high: Any, a_min: Any = None, a_max: Any = None) -> tuple[Any, Any]:
    """The two bounds, whichever names they were given under. Raises ArgumentError for none, or one twice."""
    if (low is not None and a_min is not None) or (high is not None and a_max is not None):
        raise ArgumentError("clip: min and a_min (max and a_max) are one bound; give it once")
    low, high = a_min if low is None else low, a_max if high is None else high
    if low is None and high is None:
        raise ArgumentError("clip: give min, max, or both; without a bound there is nothing to clip")
    return low, high


def equal(x: Any, y: Any) -> Tensor:
    """x == y, element by element, a bool tensor; NaN equals nothing. No gradient.

    NumPy's meaning; PyTorch's `equal`, one bool for the whole, is `np.array_equal(x, y)`.
    Raises ShapeError where the shapes do not broadcast.
    """
    return plain_binary(np.equal, x, y)


def not_equal(x: Any, y: Any) -> Tensor:
    """x != y, element by element, a bool tensor; NaN differs from everything. No gradient."""
    return plain_binary(np.not_equal, x, y)


def less(x: Any, y: Any) -> Tensor:
    """x < y, element by element, a bool tensor. No gradient."""
    return plain_binary(np.less, x, y)


def less_equal(x: Any, y: Any) -> Tensor:
    """x <= y, element by element, a bool tensor. No gradient."""
    return plain_binary(np.less_equal, x, y)


def greater(x: Any, y: Any) -> Tensor:
    """x > y, element by element, a bool tensor. No gradient."""
    return plain_binary(np.greater, x, y)


def greater_equal(x: Any, y: Any) -> Tensor:
    """x >= y, element by element, a bool tensor. No gradient."""
    return plain_binary(np.greater_equal, x, y)


def isclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """|x - y| <= atol + rtol · |y|, element by element, a bool tensor; infinities are close to themselves.

    Raises ShapeError where the shapes do not broadcast.
    """
    from tt_tensor.tensor import wrap

    a, b = array_of(x, "isclose"), array_of(y, "isclose")
    try:
        return wrap(np.asarray(np.isclose(a, b, rtol, atol, equal_nan)))
    except ValueError as error:
        raise ShapeError(f"isclose of {np.shape(a)} and {np.shape(b)}: {error}") from error


def allclose(x: Any, y: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """True if |x - y| <= atol + rtol · |y| everywhere. Raises ShapeError where the shapes do not broadcast."""
    return bool(isclose(x, y, rtol, atol, equal_nan).array.all())


clamp = clip
eq, ne, lt, le, gt, ge = equal, not_equal, less, less_equal, greater, greater_equal


class CompareMethods:
    """Comparisons and choices as operators and methods of a Tensor."""

    # An object that is no array is never equal, as in PyTorch; Python falls back on identity.
    def __eq__(self, other: Any) -> Tensor:  # type: ignore[override]
        try:
            return plain_binary(np.equal, self, other)
        except DTypeError:
            return NotImplemented

    def __ne__(self, other: Any) -> Tensor:  # type: ignore[override]
        try:
            return plain_binary(np.not_equal, self, other)
        except DTypeError:
            return NotImplemented

    # Tensor hashes by identity; see there.
    __hash__ = object.__hash__

    def __lt__(self, other: Any) -> Tensor:
        return plain_binary(np.less, self, other)

    def __le__(self, other: Any) -> Tensor:
        return plain_binary(np.less_equal, self, other)

    def __gt__(self, other: Any) -> Tensor:
        return plain_binary(np.greater, self, other)

    def __ge__(self, other: Any) -> Tensor:
        return plain_binary(np.greater_equal, self, other)

    def where(self, condition: Any, other: Any) -> Tensor:
        """This tensor's elements where `condition` holds, else those of `other`."""
        return Where()(condition, self, other)

    # Not `equal`: in PyTorch that method gives one bool.
    eq, ne, lt, le, gt, ge = equal, not_equal, less, less_equal, greater, greater_equal
    not_equal = not_equal
    less = less
    less_equal = less_equal
    greater = greater
    greater_equal = greater_equal
    maximum = maximum
    minimum = minimum
    relu = relu
    nan_to_num = nan_to_num
    clip = clamp = clip
    clamp_min = clamp_min
    clamp_max = clamp_max
    isclose = isclose
    allclose = allclose
