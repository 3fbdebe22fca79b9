"""What comparisons, logic and bits are made of: NumPy's function on the arrays, a Tensor without history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor import function
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.kernels import table
from tt_tensor.kernels.elementwise import binary, unary

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["ONE", "array_of", "number_like", "plain_binary", "plain_in_place", "plain_unary", "raw"]

# Function and Tensor need each other; once both stand, that module has Tensor, too.
seam: Any = function


ONE = {char: np.ones((), char) for char in "efd"}
"""1 by the character of its dtype. A ufunc takes half as long with an array of shape () as with a Python number."""
for _one in ONE.values():
    _one.setflags(write=False)
ndarray = np.ndarray


_numbers: dict[str, dict[float, Any]] = {"f": {}, "d": {}}
"""By the character of a dtype, numbers that operations met, as arrays of shape ()."""
MOST = 256


def number_like(value: float, x: Any) -> Any:
    """A Python float in the dtype of the array `x`, which is what NumPy makes of it, as an array of shape ().

    What float32 cannot hold exactly as it is (0 by its sign, very small and very large ones) stays a Python float.
    """
    if x.__class__ is ndarray:
        known = _numbers.get(x.dtype.char)
        if known is not None:
            # Plain look-ups: this runs in every operation with a number, which costs little more by itself.
            made = known.get(value)
            return _met(value, x.dtype.char, known) if made is None else made
    return value


def _met(value: float, char: str, known: dict[float, Any]) -> Any:
    if not 1e-30 < abs(value) < 1e30:
        return value
    if len(known) >= MOST:
        known.clear()
    made = np.array(value, char)
    made.setflags(write=False)
    known[value] = made
    return made


def raw(x: Any) -> Any:
    """The array of a Tensor; anything else as it is. For what is constant in a rule, at every order."""
    return x.array if isinstance(x, seam.Tensor) else x


def array_of(x: Any, what: str) -> Any:
    """What an operation computes on: a Tensor's array, a Python scalar as it is (weak), else an array.

    Raises DTypeError for what is no array of numbers.
    """
    if isinstance(x, seam.Tensor):
        return x.array
    return x if x.__class__ in (float, int, bool) else seam.as_array(x, what)


def plain_unary(ufunc: Any, x: Any) -> Tensor:
    """ufunc(x) as a Tensor. Raises DTypeError for a dtype that it does not take."""
    try:
        out = unary(ufunc, seam.as_array(x, ufunc.__name__))
    except TypeError as error:
        if isinstance(error, DTypeError):
            raise
        raise _explain(ufunc, (x,), error) from error
    return _tensor(out)


def plain_binary(ufunc: np.ufunc, x: Any, y: Any) -> Tensor:
    """ufunc(x, y) as a Tensor, operands broadcast.

    Raises ShapeError where the shapes do not broadcast, DTypeError for dtypes that it does not take.
    """
    a = x.array if isinstance(x, seam.Tensor) else array_of(x, ufunc.__name__)
    b = y.array if isinstance(y, seam.Tensor) else array_of(y, ufunc.__name__)
    try:
        out = ufunc(a, b) if table.plain else binary(ufunc, a, b)
    except (ValueError, TypeError, OverflowError) as error:
        raise _explain(ufunc, (x, y), error) from error
    return _tensor(out)


def _tensor(out: Any) -> Tensor:
    result = seam.new(seam.Tensor)
    result.array = out if out.__class__ is np.ndarray else np.asarray(out)
    return result


def plain_in_place(ufunc: np.ufunc, target: Tensor, other: Any) -> Tensor:
    """target = ufunc(target, other), written into target's memory and counted.

    Raises ShapeError where the result does not fit, DTypeError where it would lose its kind.
    """
    out = plain_binary(ufunc, target, other).array
    if out.shape != target.shape:
        raise ShapeError(
            f"{ufunc.__name__} in place: the result has shape {out.shape}, which does not fit into the tensor "
            f"of shape {target.shape}; write out of place"
        )
    if not np.can_cast(out.dtype, target.dtype, "same_kind"):
        raise DTypeError(
            f"{ufunc.__name__} in place: the result is {out.dtype}, which would lose its kind in a "
            f"{target.dtype} tensor; write out of place"
        )
    return target.write(out)


def _explain(ufunc: Any, inputs: tuple[Any, ...], error: Exception) -> Exception:
    kinds = ", ".join(f"{x.shape} {x.dtype}" if hasattr(x, "dtype") else f"{x!r:.40}" for x in inputs)
    message = f"{ufunc.__name__} of {kinds}: {error}"
    if isinstance(error, OverflowError):
        return ArgumentError(message)
    return DTypeError(message) if isinstance(error, TypeError) else ShapeError(message)
