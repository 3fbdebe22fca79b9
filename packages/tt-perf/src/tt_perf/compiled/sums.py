"""Sums of gradients of many arrays in one pass: the operation "add_up" of tt_optim.sums, with the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tt_perf.compiled.many import add_all
from tt_perf.compiled.table import fallback

__all__ = ["add_up"]


def add_up(groups: Sequence[Sequence[Any]], times: float = 1.0, by: float = 1.0) -> None:
    """s ← (s + a + b + …) · times / by for each group (s, a, b, …), in place."""
    if groups and not add_all(groups, times, by):
        fallback("add_up")(groups, times, by)
