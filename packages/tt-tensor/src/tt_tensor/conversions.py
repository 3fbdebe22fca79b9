"""What a Tensor is to the rest of Python: an array to NumPy and DLPack, a number, a sequence of rows, text."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tt_tensor.errors import DTypeError, ScalarError, ShapeError
from tt_tensor.ops.plain import raw

if TYPE_CHECKING:
    from tt_tensor.tensor import Tensor

__all__ = ["ConversionMethods"]


class ConversionMethods:
    """Conversions, as methods of a Tensor."""

    array: Any
    shape: Any
    size: Any
    dtype: Any

    def numpy(self) -> np.ndarray[Any, np.dtype[Any]]:
        """The NumPy array underneath: zero-copy, so writing into it writes into the tensor (uncounted)."""
        return self.array

    def item(self) -> Any:
        """The only element, as a Python number. Raises ShapeError if there is not exactly one."""
        if self.array.size != 1:
            raise ShapeError(
                f"item: a tensor of shape {self.shape} has {self.size} elements, not one; use tolist()"
            )
        return self.array.item()

    def tolist(self) -> Any:
        """The elements as nested Python lists (a number for shape ())."""
        return self.array.tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, np.dtype[Any]]:
        return np.array(self.array, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from tt_tensor.numpy_protocol import call_ufunc

        return call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        from tt_tensor.numpy_protocol import call_function

        return call_function(func, types, args, kwargs)

    def __dlpack__(self, **kwargs: Any) -> Any:
        from tt_tensor.dlpack import export

        return export(self.array, kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    def __len__(self) -> int:
        if self.array.ndim == 0:
            raise ScalarError("len: a tensor of shape () has no length; item() gives its value")
        return len(self.array)

    def __iter__(self: Any) -> Iterator[Tensor]:
        if self.array.ndim == 0:
            raise ScalarError("iteration: a tensor of shape () has no rows; item() gives its value")
        return (self[row] for row in range(len(self.array)))

    def __contains__(self, value: Any) -> bool:
        found = self == value
        return found if isinstance(found, bool) else bool(raw(found).any())

    def _one(self, what: str) -> Any:
        if self.array.size != 1:
            raise ShapeError(
                f"{what}: a tensor of shape {self.shape} has {self.size} elements, not one; "
                "reduce it first, with any(), all() or sum()"
            )
        return self.array.item()

    def __bool__(self) -> bool:
        return bool(self._one("bool"))

    def __float__(self) -> float:
        return float(self._one("float"))

    def __int__(self) -> int:
        return int(self._one("int"))

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iu" or self.array.ndim:
            raise DTypeError(
                f"index: only an integer tensor of shape () is an index, not {self.dtype} {self.shape}"
            )
        return operator.index(self.array.item())

    def __format__(self, spec: str) -> str:
        if self.array.ndim:
            if not spec:
                return str(self)
            raise ShapeError(
                f"format: {spec!r} formats one number, not a tensor of shape {self.shape}; "
                "use tolist(), or tt_tensor.printoptions"
            )
        return format(self.array.item(), spec)

    def __repr__(self: Any) -> str:
        from tt_tensor.printing import represent

        return represent(self)
