"""Nestings of tuples, lists and dicts with Tensors in them, taken apart and put together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tt_tensor import Tensor

__all__ = ["Structure"]


class Structure:
    """A nesting and the Tensors in it, in order. Anything else in it stays as it is."""

    def __init__(self, value: Any, tensors: list[Tensor]) -> None:
        self.value, self.tensors = value, tensors

    @classmethod
    def of(cls, value: Any) -> Structure:
        """Take `value` apart."""
        tensors: list[Tensor] = []
        _collect(value, tensors)
        return cls(value, tensors)

    def filled(self, tensors: Sequence[Tensor]) -> Any:
        """The same nesting with other Tensors."""
        return _filled(self.value, iter(tensors))


def _collect(value: Any, tensors: list[Tensor]) -> None:
    if isinstance(value, Tensor):
        tensors.append(value)
    elif isinstance(value, dict):
        for part in value.values():
            _collect(part, tensors)
    elif isinstance(value, list | tuple):
        for part in value:
            _collect(part, tensors)


def _filled(value: Any, tensors: Iterator[Tensor]) -> Any:
    if isinstance(value, Tensor):
        return next(tensors)
    if isinstance(value, dict):
        return {name: _filled(part, tensors) for name, part in value.items()}
    if isinstance(value, list | tuple):
        parts = [_filled(part, tensors) for part in value]
        if hasattr(value, "_fields"):  # a named tuple
            return type(value)(*parts)
        return parts if isinstance(value, list) else tuple(parts)
    return value
