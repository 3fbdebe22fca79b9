"""Tensor: an N-dimensional array that knows its memory, its operations and its gradient.

A Tensor holds one NumPy array (`tensor.array`), nothing more, until someone asks for gradients. This file
is about what it is: how it is made, its memory, its copies. Its gradient stands in `gradient`, what it is to NumPy
and to Python in `conversions`; what can be done with it in `ops`, one file for each family, rule beside formula.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np

from tt_tensor import memory, recorder
from tt_tensor.conversions import ConversionMethods
from tt_tensor.dtypes import check_dtype, default_dtype
from tt_tensor.errors import (
    ArgumentError,
    DTypeError,
    GradientError,
    InPlaceError,
    ShapeError,
)
from tt_tensor.gradient import GradientMethods
from tt_tensor.made_from import MadeFromMethods
from tt_tensor.ops.arithmetic import ArithmeticMethods
from tt_tensor.ops.arranging import ArrangingMethods
from tt_tensor.ops.axes import AxisMethods
from tt_tensor.ops.casting import CastMethods
from tt_tensor.ops.compare import CompareMethods
from tt_tensor.ops.counting import CountingMethods
from tt_tensor.ops.gathering import GatheringMethods
from tt_tensor.ops.indexing import IndexingMethods
from tt_tensor.ops.inplace import InPlaceMethods
from tt_tensor.ops.inverting import InvertingMethods
from tt_tensor.ops.joining import JoiningMethods
from tt_tensor.ops.linalg import LinalgMethods
from tt_tensor.ops.logic import LogicMethods
from tt_tensor.ops.over_axes import one_axis
from tt_tensor.ops.padding import PaddingMethods
from tt_tensor.ops.pointwise import PointwiseMethods
from tt_tensor.ops.quantiles import QuantileMethods
from tt_tensor.ops.reductions import ReductionMethods
from tt_tensor.ops.scan import ScanMethods
from tt_tensor.ops.shapes import ShapeMethods
from tt_tensor.ops.softmax import SoftmaxMethods
from tt_tensor.ops.sorting import SortingMethods
from tt_tensor.ops.statistics import StatisticsMethods
from tt_tensor.ops.trigonometry import TrigonometryMethods

__all__ = ["Tensor", "as_array", "as_tensor", "from_numpy", "tensor"]


class Size(int):
    """The number of elements of a Tensor, and its shape for who calls it."""

    shape: tuple[int, ...]

    def __call__(self, axis: int | None = None) -> Any:
        """The shape, or what it is along one axis. Raises AxisError for one out of range."""
        return self.shape if axis is None else self.shape[one_axis(axis, len(self.shape), "size")]


class Tensor(
    GradientMethods,
    ConversionMethods,
    MadeFromMethods,
    ArithmeticMethods,
    InPlaceMethods,
    LogicMethods,
    CompareMethods,
    PointwiseMethods,
    TrigonometryMethods,
    ReductionMethods,
    StatisticsMethods,
    QuantileMethods,
    ScanMethods,
    SoftmaxMethods,
    LinalgMethods,
    InvertingMethods,
    CastMethods,
    ShapeMethods,
    AxisMethods,
    JoiningMethods,
    ArrangingMethods,
    PaddingMethods,
    IndexingMethods,
    GatheringMethods,
    SortingMethods,
    CountingMethods,
):
    """An N-dimensional array with a gradient.

    Args:
        data: anything array-like: numbers, nested lists, arrays, Tensors. It is copied; `from_numpy` and
            `as_tensor` share instead.
        dtype: the dtype to hold; by default the data's own, and float32 for Python floats.
        requires_grad: whether `.grad` is to be filled. Floating dtypes only.

    Raises DTypeError for what is no array of numbers, ShapeError for ragged nested lists, ArgumentError for
    numbers that do not fit into an integer `dtype`, GradientError for an integer tensor that asks for a gradient.
    """

    array: np.ndarray[Any, np.dtype[Any]]
    """The NumPy array underneath: the same memory, not a copy."""

    # Defaults live on the class, so that making a Tensor is one attribute write.
    _grad: Tensor | None = None
    _requires_grad: bool = False
    _node: Any = None
    """What the recorder hangs on an output; the graph dies with it."""
    _view: Any = None
    """What the recorder notes of a tensor that shows another one's memory."""
    _hooks: Any = None
    """What the recorder calls with the gradient of a leaf."""

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        array = as_array(data, "Tensor", dtype)
        self.array = array.copy() if array is data or _shares(array, data) else array
        if requires_grad:
            self.requires_grad = True

    # --- what it is -------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The size along each axis."""
        return self.array.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    @property
    def size(self) -> Size:
        """The number of elements, as in NumPy; called, as in PyTorch, the shape: `x.size()`, `x.size(axis)`."""
        found = Size(self.array.size)
        found.shape = self.array.shape
        return found

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    nelement = numel

    def dim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    ndimension = dim

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the elements, a NumPy dtype."""
        return self.array.dtype

    def is_floating_point(self) -> bool:
        """True for the dtypes that can have a gradient."""
        return self.array.dtype.kind == "f"

    # --- its memory -------------------------------------------------------------------------------------

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one element to the next along each axis (NumPy's meaning; PyTorch counts elements).

        A row-major (C order) array of shape (2, 3) in float32 has strides (12, 4), its transpose (4, 12):
        the same bytes, walked column by column.
        """
        return self.array.strides

    def stride(self, axis: int | None = None) -> Any:
        """PyTorch's strides, in elements: along each axis, or along one. Raises AxisError for one out of range."""
        steps = tuple([step // self.array.itemsize for step in self.array.strides])
        return steps if axis is None else steps[one_axis(axis, len(steps), "stride")]

    def data_ptr(self) -> int:
        """The address of the first element: equal where two tensors begin at the same byte."""
        return self.array.__array_interface__["data"][0]  # type: ignore[no-any-return]

    def element_size(self) -> int:
        """Bytes of one element."""
        return self.array.itemsize

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements: size · itemsize. A view counts what it shows, not what it owns."""
        return self.array.nbytes

    def is_contiguous(self, order: str = "C") -> bool:
        """True if the elements lie in memory in row-major ("C") or column-major ("F") order, without gaps."""
        if order not in ("C", "F"):
            raise ArgumentError(f"is_contiguous: order must be 'C' or 'F', not {order!r}")
        return self.array.flags.c_contiguous if order == "C" else self.array.flags.f_contiguous

    def is_view(self) -> bool:
        """True if the memory belongs to another array."""
        return any(owner is not self.array for owner in memory.owners(self.array))

    def shares_memory(self, other: Any) -> bool:
        """True if writing into one can change the other (exact, for Tensors and arrays)."""
        return np.shares_memory(self.array, other.array if isinstance(other, Tensor) else np.asarray(other))

    @property
    def version(self) -> int:
        """How often the memory was written in place; all views of it share the count."""
        return memory.version(self.array)

    def write(self, values: Any) -> Tensor:
        """Overwrite the elements in place, and count it. No gradient: use `x[...] = values` for that.

        The values are cast to the tensor's dtype, as in NumPy's `x[...] = values`.

        Raises InPlaceError for read-only memory (a broadcast view, say), ShapeError if it does not fit,
        DTypeError for what is no array of numbers.
        """
        if not self.array.flags.writeable:
            raise InPlaceError(
                f"write: this tensor of shape {self.shape} shows read-only memory (a broadcast view, or an array "
                "that somebody protected); clone() it first"
            )
        if values.__class__ is not np.ndarray:
            values = as_array(values, "write")
        try:
            self.array[...] = values
        except ValueError as error:
            raise ShapeError(
                f"write: values of shape {np.shape(values)} do not fit into {self.shape}"
            ) from error
        memory.mark_written(self.array)
        return self

    # Elementwise == makes no hash; identity does, as in PyTorch, so that tensors can be dict keys.
    __hash__ = object.__hash__

    # --- copies -----------------------------------------------------------------------------------------

    def detach(self) -> Tensor:
        """The same memory without history: a gradient stops here."""
        return wrap(self.array)

    @property
    def data(self) -> Tensor:
        """The same memory without history, as in PyTorch. Assigning replaces the memory."""
        return wrap(self.array)

    @data.setter
    def data(self, values: Any) -> None:
        array = as_array(values, "data")
        if self._requires_grad and array.dtype.kind != "f":
            raise GradientError(
                f"data: this tensor collects a gradient, which {array.dtype} values do not have"
            )
        self.array = array

    def __copy__(self) -> Tensor:
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        self._only_leaves("deepcopy")
        copied = object.__new__(type(self))
        memo[id(self)] = copied
        for name, value in self.__getstate__().items():
            copied.__dict__[name] = value.copy() if name == "array" else deepcopy(value, memo)
        return copied

    def __getstate__(self) -> dict[str, Any]:
        # A copy has memory of its own, and nobody listens to its gradient.
        return {name: value for name, value in self.__dict__.items() if name not in ("_view", "_hooks")}

    def __reduce_ex__(self, protocol: Any) -> Any:
        self._only_leaves("pickle")  # for worker processes; files are no pickles here
        return object.__reduce_ex__(self, protocol)

    def _only_leaves(self, what: str) -> None:
        if self._node is not None:
            raise GradientError(
                f"{what}: this tensor is the result of a recorded operation; use x.detach() instead"
            )


def wrap(array: np.ndarray[Any, np.dtype[Any]]) -> Tensor:
    """A Tensor around `array`: the same memory, no checks. For arrays of a supported dtype only."""
    result = Tensor.__new__(Tensor)
    result.array = array
    return result


def _shares(array: np.ndarray[Any, np.dtype[Any]], data: Any) -> bool:
    source = data.array if isinstance(data, Tensor) else data
    return array is source or array.base is not None or hasattr(data, "__array__")


def as_array(data: Any, what: str = "Tensor", dtype: Any = None) -> np.ndarray[Any, np.dtype[Any]]:
    """`data` as an array of a supported dtype, sharing memory where it can. Python floats become float32."""
    if dtype is not None:
        dtype = check_dtype(dtype, what)
    if isinstance(data, Tensor):
        return data.array if dtype is None else data.array.astype(dtype, copy=False)
    if data.__class__ is float and (dtype is None or dtype.kind == "f"):
        return np.array(data, dtype or default_dtype)
    try:
        array = np.asarray(_plain(data))
    except ValueError as error:
        raise ShapeError(f"{what}: the nested lists are ragged, so they have no shape: {error}") from error
    except TypeError as error:
        raise DTypeError(f"{what}: {type(data).__name__} is no array of numbers: {error}") from error
    if array.dtype.kind == "O" and isinstance(data, list | tuple) and _whole(data):
        array = array.astype(np.float64)
    if array.dtype.kind == "O":
        raise DTypeError(f"{what}: {type(data).__name__} is no array of numbers")
    if dtype is not None:
        check_dtype(array.dtype, what)
        if dtype.kind in "iu" and array.size and isinstance(data, int | float | list | tuple):
            info = np.iinfo(dtype)
            if not (info.min <= array.min() and array.max() <= info.max):  # nan is not <= either
                raise ArgumentError(f"{what}: not all values fit into {dtype} ({info.min} to {info.max})")
        return array.astype(dtype, copy=False)
    if array.dtype.kind == "f" and isinstance(data, list | tuple) and _python_numbers(data):
        if array.size and not -(2.0**63) < array.min() <= array.max() < 2.0**63 and _whole(data):
            raise ArgumentError(
                f"{what}: not all values fit into int64; with dtype='float64' they are rounded"
            )
        return array.astype(default_dtype)
    return array.astype(check_dtype(array.dtype, what), copy=False)


def _plain(data: Any) -> Any:
    """Nested lists with Tensors in them, as nested lists of arrays."""
    if isinstance(data, list | tuple) and data and isinstance(data[0], list | tuple | Tensor):
        return [_plain(item) for item in data]
    if isinstance(data, Tensor):
        if data.requires_grad and recorder.recording():
            raise GradientError(
                "a list of tensors that require a gradient would lose it; use stack() to keep it"
            )
        return data.array
    return data


def _python_numbers(data: Any) -> bool:
    """True if nested lists hold Python numbers (or nothing), no NumPy values with a dtype of their own."""
    while isinstance(data, list | tuple):
        if not data:
            return True
        data = data[0]
    return not isinstance(data, np.generic | np.ndarray | Tensor)


def _whole(data: Any) -> bool:
    """True if nested lists hold nothing but Python's integers, of which NumPy makes float64 where they are large."""
    return all(isinstance(item, int) for item in np.array(data, object).reshape(-1))


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A Tensor with a copy of `data`; the same as `Tensor(data, dtype, requires_grad)`."""
    return Tensor(data, dtype, requires_grad)


def as_tensor(data: Any, dtype: Any = None) -> Tensor:
    """A Tensor of `data` that shares its memory where dtype and kind allow; a Tensor comes back as it is.

    A Tensor of another dtype is cast by `astype`, through which the gradient flows. Errors as for `Tensor`.
    """
    if isinstance(data, Tensor):
        wanted = data.dtype if dtype is None else check_dtype(dtype, "as_tensor")
        return data if data.dtype == wanted else data.astype(wanted)
    return wrap(as_array(data, "as_tensor", dtype))


def from_numpy(array: np.ndarray[Any, np.dtype[Any]]) -> Tensor:
    """A Tensor on the memory of a NumPy array: zero-copy.

    Raises DTypeError for anything else, for a dtype that a Tensor does not hold, and for foreign byte order.
    """
    if not isinstance(array, np.ndarray):
        raise DTypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}; use tensor()")
    if check_dtype(array.dtype, "from_numpy") != array.dtype:
        raise DTypeError(
            f"from_numpy: {array.dtype} has its bytes in another order than this machine; use tensor() for a copy"
        )
    return wrap(np.asarray(array))
