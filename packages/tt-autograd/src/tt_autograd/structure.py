"""Nestings of tuples, lists, dicts and dataclasses with Tensors in them, taken apart and put together again."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from tt_tensor import Tensor

__all__ = ["Structure", "hiding"]


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


def hiding(value: Any) -> Any:
    """The first thing in a nesting that is no part of it, but has Tensors as attributes; None if there is none."""
    if isinstance(value, Tensor):
        return None
    inside = _parts(value)
    if inside is None:
        return value if any(isinstance(x, Tensor) for x in getattr(value, "__dict__", {}).values()) else None
    return next((found for part in inside if (found := hiding(part)) is not None), None)


def _parts(value: Any) -> list[Any] | None:
    """What stands in a nesting, in order; None for what is none."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple):
        return list(value)
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in fields(value)]
    return None


def _collect(value: Any, tensors: list[Tensor]) -> None:
    if isinstance(value, Tensor):
        tensors.append(value)
    else:
        for part in _parts(value) or ():
            _collect(part, tensors)


def _filled(value: Any, tensors: Iterator[Tensor]) -> Any:
    if isinstance(value, Tensor):
        return next(tensors)
    inside = _parts(value)
    if inside is None:
        return value
    parts = [_filled(part, tensors) for part in inside]
    if isinstance(value, dict):
        filled = copy.copy(value)  # an OrderedDict or a defaultdict stays one
        filled.update(zip(value, parts, strict=True))
        return filled
    if isinstance(value, list):
        return parts
    if isinstance(value, tuple):
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    filled = copy.copy(value)
    for field, part in zip(fields(value), parts, strict=True):
        object.__setattr__(filled, field.name, part)  # it may be frozen
    return filled
