"""Several tensors as one, and one as several: concatenate, stack, split …, and their rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.arguments import whole_number
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError
from tt_tensor.function import Function
from tt_tensor.ops.casting import tensor_of
from tt_tensor.ops.indexing import GetItem
from tt_tensor.ops.over_axes import one_axis

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = [
    "Concatenate",
    "JoiningMethods",
    "Stack",
    "array_split",
    "cat",
    "chunk",
    "concat",
    "concatenate",
    "hstack",
    "split",
    "stack",
    "unbind",
    "vstack",
]


class Concatenate(Function):
    """One after the other along `axis`: each gets its part of grad."""

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, *arrays: Any) -> Any:
        self.along = one_axis(self.axis, arrays[0].ndim, "concatenate")
        self.shapes = [array.shape for array in arrays]
        return np.concatenate(arrays, self.along)

    def backward(self, grad: Any) -> Any:
        before, start, parts = [slice(None)] * self.along, 0, []
        for shape in self.shapes:
            stop = start + shape[self.along]
            parts.append(grad[(*before, slice(start, stop))])
            start = stop
        return tuple(parts)


class Stack(Function):
    """Side by side along a new `axis`: each gets its slice of grad."""

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, *arrays: Any) -> Any:
        axis = one_axis(self.axis, arrays[0].ndim + 1, "stack")
        self.slices = [(*[slice(None)] * axis, place, ...) for place in range(len(arrays))]
        return np.stack(arrays, axis)

    def backward(self, grad: Any) -> Any:
        return tuple([grad[place] for place in self.slices])


def _several(tensors: Any, what: str) -> list[Any]:
    if not isinstance(tensors, list | tuple) and not (hasattr(tensors, "ndim") and tensors.ndim):
        raise DTypeError(f"{what}: expected a list of tensors, got {type(tensors).__name__}; put them in [ ]")
    if not len(tensors):
        raise ShapeError(f"{what}: there is nothing to put together; give one tensor or more")
    return [tensor_of(x) for x in tensors]


def concatenate(tensors: Any, axis: int | None = 0) -> Tensor:
    """One tensor after the other along an axis that they have (None: each flattened); `cat`, `concat` likewise.

    Shapes agree along every other axis; dtypes promote. (2, 3) and (4, 3) along axis 0 give (6, 3).

    Raises ShapeError where shapes differ or nothing is given, AxisError for an axis out of range.
    """
    several = _several(tensors, "concatenate")
    if axis is None:
        several, axis = [x.reshape(-1) for x in several], 0
    return Concatenate(axis)(*several)


cat = concat = concatenate


def stack(tensors: Any, axis: int = 0) -> Tensor:
    """Tensors of one shape side by side along a new axis: n of shape (2, 3) give (n, 2, 3) for axis 0.

    Raises ShapeError where shapes differ or nothing is given, AxisError for a place out of range.
    """
    return Stack(axis)(*_several(tensors, "stack"))


def hstack(tensors: Any) -> Tensor:
    """Side by side: vectors (and numbers) along axis 0, all others along axis 1. Errors as for `concatenate`."""
    several = [x if x.ndim else x.reshape(1) for x in _several(tensors, "hstack")]
    return concatenate(several, 0 if several[0].ndim == 1 else 1)


def vstack(tensors: Any) -> Tensor:
    """One above the other along axis 0, a vector being one row. Errors as for `concatenate`."""
    several = [x if x.ndim > 1 else x.reshape(1, -1) for x in _several(tensors, "vstack")]
    return concatenate(several, 0)


def _cut(x: Any, bounds: list[Any], axis: int) -> list[Tensor]:
    before = [slice(None)] * axis
    return [
        GetItem((*before, slice(start, stop)))(x)
        for start, stop in zip([0, *bounds], [*bounds, None], strict=True)
    ]


def _split(x: Any, indices_or_sections: Any, axis: int, even: bool, what: str) -> list[Tensor]:
    x = tensor_of(x)
    axis = one_axis(axis, x.ndim, what)
    if not isinstance(indices_or_sections, int | np.integer):
        try:
            bounds = [whole_number(what, "each index", bound, None) for bound in indices_or_sections]
        except TypeError as error:
            raise DTypeError(
                f"{what}: expected a number of parts or a list of indices, got {indices_or_sections!r}"
            ) from error
        return _cut(x, bounds, axis)
    size, parts = x.shape[axis], int(indices_or_sections)
    if parts < 1:
        raise ArgumentError(f"{what}: the number of parts is at least 1, not {parts}")
    least, more = divmod(size, parts)
    if even and more:
        raise ShapeError(
            f"{what}: axis {axis} of shape {x.shape} does not divide into {parts} equal parts; use array_split() or "
            "chunk(), or give the indices at which to cut"
        )
    sizes = [least + 1] * more + [least] * (parts - more)
    return _cut(x, np.cumsum(sizes)[:-1].tolist(), axis)


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """x cut along `axis`, as a list of views. NumPy's meaning:

    - an int n: n equal parts (PyTorch would take it as the size of a part: that is `chunk` and slicing here);
    - a list: the indices at which to cut (PyTorch would take them as sizes). [2, 5] gives x[:2], x[2:5], x[5:].

    Raises ShapeError where n does not divide the axis, AxisError for an axis out of range.
    """
    return _split(x, indices_or_sections, axis, True, "split")


def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """As `split`, but n parts need not be equal: the first ones are larger by one."""
    return _split(x, indices_or_sections, axis, False, "array_split")


def chunk(x: Any, chunks: int, axis: int = 0) -> tuple[Tensor, ...]:
    """x cut along `axis` into parts of size ⌈n / chunks⌉, the last one smaller: views (PyTorch's function).

    There may be fewer than `chunks`: 5 elements in 4 chunks make 2 + 2 + 1.

    Raises ArgumentError for less than one chunk, AxisError for an axis out of range.
    """
    x = tensor_of(x)
    axis = one_axis(axis, x.ndim, "chunk")
    if not isinstance(chunks, int | np.integer) or chunks < 1:
        raise ArgumentError(f"chunk: the number of chunks is an integer of at least 1, not {chunks!r}")
    size = x.shape[axis]
    if size == 0:
        return tuple(_cut(x, [0] * (int(chunks) - 1), axis))
    each = -(-size // int(chunks))
    return tuple(_cut(x, list(range(each, size, each)), axis))


def unbind(x: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices of x along `axis`, without that axis: views (PyTorch's function; `stack` is its inverse).

    Raises AxisError for an axis out of range.
    """
    x = tensor_of(x)
    axis = one_axis(axis, x.ndim, "unbind")
    before = [slice(None)] * axis
    return tuple([GetItem((*before, place))(x) for place in range(x.shape[axis])])


class JoiningMethods:
    """Splitting, as methods of a Tensor."""

    split = split
    array_split = array_split
    chunk = chunk
    unbind = unbind
