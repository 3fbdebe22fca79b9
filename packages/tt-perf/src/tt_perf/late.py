"""Late: a kernel that is imported, and with it compiled, when it is first called."""

from __future__ import annotations

import importlib
from typing import Any

from tt_perf.compiled import ahead

__all__ = ["Late"]


class Late:
    """Stands in the table for "module:name" until somebody calls it, or asks for an attribute of it."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._found: Any = None

    def load(self) -> Any:
        """The kernel, imported if it is not yet."""
        if self._found is None:
            module, _, name = self._place.partition(":")
            ahead.wait(module)
            self._found = getattr(importlib.import_module(module), name)
        return self._found

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return (self._found or self.load())(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = self.__dict__[name] = getattr(self.load(), name)  # so that it is asked once
        return found

    def __repr__(self) -> str:
        return f"Late({self._place!r})"
