"""Elements in another arrangement: flip, roll, repeat, tile, tril, triu, and their rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.function import Function
from tt_tensor.ops.casting import tensor_of
from tt_tensor.ops.indexing import PutAt, within_rule
from tt_tensor.ops.over_axes import axes_of, one_axis
from tt_tensor.ops.plain import raw

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = [
    "ArrangingMethods",
    "Flip",
    "Repeat",
    "Roll",
    "Tile",
    "Tril",
    "Triu",
    "flip",
    "repeat",
    "repeat_interleave",
    "roll",
    "tile",
    "tril",
    "triu",
]


class Flip(Function):
    """The elements along `axis` (None: every axis) backwards, as a view: dx = grad, flipped likewise."""

    def __init__(self, axis: Any = None) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        axes = axes_of(self.axis, x.ndim, "flip")
        self.index = (*[slice(None, None, -1 if axis in axes else None) for axis in range(x.ndim)], ...)
        return x[self.index]

    def backward(self, grad: Any) -> Any:
        return grad[self.index]


class Roll(Function):
    """y[(i + shift) mod n] = x[i] along `axis`: dx = grad, rolled back."""

    def __init__(self, shift: Any, axis: Any = None) -> None:
        self.shift, self.axis = shift, axis

    def forward(self, x: Any) -> Any:
        if self.axis is not None:  # an axis named twice is rolled twice, so each is checked by itself
            for axis in self.axis if isinstance(self.axis, tuple | list) else (self.axis,):
                one_axis(axis, x.ndim, "roll")
        self.back = (
            tuple([-one for one in self.shift]) if isinstance(self.shift, tuple | list) else -self.shift
        )
        return np.roll(x, self.shift, self.axis)

    def backward(self, grad: Any) -> Any:
        return np.roll(grad, self.back, self.axis)


class Repeat(Function):
    """Each element `repeats` times in a row along `axis`: dx = the sum of grad over each one's copies."""

    def __init__(self, repeats: Any, axis: int = 0) -> None:
        repeats = np.asarray(repeats.array if hasattr(repeats, "requires_grad") else repeats)
        if repeats.dtype.kind not in "iu" and repeats.size:
            raise DTypeError(f"repeat: counts are integers, not {repeats.dtype}")
        if repeats.ndim > 1 or (repeats < 0).any():
            raise ArgumentError("repeat: counts are one number, or one for each element, and at least 0")
        self.repeats: Any = int(repeats.reshape(())) if repeats.size == 1 else repeats.astype(np.intp)
        self.axis = axis

    def forward(self, x: Any) -> Any:
        self.along = one_axis(self.axis, x.ndim, "repeat")
        self.shape = x.shape
        if self.repeats.__class__ is not int and len(self.repeats) != x.shape[self.along]:
            raise ShapeError(
                f"repeat: {len(self.repeats)} counts for axis {self.along} of shape {x.shape}; give one number, or "
                f"{x.shape[self.along]} of them"
            )
        return np.repeat(x, self.repeats, self.along)

    def backward(self, grad: Any) -> Any:
        before, n, after = self.shape[: self.along], self.shape[self.along], self.shape[self.along + 1 :]
        if self.repeats.__class__ is int:
            return np.sum(grad.reshape(*before, n, self.repeats, *after), axis=self.along + 1)
        came_from = np.repeat(np.arange(n), self.repeats)
        return within_rule(PutAt((*[slice(None)] * self.along, came_from), self.shape), grad)


class Tile(Function):
    """The whole of x `reps` times along each axis: dx = the sum of grad over the copies."""

    def __init__(self, reps: tuple[int, ...]) -> None:
        self.reps = reps

    def forward(self, x: Any) -> Any:
        ndim = max(x.ndim, len(self.reps))
        shape = (1,) * (ndim - x.ndim) + x.shape
        reps = (1,) * (ndim - len(self.reps)) + self.reps
        self.shape = x.shape
        # (s0, s1, …) → (1, s0, 1, s1, …) → (r0, s0, r1, s1, …) → (r0·s0, r1·s1, …)
        apart = tuple([size for s in shape for size in (1, s)])
        self.wide = tuple([size for r, s in zip(reps, shape, strict=True) for size in (r, s)])
        full = tuple([r * s for r, s in zip(reps, shape, strict=True)])
        tiled = np.broadcast_to(x.reshape(apart), self.wide).reshape(full)
        # Along axes of size 1, or with nothing to repeat, the reshapes copied nothing; a broadcast view is read-only.
        return tiled.copy() if np.may_share_memory(raw(tiled), raw(x)) else tiled

    def backward(self, grad: Any) -> Any:
        axes = tuple(range(0, len(self.wide), 2))
        return np.sum(grad.reshape(self.wide), axis=axes).reshape(self.shape)


class Tril(Function):
    """y[…, i, j] = x[…, i, j] where j - i ≤ k, else 0: dx = grad, cut likewise."""

    def __init__(self, k: int = 0) -> None:
        self.k = k

    def forward(self, x: Any) -> Any:
        if x.ndim < 2:
            raise ShapeError(f"tril: shape {x.shape} holds no matrix; it takes two axes or more")
        return np.tril(x, self.k)

    def backward(self, grad: Any) -> Any:
        return np.tril(grad, self.k)


class Triu(Function):
    """y[…, i, j] = x[…, i, j] where j - i ≥ k, else 0: dx = grad, cut likewise."""

    def __init__(self, k: int = 0) -> None:
        self.k = k

    def forward(self, x: Any) -> Any:
        if x.ndim < 2:
            raise ShapeError(f"triu: shape {x.shape} holds no matrix; it takes two axes or more")
        return np.triu(x, self.k)

    def backward(self, grad: Any) -> Any:
        return np.triu(grad, self.k)


def flip(x: Any, *axes: Any, axis: Any = None) -> Tensor:
    """The elements along the axes (ints, one tuple, or none for all) backwards: a view with negative strides.

    Raises AxisError for an axis out of range or named twice.
    """
    return Flip(axis if not axes else axes[0] if len(axes) == 1 else axes)(x)


def roll(x: Any, shift: Any, axis: Any = None) -> Tensor:
    """The elements moved on by `shift` along `axis`; what leaves at the end comes in at the start.

    axis None: over the flattened elements, in the shape of x. Several shifts go with as many axes.

    Raises AxisError for an axis out of range, ShapeError where shifts and axes do not match.
    """
    return Roll(shift, axis)(x)


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Each element `repeats` times in a row: [1, 2] twice is [1, 1, 2, 2]. NumPy's meaning.

    `repeats` is one number, or one for each element along `axis`; axis None: of x flattened. PyTorch calls this
    `repeat_interleave`; its own `repeat` is `tile`.

    Raises AxisError for an axis out of range, ShapeError where there are not as many counts as elements,
    ArgumentError for a negative count.
    """
    x = tensor_of(x)
    return Repeat(repeats, 0)(x.reshape(-1)) if axis is None else Repeat(repeats, axis)(x)


repeat_interleave = repeat


def tile(x: Any, *reps: Any) -> Tensor:
    """The whole of x `reps` times along each axis: [1, 2] twice is [1, 2, 1, 2]. Ints or one tuple.

    With more reps than axes x gets new axes in front; with fewer, the last axes are meant.

    Raises ArgumentError for what is no count.
    """
    wanted = reps[0] if len(reps) == 1 and isinstance(reps[0], tuple | list) else reps
    if any(not isinstance(one, int | np.integer) or one < 0 for one in wanted):
        raise ArgumentError(f"tile: each count is an integer of at least 0, not {wanted!r}")
    return Tile(tuple(wanted))(x)


def tril(x: Any, k: int = 0, *, diagonal: int | None = None) -> Tensor:
    """The lower triangle of the last two axes, 0 above the k-th diagonal (k > 0 lies above the main one).

    `diagonal` is PyTorch's name for k.

    Raises ShapeError for fewer than two axes.
    """
    return Tril(k if diagonal is None else diagonal)(x)


def triu(x: Any, k: int = 0, *, diagonal: int | None = None) -> Tensor:
    """The upper triangle of the last two axes, 0 below the k-th diagonal (k > 0 lies above the main one).

    `diagonal` is PyTorch's name for k.

    Raises ShapeError for fewer than two axes.
    """
    return Triu(k if diagonal is None else diagonal)(x)


class ArrangingMethods:
    """Other arrangements, as methods of a Tensor."""

    flip = flip
    roll = roll
    repeat = repeat
    repeat_interleave = repeat_interleave
    tile = tile
    tril = tril
    triu = triu
