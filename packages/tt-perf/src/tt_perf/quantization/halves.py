"""Floating numbers in 16 bits: float16 (10 bits after the point, up to 65,504) and bfloat16 (7 bits, float32's range).

They are for storage: products are taken in float32. NumPy has no bfloat16; it is the upper half of a float32, and is
held as uint16.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_perf.quantization.integers import check_finite
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

__all__ = ["HalfArray", "from_bfloat16", "half_array", "to_bfloat16"]


def to_bfloat16(array: Any) -> Any:
    """The bits of the nearest bfloat16, ties to the even one, as uint16. NaN stays NaN.

    >>> [hex(bits) for bits in to_bfloat16(np.float32([1, -2, 3.14159])).tolist()]
    ['0x3f80', '0xc000', '0x4049']
    """
    x = np.ascontiguousarray(array, np.float32)
    bits = x.view(np.uint32)
    # Adding a bit less than half of the last place rounds; the lowest bit that stays makes a tie go to the even one.
    upper = (bits + (((bits >> 16) & 1) + np.uint32(0x7FFF))) >> 16
    # The sum would carry a NaN's bits over to infinity or a number.
    return np.where(np.isnan(x), np.uint32(0x7FC0), upper).astype(np.uint16).reshape(np.shape(array))


def from_bfloat16(bits: Any) -> Any:
    """float32 of bfloat16's bits in uint16: exact."""
    return (np.asarray(bits).astype(np.uint32) << np.uint32(16)).view(np.float32)


class HalfArray:
    """Numbers in 16 bits, as a matrix (rows, columns).

    Args:
        values: float16, or bfloat16's bits in uint16.
        shape: of the array that it stands for, (rows, …).
    """

    __slots__ = ("shape", "values")

    def __init__(self, values: Any, shape: tuple[int, ...] | None = None) -> None:
        if values.ndim != 2:
            raise ShapeError(f"HalfArray: values of shape {values.shape}; they must be (rows, columns)")
        self.values, self.shape = values, values.shape if shape is None else tuple(shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return int(self.values.nbytes)

    def rows(self, start: int, stop: int) -> Any:
        """These rows as float32, (stop - start, columns)."""
        return self.take(slice(start, stop))

    def take(self, rows: Any) -> Any:
        """The rows that an index picks, float32, (…, columns)."""
        some = self.values[rows]
        return from_bfloat16(some) if some.dtype == np.uint16 else some.astype(np.float32)

    def dequantize(self) -> Any:
        """All as float32, of the shape that it had."""
        return self.take(slice(None)).reshape(self.shape)

    def __repr__(self) -> str:
        kind = "bfloat16" if self.values.dtype == np.uint16 else "float16"
        return f"HalfArray(shape={self.shape}, {kind}, nbytes={self.nbytes:,})"


def half_array(array: Any, dtype: str, name: str = "half_array") -> HalfArray:
    """`array` (rows, …) rounded to "float16" or "bfloat16".

    Raises ArgumentError for NaN or infinities and for numbers that float16 does not reach, DTypeError for other than
    floats, ShapeError for a single number.
    """
    found = array.array if isinstance(array, Tensor) else np.asarray(array)
    if found.dtype.kind != "f":
        raise DTypeError(f"{name}: the numbers are {found.dtype}; halves are made from floating ones")
    if found.ndim == 0:
        raise ShapeError(f"{name}: a single number has no rows; give an array (rows, …)")
    rows = found.reshape(len(found), math.prod(found.shape[1:]))
    check_finite(name, rows)
    if dtype == "bfloat16":
        # What is nearer to 2^128 than to the greatest bfloat16 becomes infinite; cut it there.
        top = from_bfloat16(np.uint16(0x7F7F))
        return HalfArray(to_bfloat16(np.clip(rows, -top, top)), found.shape)
    if dtype != "float16":
        raise ArgumentError(f'{name}: halves are "float16" or "bfloat16", not {dtype!r}')
    greatest = float(np.abs(rows).max(initial=0))
    if greatest >= 65520:
        raise ArgumentError(
            f'{name}: {greatest:g} is beyond float16, which ends at 65,504; "bfloat16" has float32\'s range'
        )
    return HalfArray(rows.astype(np.float16), found.shape)
