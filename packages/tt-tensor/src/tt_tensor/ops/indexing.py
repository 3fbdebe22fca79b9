"""Indexing: reading and writing parts of a tensor, as NumPy does.

Integers, slices, Ellipsis and None give views: the same memory, so the version is shared. Boolean masks and
integer arrays, in any mixture with the others, give copies.

The three Functions here are each other's derivatives: GetItem reads, PutAt adds into zeros (so that an element
which was read twice gets both gradients), SetItem overwrites.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor import memory, recorder
from tt_tensor.errors import ArgumentError, DTypeError, IndexingError, InPlaceError, ShapeError, TTError
from tt_tensor.function import Function

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["GetItem", "IndexingMethods", "PutAt", "SetItem"]

# What indexes as it is. bool is not among them: it is a mask of no axes, not the integers 0 and 1.
_PLAIN = frozenset((int, slice, type(...), type(None)))


def index_of(key: Any, what: str = "index") -> Any:
    """`key` with Tensors, lists and NumPy numbers replaced by what NumPy indexes with: an index or a tuple.

    Raises IndexingError for what does not index, a float array for one.
    """
    kind = key.__class__
    if kind in _PLAIN:
        return key
    if kind is tuple:
        return tuple([part if part.__class__ in _PLAIN else _index_part(part, what) for part in key])
    return _index_part(key, what)


def _index_part(part: Any, what: str) -> Any:
    if isinstance(part, bool | np.bool_):
        return np.asarray(part)
    if hasattr(part, "requires_grad"):
        array = part.array
    elif isinstance(part, np.ndarray):
        array = part
    elif isinstance(part, list | tuple | range):
        from tt_tensor.tensor import as_array

        try:
            array = as_array(list(part), what)
        except TTError as error:
            raise IndexingError(f"{what}: a list that indexes holds integers or booleans: {error}") from error
        if array.size == 0:
            array = array.astype(np.intp)
    else:
        try:
            return operator.index(part)
        except TypeError:
            raise IndexingError(
                f"{what}: {part!r} of type {type(part).__name__} does not index; use integers, slices, ..., None, "
                "boolean masks or integer arrays"
            ) from None
    if array.dtype.kind in "iu":
        return array if array.ndim else int(array)
    if array.dtype.kind != "b":
        raise IndexingError(
            f"{what}: an array of dtype {array.dtype} does not index; use astype('int64') for positions or a "
            "comparison for a mask"
        )
    return array


def select(x: Any, index: Any) -> Any:
    """x[index] for a plain index, as an array (of shape () where NumPy would give a scalar) or a Tensor."""
    if index.__class__ is np.ndarray and index.dtype.kind == "i" and x.__class__ is np.ndarray and x.ndim:
        return x.take(index, 0) if x.flags.c_contiguous else x[index]  # rows: take is twice as fast
    y = x[index]
    if isinstance(y, np.generic):
        y = x[
            (*index, ...) if index.__class__ is tuple else (index, ...)
        ]  # a view, where the scalar is a copy
    return y


def within_rule(function: Function, *inputs: Any) -> Any:
    """Apply `function` inside a rule: arrays give an array, Tensors a Tensor with its history."""
    if any(hasattr(x, "requires_grad") for x in inputs):
        return function(*inputs)
    return function.forward(*inputs)


def may_repeat(index: Any) -> bool:
    """True if `index` could name an element twice: only integer arrays can."""
    parts = index if index.__class__ is tuple else (index,)
    return any(part.__class__ is np.ndarray and part.dtype.kind in "iu" for part in parts)


def add_at(values: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape` with `values` added at `index`, the same place as often as it is named.

    Adding along one axis of flat memory is what NumPy does fastest (np.add.at on rows takes four times as long),
    so an index with integer arrays becomes positions in flat memory.

    Raises IndexError for an integer out of range (Function.__call__ says of which operation).
    """
    out = np.zeros(shape, values.dtype)
    if not may_repeat(index):
        out[index] = values
    elif out.size and values.size:
        positions = _positions(index, shape)
        if positions.shape != values.shape:
            values = np.broadcast_to(values, positions.shape)
        np.add.at(out.reshape(-1), positions.reshape(-1), values.reshape(-1))
    return out


def _positions(index: Any, shape: tuple[int, ...]) -> Any:
    """The place in flat row-major memory of each element that `index`, which has integer arrays, names."""
    parts = index if index.__class__ is tuple else (index,)
    before = len(parts) - 1
    if parts[-1].__class__ is np.ndarray and parts[-1].dtype.kind == "i":
        if all(part.__class__ is slice and part == slice(None) for part in parts[:-1]):
            # [:, …, :, ids]: (before…, *ids.shape, after…)
            ids, after = _from_front(parts[-1], shape[before]), math.prod(shape[before + 1 :])
            flat = ids.reshape(-1, 1) * after + np.arange(after)
            if before:
                steps = np.arange(math.prod(shape[:before])) * (shape[before] * after)
                flat = steps[:, None, None] + flat
            return flat.reshape(*shape[:before], *ids.shape, *shape[before + 1 :])
        if len(parts) == len(shape) and all(
            part.__class__ is np.ndarray and part.ndim and part.dtype.kind == "i" for part in parts
        ):
            places: Any = 0
            for ids, size in zip(parts, shape, strict=True):
                places = places * size + _from_front(ids, size)
            return places
    return np.arange(math.prod(shape)).reshape(shape)[index]


def _from_front(ids: Any, size: int) -> Any:
    """Integer positions counted from the front. Raises IndexError for one out of range."""
    if ids.size == 0:
        return ids.astype(np.intp)
    low, high = int(ids.min()), int(ids.max())
    if low < -size or high >= size:
        raise IndexError(f"index {high if high >= size else low} is out of range for an axis of size {size}")
    ids = ids.astype(np.intp, copy=False)
    return np.where(ids < 0, ids + size, ids) if low < 0 else ids


def winners(index: Any, shape: tuple[int, ...]) -> Any:
    """Where `index` names an element for the last time: True, of the shape of x[index]."""
    place = np.zeros(shape, np.intp)
    count = place[index].shape
    order = np.arange(math.prod(count)).reshape(count)
    place[index] = order
    return place[index] == order


class GetItem(Function):
    """y = x[index]: dx = zeros, with grad added at index."""

    def __init__(self, index: Any) -> None:
        self.index = index_of(index)

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        try:
            return select(x, self.index)
        except ValueError as error:  # a slice with step 0
            raise IndexingError(f"GetItem of shape {x.shape}: {error}") from error

    def backward(self, grad: Any) -> Any:
        return within_rule(PutAt(self.index, self.shape), grad)


class PutAt(Function):
    """y = zeros of `shape`, with the values added at index: dvalues = grad[index]."""

    def __init__(self, index: Any, shape: tuple[int, ...]) -> None:
        self.index, self.shape = index_of(index), shape

    def forward(self, values: Any) -> Any:
        if hasattr(values, "requires_grad"):
            return PutAt(self.index, self.shape)(values)
        return add_at(values, self.index, self.shape)

    def backward(self, grad: Any) -> Any:
        return select(grad, self.index)


class SetItem(Function):
    """y = x, but y[index] = value: dx = grad with 0 at index, dvalue = grad[index].

    Where an index names an element several times, the last value wins (NumPy), so it alone gets the gradient.
    """

    def __init__(self, index: Any) -> None:
        self.index = index_of(index)

    def forward(self, x: Any, value: Any) -> Any:
        self.shape, self.value_ndim = x.shape, getattr(value, "ndim", 0)
        if hasattr(x, "requires_grad") or hasattr(value, "requires_grad"):
            return SetItem(self.index)(x, value)
        y = np.array(x, order="C")  # a gradient of shape () may be a NumPy number
        assign(y, self.index, value)
        return y

    def backward(self, grad: Any) -> Any:
        dx = within_rule(SetItem(self.index), grad, 0.0) if self.wants(0) else None
        dvalue = None
        if self.wants(1):
            dvalue = select(grad, self.index)
            if may_repeat(self.index):
                dvalue = np.where(winners(self.index, self.shape), dvalue, 0.0)
            if self.value_ndim > dvalue.ndim:  # NumPy drops leading axes of size 1 from the value
                dvalue = dvalue.reshape((1,) * (self.value_ndim - dvalue.ndim) + dvalue.shape)
        return dx, dvalue

    def in_place(self, target: Tensor, *others: Any) -> Tensor:
        """Write only what the index names; the rule needs no old value, so none is kept."""
        (value,) = others
        self.inputs = (target, value)
        self.stamp = memory.clock
        if recorder.active is not None:
            recorder.active.before_write(target)
        if hasattr(value, "requires_grad"):
            value = value.array
        elif value.__class__ not in (float, int, bool):
            from tt_tensor.tensor import as_array

            value = as_array(value, "setitem")
        array = target.array
        self.shape, self.value_ndim = array.shape, getattr(value, "ndim", 0)
        self.output_shape = array.shape
        if not array.flags.writeable:
            raise InPlaceError(
                f"setitem: this tensor of shape {array.shape} shows read-only memory (a broadcast view, or an "
                "array that somebody protected); clone() it first"
            )
        assign(array, self.index, value)
        memory.mark_written(array)
        if recorder.active is not None:
            recorder.active.record(self, self.inputs, target)
        return target


def assign(array: Any, index: Any, value: Any) -> None:
    """array[index] = value, with errors that say what did not fit."""
    if value.__class__ is np.ndarray:
        if value.size == 1:
            value = value.reshape(
                ()
            )  # NumPy does not take [5.0] for one element; PyTorch does, as all do for several
        if np.may_share_memory(array, value):
            value = value.copy()  # NumPy reads on while it writes, where a mask selects
    try:
        array[index] = value
    except IndexError as error:
        raise IndexingError(f"setitem into shape {array.shape}: {error}") from error
    except OverflowError as error:  # a Python integer that the dtype cannot hold, inf into integers
        raise ArgumentError(f"setitem into {array.dtype}: {error}") from error
    except (ValueError, TypeError) as error:
        try:
            selected = array[index].shape
        except (ValueError, IndexError) as wrong:  # a slice with step 0; NumPy looks at the shapes first
            raise IndexingError(f"setitem into shape {array.shape}: {wrong}") from wrong
        raise _unfit(array, selected, value, error) from error


def _unfit(array: Any, selected: tuple[int, ...], value: Any, error: Exception) -> TTError:
    try:
        np.broadcast_to(value, selected)
    except ValueError:
        return ShapeError(
            f"setitem into shape {array.shape}: a value of shape {np.shape(value)} does not broadcast to the "
            f"selected {selected}; reshape() it, or select as much as it has"
        )
    return DTypeError(f"setitem into {array.dtype}: {error}")  # NaN into integers


class IndexingMethods:
    """Reading and writing parts, as methods of a Tensor."""

    def __getitem__(self, key: Any) -> Tensor:
        """x[key]: a view for integers, slices, ... and None, a copy where masks or integer arrays take part.

        Raises IndexingError for what is out of range or does not index.
        """
        return GetItem(key)(self)

    def __setitem__(self, key: Any, value: Any) -> None:
        """x[key] = value: the value is broadcast to the selection and cast to x's dtype, as in NumPy.

        Raises IndexingError for what does not index, ShapeError for a value that does not fit, ArgumentError for a
        number that x's integers cannot hold, InPlaceError for read-only memory, and where a recorder forbids the
        write.
        """
        SetItem(key).in_place(self, value)  # type: ignore[arg-type]
