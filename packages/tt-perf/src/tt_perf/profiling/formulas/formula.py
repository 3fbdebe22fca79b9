"""Formula: the FLOPs of one kind of Function, there and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tt_perf.profiling.application import Application

__all__ = ["Count", "Formula", "Kind", "undone"]

Count = Callable[[Application], int]
Kind = Literal["compute", "move", "view", "outer"]


@dataclass(frozen=True, slots=True)
class Formula:
    """forward(application) and backward(application) → floating-point operations.

    kind: "compute"; "move" for what only copies; "view" for what does not even do that, so that it has no bytes;
    "outer" for a Function that is made of others, which are counted themselves.

    facts: what the counts need beside shapes, read off the Function right after its forward: hashable.

    beside: bytes that it reads beside its inputs: weights that it holds itself.
    """

    forward: Count
    backward: Count
    kind: Kind = "compute"
    facts: Callable[[Any], Any] | None = None
    beside: Count | None = None


def undone(a: Application) -> int:
    """Additions that undo broadcasting: every input that was stretched gets a sum over all of the gradient."""
    return sum(
        a.n for i in range(len(a.inputs)) if a.wants(i) and a.inputs[i] != a.output and a.size(i) < a.n
    )
