"""Application: one application of a Function as arithmetic sees it: its shapes, without its arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Application", "Shape"]

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Application:
    """What the FLOPs and bytes of a Function follow from."""

    op: str
    """The name of its class."""
    inputs: tuple[Shape | None, ...]
    """The shape of each input; () for a number, None for an absent one."""
    output: Shape
    needs: tuple[bool, ...] | None = None
    """Which inputs want a gradient; None: all."""
    facts: Any = None
    """What else its formula asks for, as `Formula.facts` gave it."""

    @property
    def n(self) -> int:
        """Elements that come out."""
        return math.prod(self.output)

    def size(self, index: int = 0) -> int:
        """Elements of an input; 0 where it is absent."""
        shape = self.inputs[index] if index < len(self.inputs) else None
        return 0 if shape is None else math.prod(shape)

    def has(self, index: int) -> bool:
        """Is this input there?"""
        return index < len(self.inputs) and self.inputs[index] is not None

    def wants(self, index: int) -> bool:
        """Does it send a gradient to this input?"""
        return self.has(index) and (self.needs is None or self.needs[index])

    def shape(self, index: int = 0) -> Shape:
        """The shape of an input that is there."""
        return self.inputs[index] or ()
