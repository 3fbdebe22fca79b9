"""RotaryEmbedding: queries and keys turned by their positions, so that their products know how far apart they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tt_nn import Module
from tt_tensor import Function, Tensor, as_tensor
from tt_tensor.arguments import number, whole_number
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tt_tensor.tensor import as_array
from tt_text.rotary_scaling import rotary_frequencies, rotary_magnitude, rotary_variant
from tt_text.rotation import LAYOUTS, Rotation, factors_of

__all__ = ["RotaryEmbedding", "RotaryFunction"]

FIRST = 256
"""Positions that the first table has."""

MOST = 1 << 17
"""Positions that a table has at most; angles of later ones are computed for each call."""

KEYED = 1 << 12
"""Bytes of positions up to which it is seen that they are those of the call before."""

LAST = 1 << 53
"""Beyond, float64 does not hold every whole number."""


class RotaryFunction(Function):
    """y = x, its pairs turned by `rotation`: dx = grad turned back, which is a rotation's transpose."""

    def __init__(self, rotation: Rotation) -> None:
        self.rotation = rotation

    def forward(self, x: Any) -> Any:
        return RotaryFunction(self.rotation)(x) if isinstance(x, Tensor) else self.rotation(x)

    def backward(self, grad: Any) -> Any:
        back = self.rotation.back
        return RotaryFunction(back)(grad) if isinstance(grad, Tensor) else back(grad)


class RotaryEmbedding(Module):
    """Pair i of the numbers of x at position p is turned by the angle p θ_i, θ_i = base^(-2 i / R).

    Then the product of a query at position p and a key at position s depends on p - s only. No parameters.

    Args:
        head_dim: D, the size of x's last axis.
        base: the greater, the slower the last pairs turn.
        max_positions: positions from this number on are refused; None: no end.
        layout: which numbers pair: "half", (x[i], x[i + R / 2]), as in Hugging Face's models, or "interleaved",
            (x[2 i], x[2 i + 1]), as in the original Llama and llama2.c. This one is the faster.
        scaling: how angles are stretched for long texts, as in Hugging Face's configurations: see rotary_frequencies.
            Where that depends on the length of the text, it is the last position of a call + 1.
        rotary_dim: R, how many numbers of each x turn, an even number; by default all D.

    Angles and their sines are computed in float64 and cast to x's dtype once; the tables grow as positions come.

    Raises ArgumentError for a setting that is none, ConfigError for a scaling that is not known.
    Source: Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021, arXiv:2104.09864.

    >>> rotary = RotaryEmbedding(4)
    >>> rotary([[[[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]]]).numpy().round(4)
    array([[[[1.    , 1.    , 0.    , 0.    ],
             [0.5403, 1.    , 0.8415, 0.01  ]]]], dtype=float32)
    """

    def __init__(
        self,
        head_dim: int,
        base: float = 10000.0,
        max_positions: int | None = None,
        layout: str = "half",
        scaling: Mapping[str, Any] | None = None,
        rotary_dim: int | None = None,
    ) -> None:
        self.head_dim = whole_number("RotaryEmbedding", "head_dim", head_dim, 1)
        rotary_dim = self.head_dim if rotary_dim is None else rotary_dim
        self.rotary_dim = whole_number("RotaryEmbedding", "rotary_dim", rotary_dim, 1)
        if self.rotary_dim % 2 or self.rotary_dim > self.head_dim:
            raise ArgumentError(
                f"RotaryEmbedding: {self.rotary_dim} numbers of head_dim={self.head_dim} cannot turn: numbers turn in "
                "pairs, so it must be an even number, at most head_dim"
            )
        if not 0 < number("RotaryEmbedding", "base", base) < math.inf:
            raise ArgumentError(f"RotaryEmbedding: base must be a number above 0, not {base!r}")
        if layout not in LAYOUTS:
            raise ArgumentError(f"RotaryEmbedding: layout is one of {LAYOUTS}, not {layout!r}")
        self.base, self.layout = float(base), layout
        if max_positions is not None:
            max_positions = whole_number("RotaryEmbedding", "max_positions", max_positions, 1)
        self.max_positions = max_positions
        self._theta = rotary_frequencies(self.rotary_dim, self.base, scaling)
        self.scaling = None if scaling is None else dict(scaling)
        self._magnitude = rotary_magnitude(scaling)
        self._tables: dict[Any, tuple[Any, ...]] = {}
        self._last: tuple[Any, Rotation | None] = (None, None)

    def forward(self, x: Any, positions: Any = None, *, offset: int = 0, axis: int = -2) -> Tensor:
        """x turned. x (…, T, D), or with its positions along another `axis`, (N, T, H, D) and axis=1, for example.

        Args:
            x: floating numbers.
            positions: whole numbers (T,), or (N, T) where each sequence of a batch has its own (N is x's first axis);
                by default offset, offset + 1, …
            offset: the position of the first.
            axis: the axis of x along which positions go, any but the last.

        Raises ShapeError where the shapes do not fit, IndexingError for a position below 0 or beyond max_positions,
        DTypeError for other than floating numbers in x, or positions that are no whole numbers.
        """
        x = as_tensor(x)
        return self.compute(RotaryFunction(self.rotation(x, positions, offset=offset, axis=axis)), x)

    def rotated(self, x: Any, positions: Any = None, *, offset: int = 0, axis: int = -2) -> Any:
        """`forward` for a NumPy array, which gives an array and keeps nothing: for generation."""
        return self.rotation(x, positions, offset=offset, axis=axis)(x)

    def rotation(self, x: Any, positions: Any = None, *, offset: int = 0, axis: int = -2) -> Rotation:
        """What turns an x of this shape and dtype at these positions; to apply to several, queries and keys."""
        shape = x.shape
        ndim = len(shape)
        axis = whole_number("RotaryEmbedding", "axis", axis, None)
        place = axis + ndim if axis < 0 else axis
        if not 0 <= place < ndim - 1 or shape[-1] != self.head_dim:
            raise ShapeError(
                f"RotaryEmbedding: an input of shape {shape} with positions along axis {axis}; it must be "
                f"(…, T, …, D) with D = {self.head_dim}, and its positions go along any axis but the last"
            )
        given = None
        if positions is None:
            key: Any = (offset, shape[place], ndim - place, x.dtype)
        else:
            given = (
                positions.array if isinstance(positions, Tensor) else as_array(positions, "RotaryEmbedding")
            )
            key = (
                given.tobytes() if given.nbytes <= KEYED else object(),
                given.dtype,
                given.shape,
                shape,
                place,
                x.dtype,
            )
        last, found = self._last
        if found is not None and last == key:  # all layers ask for the same, for queries and for keys
            return found
        if given is None:
            factors = self._from(offset, shape[place], ndim - 2 - place, x.dtype)
        else:
            factors = self._at(given, shape, place, x.dtype)
        made = Rotation(factors, self.layout)
        self._last = (key, made)
        return made

    def _from(self, offset: Any, length: int, after: int, dtype: Any) -> tuple[Any, ...]:
        """The factors of positions offset, offset + 1, …"""
        start = whole_number("RotaryEmbedding", "offset", offset, None)
        self._check_range(start, start + length - 1)
        stop = start + length
        if stop > MOST or rotary_variant(self.scaling, stop):
            factors = self._computed(np.arange(start, stop), dtype, stop)
        else:
            factors = tuple([table[start:stop] for table in self._table(stop, dtype)])
        if not after:
            return factors
        return tuple([f.reshape(length, *[1] * after, f.shape[-1]) for f in factors])

    def _at(self, given: Any, shape: tuple[int, ...], place: int, dtype: Any) -> tuple[Any, ...]:
        """The factors of these positions, (T,) or (N, T)."""
        if given.dtype.kind not in "iu" and given.size:
            raise DTypeError(f"RotaryEmbedding: positions are whole numbers, not {given.dtype}")
        length = shape[place]
        batched = given.ndim == 2 and place > 0 and given.shape == (shape[0], length)
        if not batched and given.shape != (length,):
            raise ShapeError(
                f"RotaryEmbedding: positions of shape {given.shape} for an input of shape {shape}; they must be "
                f"({length},), or ({shape[0]}, {length}) where each sequence has its own"
            )
        if not given.size:
            factors = self._computed(np.zeros(given.shape), dtype)
        else:
            low, high = int(given.min()), int(given.max())
            self._check_range(low, high)
            if high >= MOST or rotary_variant(self.scaling, high + 1):
                factors = self._computed(given, dtype, high + 1)
            else:
                factors = tuple([table[given] for table in self._table(high + 1, dtype)])
        after = [1] * (len(shape) - 2 - place)
        lead = [shape[0], *[1] * (place - 1)] if batched else []
        return tuple([f.reshape(*lead, length, *after, f.shape[-1]) for f in factors])

    def _check_range(self, low: int, high: int) -> None:
        last = LAST if self.max_positions is None else self.max_positions - 1
        if low < 0 or high > last:
            wrong = low if low < 0 else high
            end = f" to {last}" + (" (max_positions)" if self.max_positions else "")
            raise IndexingError(
                f"RotaryEmbedding: position {wrong} is out of range; positions go from 0{end}"
            )

    def _table(self, positions: int, dtype: Any) -> tuple[Any, ...]:
        """The factors of positions 0, 1, … at least up to that number, in that dtype."""
        found = self._tables.get(dtype)
        if found is None or len(found[0]) < positions:
            rows = max(FIRST, 1 << (positions - 1).bit_length())
            found = self._tables[dtype] = self._computed(np.arange(rows), dtype)
        return found

    def _computed(self, positions: Any, dtype: Any, length: int = 0) -> tuple[Any, ...]:
        theta = self._theta
        if rotary_variant(self.scaling, length):
            theta = rotary_frequencies(self.rotary_dim, self.base, self.scaling, length)
        angles = np.multiply.outer(np.asarray(positions, np.float64), theta)
        kind = dtype if dtype.char in "fd" else np.float32
        return factors_of(angles, self.layout, kind, self._magnitude)

    def extra_repr(self) -> str:
        partial = "" if self.rotary_dim == self.head_dim else f", rotary_dim={self.rotary_dim}"
        scaling = "" if self.scaling is None else f", scaling={self.scaling}"
        end = "" if self.max_positions is None else f", max_positions={self.max_positions}"
        return f"{self.head_dim}, base={self.base:g}{end}, layout={self.layout!r}{scaling}{partial}"
