"""Parameter: a Tensor that a Module trains."""

from __future__ import annotations

from typing import Any

from tt_tensor import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A Tensor that counts among its module's parameters as soon as it is an attribute of it.

    Args:
        data: the initial values, copied.
        requires_grad: whether backward fills `.grad`; False freezes it.
        dtype: the dtype to hold; by default the data's own.
    """

    def __init__(self, data: Any, requires_grad: bool = True, dtype: Any = None) -> None:
        super().__init__(data, dtype, requires_grad)
