"""Numbers as integers: w ≈ ŵ = scale · (q - zero), with a scale for each row, or for each group of a row.

    symmetric   scale = max |w| / 127,          q = round(w / scale),          -127 … 127, zero = 0
    affine      scale = (high - low) / 255,     q = round(w / scale) + zero,   -128 … 127

The range of an affine scale is widened to hold 0, and zero is an integer, so 0.0 is exact in both. Where the range is
that of the numbers (observer "minmax"), |w - ŵ| ≤ scale / 2 everywhere.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
2018, arXiv:1712.05877; Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference", 2018,
arXiv:1806.08342.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tt_perf.quantization.ranges import row_ranges
from tt_tensor import Tensor, memory
from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

__all__ = ["QuantizedArray", "quantize_array"]

BLOCK = 1 << 18
"""Numbers that are rounded at a time: in float64, they stay in a level-2 cache."""

SMALLEST = float(np.finfo(np.float32).tiny)
"""No scale is below: it would lose digits. Rows of smaller numbers become zeros, which is within scale / 2."""


class QuantizedArray:
    """Integers with scales: a matrix, each row of which is cut in groups of `group_size` columns.

    Args:
        values: q, int8 or int16, (rows, columns).
        scale: float32, (rows, groups), groups = ⌈columns / group_size⌉; the last group may be shorter.
        zero_point: what stands for 0.0, of the values' dtype, (rows, groups); None for 0 everywhere.
        group_size: columns that share a scale; None for all.
        shape: of the array that it stands for, (rows, …); that of the values by default.

    Raises ShapeError where these do not fit each other.
    """

    __slots__ = ("_parts", "_stamp", "_sums", "group_size", "scale", "shape", "values", "zero_point")

    def __init__(
        self,
        values: Any,
        scale: Any,
        zero_point: Any = None,
        group_size: int | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        if values.ndim != 2:
            raise ShapeError(f"QuantizedArray: values of shape {values.shape}; they must be (rows, columns)")
        rows, columns = values.shape
        self.group_size = max(columns, 1) if group_size is None else int(group_size)
        wanted = rows, _groups(columns, self.group_size)
        if scale.shape != wanted or (zero_point is not None and zero_point.shape != wanted):
            zeros = "" if zero_point is None else f" and zero points {zero_point.shape}"
            raise ShapeError(
                f"QuantizedArray: scales {scale.shape}{zeros} for values {values.shape} in groups of "
                f"{self.group_size}; they must be {wanted}"
            )
        self.shape = values.shape if shape is None else tuple(shape)
        if math.prod(self.shape) != values.size:
            raise ShapeError(f"QuantizedArray: {values.shape} values cannot be seen as {self.shape}")
        self.values, self.scale, self.zero_point = values, scale, zero_point
        self._sums: Any = None
        self._parts: Any = None
        self._stamp = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the values, scales and zero points."""
        zeros = 0 if self.zero_point is None else self.zero_point.nbytes
        return int(self.values.nbytes + self.scale.nbytes + zeros)

    def rows(self, start: int, stop: int) -> Any:
        """ŵ of these rows, float32, (stop - start, columns)."""
        return self.take(slice(start, stop))

    def take(self, rows: Any) -> Any:
        """ŵ of the rows that an index picks, float32, (…, columns)."""
        wide = self.values[rows].astype(np.float32)
        if self.scale.shape[1] == 1:
            if self.zero_point is not None:
                wide -= self.zero_point[rows]
            wide *= self.scale[rows]
            return wide
        for group, columns in enumerate(self._columns()):
            some = wide[..., columns]
            if self.zero_point is not None:
                some -= self.zero_point[rows, group, None]
            some *= self.scale[rows, group, None]
        return wide

    def dequantize(self) -> Any:
        """ŵ = scale · (q - zero), float32, of the shape that it had."""
        return self.take(slice(None)).reshape(self.shape)

    def sums(self) -> Any:
        """Σ q over each group, int32, (rows, groups): what products with activations that have a zero point need.

        Kept until the values are written to.
        """
        if self._sums is None or self._written():
            self._stamp, self._parts = memory.clock, None
            sums = np.zeros(self.scale.shape, np.int32)
            for group, columns in enumerate(self._columns()):
                sums[:, group] = self.values[:, columns].sum(axis=1, dtype=np.int32)
            self._sums = sums
        return self._sums

    def parts(self) -> tuple[Any, Any, Any, Any, Any, int]:
        """(values, scale, zero, sums, offsets, group_size) as compiled kernels take them.

        zero is of no rows where there is none; offsets[o] = Σ_g scale · Σ q, float64: by how much a product grows for
        each unit by which all activations do. Kept until something is written to.
        """
        sums = self.sums()
        if self._parts is None:
            zero = np.zeros((0, 0), self.values.dtype) if self.zero_point is None else self.zero_point
            offsets = (self.scale.astype(np.float64) * sums).sum(axis=1)
            self._parts = self.values, self.scale, zero, sums, offsets, self.group_size
        return self._parts  # type: ignore[no-any-return]

    def _written(self) -> bool:
        """Was something written to since the sums were made?"""
        now = memory.clock
        if now == self._stamp:
            return False
        if memory.written_since(self.values, self._stamp) or memory.written_since(self.scale, self._stamp):
            return True
        self._stamp = now
        return False

    def _columns(self) -> Iterator[slice]:
        for start in range(0, self.values.shape[1], self.group_size):
            yield slice(start, start + self.group_size)

    def __repr__(self) -> str:
        kind = "symmetric" if self.zero_point is None else "affine"
        return (
            f"QuantizedArray(shape={self.shape}, dtype={self.values.dtype}, {kind}, "
            f"group_size={self.group_size}, nbytes={self.nbytes:,})"
        )


def quantize_array(
    array: Any,
    dtype: Any = np.int8,
    *,
    symmetric: bool = True,
    group_size: int | None = None,
    per: str = "channel",
    observer: str = "minmax",
    name: str = "quantize_array",
) -> QuantizedArray:
    """The integers nearest to `array`, with scales.

    Args:
        array: floating numbers, (rows, …); what comes after the first axis is one row.
        dtype: int8 or int16.
        symmetric: whether 0.0 is the integer 0; else each range has a zero point (affine).
        group_size: columns that share a scale; None for whole rows. It need not divide a row.
        per: "channel" for a scale a row, or a group of it, "tensor" for one that all share.
        observer: which range the integers cover, "minmax", "percentile" or "mse": see `row_ranges`. Numbers outside
            of it become its ends.
        name: what errors call it.

    A row of zeros has scale 1. float64 loses what float32 does not hold.

    Raises ArgumentError for NaN or infinities and for settings that are none, DTypeError for other than floats,
    ShapeError for a single number.

    >>> q = quantize_array([[1.0, -0.5, 0.25]])
    >>> q.values.tolist(), float(q.scale[0, 0] * 127)
    ([[127, -64, 32]], 1.0)
    """
    found = array.array if isinstance(array, Tensor) else np.asarray(array)
    kind = _kind(name, dtype)
    if found.dtype.kind != "f":
        raise DTypeError(f"{name}: the numbers are {found.dtype}; integers are made from floating ones")
    if found.ndim == 0:
        raise ShapeError(f"{name}: a single number has no rows; give an array (rows, …)")
    if per not in ("channel", "tensor"):
        raise ArgumentError(f'{name}: per is "channel" or "tensor", not {per!r}')
    if per == "tensor" and group_size is not None:
        raise ArgumentError(f'{name}: group_size={group_size} has no meaning with per="tensor"')
    rows = found.reshape(len(found), math.prod(found.shape[1:]))
    columns = rows.shape[1]
    size = max(columns, 1)
    if group_size is not None:
        size = min(size, whole_number(name, "group_size", group_size, 1))
    check_finite(name, rows)
    groups = _groups(columns, size)
    values = np.empty(rows.shape, kind)
    scale = np.ones((len(rows), groups), np.float32)
    zero = None if symmetric else np.zeros((len(rows), groups), kind)
    whole = row_ranges(rows.reshape(1, -1), observer, kind, symmetric, name) if per == "tensor" else None
    step = max(1, BLOCK // max(columns, 1))
    for start in range(0, len(rows), step):
        some = slice(start, start + step)
        for group in range(groups):
            part = slice(group * size, (group + 1) * size)
            numbers = rows[some, part].astype(np.float64)
            low, high = whole or row_ranges(numbers, observer, kind, symmetric, name)
            scales, zeros = scales_of(low, high, kind, symmetric)
            scale[some, group] = scales
            if zero is not None:
                zero[some, group] = zeros
            values[some, part] = rounded(numbers, scales[:, None], zeros[:, None], kind, symmetric)
    return QuantizedArray(values, scale, zero, size, found.shape)


def scales_of(low: Any, high: Any, dtype: Any, symmetric: bool) -> tuple[Any, Any]:
    """(scale float32, zero point float64) for ranges (rows,) from low ≤ 0 to high ≥ 0."""
    limits = np.iinfo(dtype)
    if symmetric:
        scale = np.maximum(-low, high) / limits.max
    else:
        scale = (high - low) / (float(limits.max) - float(limits.min))
    scale = np.where(scale > 0, np.maximum(scale, SMALLEST), 1.0).astype(np.float32)
    if symmetric:
        return scale, np.zeros(scale.shape)
    return scale, np.clip(np.rint(limits.min - low / scale.astype(np.float64)), limits.min, limits.max)


def rounded(numbers: Any, scale: Any, zero: Any, dtype: Any, symmetric: bool) -> Any:
    """round(w / scale) + zero, float64, cut to what the dtype holds."""
    limits = np.iinfo(dtype)
    q = np.rint(numbers / scale.astype(np.float64))
    q += zero
    # -128 has no counterpart, so a symmetric range leaves it out.
    return np.clip(q, -limits.max if symmetric else limits.min, limits.max, out=q)


def check_finite(name: str, rows: Any) -> None:
    """Raise ArgumentError that says where, unless all are numbers."""
    if np.isfinite(rows).all():
        return
    row, column = np.argwhere(~np.isfinite(rows))[0].tolist()
    raise ArgumentError(
        f"{name}: {rows[row, column]} in row {row}, column {column}, which no integer stands for; a training that "
        "diverged leaves such weights"
    )


def _kind(name: str, dtype: Any) -> Any:
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = None
    if kind not in (np.dtype(np.int8), np.dtype(np.int16)):
        raise ArgumentError(f"{name}: dtype is int8 or int16, not {dtype!r}")
    return kind


def _groups(columns: int, size: int) -> int:
    return max(1, -(-columns // size))
