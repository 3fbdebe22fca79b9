"""Rotation: pairs of numbers turned by angles, the plain-array heart of rotary positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

__all__ = ["LAYOUTS", "Rotation", "factors_of"]

LAYOUTS = ("half", "interleaved")

_COMPLEX = {np.dtype(np.float32): np.complex64, np.dtype(np.float64): np.complex128}


def factors_of(angles: Any, layout: str, dtype: Any = np.float64, magnitude: float = 1.0) -> tuple[Any, ...]:
    """What `Rotation` multiplies with, for angles (…, R / 2), computed in their own precision, then cast to `dtype`.

    Turned pairs become longer by `magnitude`.

    Interleaved: (cos + i sin,), (…, R / 2) complex, as a pair is one complex number. Half: (cos, ± sin), (…, R) each.

    Raises ArgumentError for another layout.
    """
    if layout not in LAYOUTS:
        raise ArgumentError(f"rotary: layout is one of {LAYOUTS}, not {layout!r}")
    dtype = np.dtype(dtype)
    cos, sin = np.cos(angles), np.sin(angles)
    if magnitude != 1.0:
        cos, sin = cos * magnitude, sin * magnitude
    if layout == "interleaved":
        return ((cos + 1j * sin).astype(_COMPLEX[dtype]),)
    return (
        np.concatenate((cos, cos), axis=-1).astype(dtype),
        np.concatenate((-sin, sin), axis=-1).astype(dtype),
    )


class Rotation:
    """Each pair (a, b) of the first R numbers of x's last axis becomes (a cos - b sin, a sin + b cos).

    The pairs are (x[i], x[i + R / 2]) in the layout "half" and (x[2 i], x[2 i + 1]) in the layout "interleaved"; what
    follows the first R numbers stays.

    Args:
        factors: from `factors_of`; without their last axis they broadcast to x without its last.
        layout: how the numbers pair.
    """

    __slots__ = ("_back", "_factors", "layout", "size")

    def __init__(self, factors: tuple[Any, ...], layout: str) -> None:
        self.layout = layout
        self.size: int = factors[0].shape[-1] * (2 if layout == "interleaved" else 1)
        self._factors = {factors[0].real.dtype: factors}
        self._back: Rotation | None = None

    @property
    def back(self) -> Rotation:
        """The rotation by the negative angles, its transpose."""
        if self._back is None:
            factors = next(iter(self._factors.values()))
            if self.layout == "interleaved":
                self._back = Rotation((factors[0].conj(),), self.layout)
            else:
                self._back = Rotation((factors[0], -factors[1]), self.layout)
        return self._back

    def _in(self, dtype: Any) -> tuple[Any, ...]:
        found = self._factors.get(dtype)
        if found is None:
            kind = _COMPLEX[dtype] if self.layout == "interleaved" else dtype
            given = next(iter(self._factors.values()))
            found = self._factors[dtype] = tuple([factor.astype(kind) for factor in given])
        return found

    def __call__(self, x: Any) -> Any:
        """x (…, D), D ≥ R, turned: an array of the same shape and dtype.

        Raises DTypeError for other than floating numbers, ShapeError for a last axis that is too short.
        """
        if x.dtype not in _COMPLEX:
            if x.dtype.kind != "f":
                raise DTypeError(f"rotary: the input is {x.dtype}; use x.astype('float32') first")
            return self(x.astype(np.float32)).astype(x.dtype)
        size, last = self.size, x.shape[-1] if x.ndim else 0
        if last < size:
            raise ShapeError(
                f"rotary: an input of shape {x.shape}; its last axis must have the {size} numbers that turn"
            )
        y = np.empty_like(x)
        if y.strides[-1] != y.itemsize:  # the order of a broadcast or a transposed array
            y = np.empty(x.shape, x.dtype)
        if last == size:
            self._turn(x, y)
        else:
            y[..., size:] = x[..., size:]
            self._turn(x[..., :size], y[..., :size])
        return y

    def _turn(self, x: Any, y: Any) -> None:
        factors = self._in(x.dtype)
        if self.layout == "interleaved":
            # A pair is a complex number, and one product turns all: four times as quick as the parts one by one.
            if x.strides[-1] != x.itemsize:
                x = np.ascontiguousarray(x)
            kind = _COMPLEX[x.dtype]
            np.multiply(x.view(kind), factors[0], out=y.view(kind))
            return
        half = self.size // 2
        # The other half of each pair in a copy: so each product runs over all numbers at once.
        other = np.empty(x.shape, x.dtype)
        other[..., :half], other[..., half:] = x[..., half:], x[..., :half]
        other *= factors[1]
        np.multiply(x, factors[0], out=y)
        y += other
