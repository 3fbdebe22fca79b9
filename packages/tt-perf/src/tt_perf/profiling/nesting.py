"""Nesting: what lies inside of what, from the times alone.

Events come in the order of their ends. When one ends, those that began after it did are inside of it:

    |------ A ------|          self(A) = A - B - C
      |- B -| |-C-|
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Node", "nested"]


@dataclass(slots=True)
class Node:
    """An event in its place."""

    event: Any
    children: list[Node] = field(default_factory=list)
    parent: Node | None = None

    @property
    def seconds(self) -> float:
        """From its start to its end."""
        return float(self.event.ended - self.event.started)

    @property
    def self_seconds(self) -> float:
        """Without what lies inside."""
        return max(0.0, self.seconds - sum(child.seconds for child in self.children))


def nested(events: Sequence[Any]) -> list[Node]:
    """The outermost events of one thread, with all others inside of them, in the order of time."""
    stack: list[Node] = []
    for event in events:
        node = Node(event)
        first = len(stack)
        while first and stack[first - 1].event.started >= event.started:
            first -= 1
        node.children = stack[first:]
        for child in node.children:
            child.parent = node
        stack[first:] = [node]
    return stack
