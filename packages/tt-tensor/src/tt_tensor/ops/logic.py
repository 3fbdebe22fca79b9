"""Logic and bits: & | ^ ~ << >> on bool and integers, logical_and … on anything. They have no gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.ops.plain import plain_binary, plain_in_place, plain_unary

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = [
    "LogicMethods",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
]


def bitwise_and(x: Any, y: Any) -> Tensor:
    """x & y, bit by bit; of bools, the logical and. Raises DTypeError for floats."""
    return plain_binary(np.bitwise_and, x, y)


def bitwise_or(x: Any, y: Any) -> Tensor:
    """x | y, bit by bit; of bools, the logical or. Raises DTypeError for floats."""
    return plain_binary(np.bitwise_or, x, y)


def bitwise_xor(x: Any, y: Any) -> Tensor:
    """x ^ y, bit by bit; of bools, True where they differ. Raises DTypeError for floats."""
    return plain_binary(np.bitwise_xor, x, y)


def bitwise_not(x: Any) -> Tensor:
    """~x, every bit turned; of bools, the logical not. Raises DTypeError for floats."""
    return plain_unary(np.invert, x)


def logical_and(x: Any, y: Any) -> Tensor:
    """True where both are nonzero (NaN is nonzero)."""
    return plain_binary(np.logical_and, x, y)


def logical_or(x: Any, y: Any) -> Tensor:
    """True where either is nonzero (NaN is nonzero)."""
    return plain_binary(np.logical_or, x, y)


def logical_xor(x: Any, y: Any) -> Tensor:
    """True where exactly one is nonzero (NaN is nonzero)."""
    return plain_binary(np.logical_xor, x, y)


def logical_not(x: Any) -> Tensor:
    """True where x is zero."""
    return plain_unary(np.logical_not, x)


class LogicMethods:
    """& | ^ ~ << >> of a Tensor, their reflected and in-place forms, and the methods of the same meaning."""

    def __and__(self, other: Any) -> Tensor:
        return plain_binary(np.bitwise_and, self, other)

    def __rand__(self, other: Any) -> Tensor:
        return plain_binary(np.bitwise_and, other, self)

    def __iand__(self: Any, other: Any) -> Tensor:
        return plain_in_place(np.bitwise_and, self, other)

    def __or__(self, other: Any) -> Tensor:
        return plain_binary(np.bitwise_or, self, other)

    def __ror__(self, other: Any) -> Tensor:
        return plain_binary(np.bitwise_or, other, self)

    def __ior__(self: Any, other: Any) -> Tensor:
        return plain_in_place(np.bitwise_or, self, other)

    def __xor__(self, other: Any) -> Tensor:
        return plain_binary(np.bitwise_xor, self, other)

    def __rxor__(self, other: Any) -> Tensor:
        return plain_binary(np.bitwise_xor, other, self)

    def __ixor__(self: Any, other: Any) -> Tensor:
        return plain_in_place(np.bitwise_xor, self, other)

    def __lshift__(self, other: Any) -> Tensor:
        return plain_binary(np.left_shift, self, other)

    def __rlshift__(self, other: Any) -> Tensor:
        return plain_binary(np.left_shift, other, self)

    def __ilshift__(self: Any, other: Any) -> Tensor:
        return plain_in_place(np.left_shift, self, other)

    def __rshift__(self, other: Any) -> Tensor:
        return plain_binary(np.right_shift, self, other)

    def __rrshift__(self, other: Any) -> Tensor:
        return plain_binary(np.right_shift, other, self)

    def __irshift__(self: Any, other: Any) -> Tensor:
        return plain_in_place(np.right_shift, self, other)

    def __invert__(self) -> Tensor:
        return plain_unary(np.invert, self)

    bitwise_and = bitwise_and
    bitwise_or = bitwise_or
    bitwise_xor = bitwise_xor
    bitwise_not = bitwise_not
    logical_and = logical_and
    logical_or = logical_or
    logical_xor = logical_xor
    logical_not = logical_not
