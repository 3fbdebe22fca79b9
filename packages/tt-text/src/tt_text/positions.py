"""Positions that are added to embeddings: fixed waves, or a table that is learned.

Attention by itself does not know the order of tokens; what is added tells it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tt_nn import Module, Parameter
from tt_tensor import Function, Tensor, as_tensor, random
from tt_tensor.arguments import number, whole_number
from tt_tensor.dtypes import check_dtype
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tt_tensor.ops.arithmetic import Add
from tt_tensor.tensor import as_array
from tt_text.kernels.add_rows import rows_added

__all__ = ["AddPositionsFunction", "LearnedPositions", "SinusoidalPositions", "sinusoidal_table"]


def sinusoidal_table(length: int, dim: int, dtype: Any = np.float32) -> npt.NDArray[Any]:
    """table[p, 2 i] = sin(p / 10000^(2 i / dim)), table[p, 2 i + 1] = cos(p / 10000^(2 i / dim)); (length, dim).

    Computed in float64, then cast. Raises ArgumentError for a size that is none, DTypeError for no floating dtype.
    Source: Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, section 3.5.

    >>> sinusoidal_table(2, 4).round(4)
    array([[0.    , 1.    , 0.    , 1.    ],
           [0.8415, 0.5403, 0.01  , 1.    ]], dtype=float32)
    """
    length = whole_number("sinusoidal_table", "length", length)
    dim = whole_number("sinusoidal_table", "dim", dim)
    kind = check_dtype(dtype, "sinusoidal_table")
    if kind.kind != "f":
        raise DTypeError(f"sinusoidal_table: sines need a floating dtype, not {kind}")
    even = np.arange(0, dim, 2)
    angles = np.arange(length)[:, None] * 10000.0 ** (-even / max(dim, 1))
    table = np.empty((length, dim))
    table[:, ::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles[:, : dim // 2])
    return table.astype(kind, copy=False)


class AddPositionsFunction(Function):
    """y[n, t] = x[n, t] + W[places[t]]: dx = grad, dW[p] = Σ grad[n, t] over all n, and the t whose place is p.

    Args:
        places: a slice of W's rows, or their numbers, (T,) or (N, T).
    """

    def __init__(self, places: Any) -> None:
        self.places = places

    def forward(self, x: Any, weight: Any) -> Any:
        self.rows = len(weight)
        return x + weight[self.places]

    def backward(self, grad: Any) -> Any:
        if not self.wants(1):
            return grad, None
        if isinstance(self.places, slice):
            dweight = np.zeros((self.rows, grad.shape[-1]), grad.dtype)
            dweight[self.places] = grad.sum(axis=tuple(range(grad.ndim - 2)))
            return grad, dweight
        # Places without axes of their own are the same along the first ones of grad: sum those first.
        lead = tuple(range(grad.ndim - 1 - self.places.ndim))
        sums = grad.sum(axis=lead) if lead else grad
        flat = sums.reshape(self.places.size, grad.shape[-1])
        return grad, rows_added(flat, self.places.reshape(-1), self.rows)

    def composite(self, x: Any, weight: Any) -> Tensor:
        """The same from simpler Functions, for higher orders."""
        return x + weight[self.places]


class _Positions(Module):
    """What the two have in common: which positions are meant, and whether x fits."""

    max_len: int
    dim: int

    def _places(self, x: Tensor, positions: Any, offset: Any) -> Any:
        """A slice, or an array of positions from 0 to max_len - 1."""
        what = type(self).__name__
        if x.ndim < 2 or x.shape[-1] != self.dim:
            raise ShapeError(
                f"{what}: an input of shape {x.shape}; it must be (…, T, {self.dim}): T embeddings"
            )
        if x.dtype.kind != "f":
            raise DTypeError(f"{what}: the input is {x.dtype}; give embeddings, floating numbers")
        length = x.shape[-2]
        if positions is None:
            start = whole_number(what, "offset", offset, None)
            self._check(start, start + length - 1)
            return slice(start, start + length)
        places = positions.array if isinstance(positions, Tensor) else as_array(positions, what)
        if places.dtype.kind not in "iu" and places.size:
            raise DTypeError(f"{what}: positions are whole numbers, not {places.dtype}")
        batched = x.ndim == 3 and places.shape == x.shape[:2]
        if not batched and places.shape != (length,):
            raise ShapeError(
                f"{what}: positions of shape {places.shape} for an input of shape {x.shape}; they must be ({length},), "
                "or (N, T) for an input (N, T, C) where each sequence has its own"
            )
        if places.size:
            self._check(int(places.min()), int(places.max()))
        return places.astype(np.intp, copy=False)

    def _check(self, low: int, high: int) -> None:
        if low < 0 or high >= self.max_len:
            raise IndexingError(
                f"{type(self).__name__}: position {low if low < 0 else high} is out of range; there are {self.max_len} "
                f"(0 to {self.max_len - 1}); a longer text needs a larger max_len"
            )

    def extra_repr(self) -> str:
        return f"{self.max_len}, {self.dim}"


class SinusoidalPositions(_Positions):
    """y = x + table[positions], the table of waves of `sinusoidal_table`. No parameters.

    Args:
        max_len: how many positions there are.
        dim: C, the size of an embedding.

    Raises ArgumentError for sizes that are none.
    Source: Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, section 3.5.
    """

    def __init__(self, max_len: int, dim: int) -> None:
        self.max_len = whole_number("SinusoidalPositions", "max_len", max_len)
        self.dim = whole_number("SinusoidalPositions", "dim", dim)
        # One for each dtype that came, so that none is promoted.
        self._tables: dict[Any, Any] = {}

    def forward(self, x: Any, positions: Any = None, *, offset: int = 0) -> Tensor:
        """x (…, T, C) with its positions added.

        Args:
            x: embeddings.
            positions: whole numbers (T,), or (N, T) for an x (N, T, C); by default offset, offset + 1, …
            offset: the position of the first token.

        Raises ShapeError where shapes do not fit, IndexingError for a position that is not from 0 to max_len - 1,
        DTypeError for other than floating numbers in x, or positions that are no whole numbers.
        """
        x = as_tensor(x)
        places = self._places(x, positions, offset)
        table = self._tables.get(x.dtype)
        if table is None:
            table = self._tables[x.dtype] = sinusoidal_table(self.max_len, self.dim, x.dtype)
        return self.compute(Add(), x, table[places])


class LearnedPositions(_Positions):
    """y = x + W[positions]: a row for each position, learned as the embeddings are.

    Args:
        max_len: how many positions there are.
        dim: C, the size of an embedding.
        std: W begins with the normal distribution N(0, std²); 0.02 as in GPT-2.
        dtype: of the table; float32 by default.

    Parameter: `weight` (max_len, dim).

    Raises ArgumentError for sizes that are none, or a negative std.
    """

    def __init__(self, max_len: int, dim: int, std: float = 0.02, *, dtype: Any = None) -> None:
        self.max_len = whole_number("LearnedPositions", "max_len", max_len)
        self.dim = whole_number("LearnedPositions", "dim", dim)
        self.std = number("LearnedPositions", "std", std)
        if not self.std >= 0:
            raise ArgumentError(f"LearnedPositions: std is a standard deviation, from 0 up, not {std!r}")
        self.weight = Parameter(np.zeros((self.max_len, self.dim), np.float32), dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew from the default generator."""
        self.weight.write(random.normal(0.0, self.std, self.weight.shape, dtype=self.weight.dtype))

    def forward(self, x: Any, positions: Any = None, *, offset: int = 0) -> Tensor:
        """x (…, T, C) with its positions added. Arguments and errors as for SinusoidalPositions."""
        x = as_tensor(x)
        return self.compute(AddPositionsFunction(self._places(x, positions, offset)), x, self.weight)
