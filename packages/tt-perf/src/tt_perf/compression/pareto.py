"""The Pareto front: what is not worse than something else in everything that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError

__all__ = ["pareto_front"]


def pareto_front(
    points: Mapping[str, Mapping[str, float]], minimize: Sequence[str] = (), maximize: Sequence[str] = ()
) -> list[str]:
    """The names of the points that no other dominates, in their order.

    a dominates b where it is at least as good in every figure and better in one. Equal points do not dominate each
    other: both are on the front. A point that lacks a figure, or has NaN there, counts as worst in it.

    Args:
        points: {name: {figure: value}}.
        minimize, maximize: the figures that count, and which way is good.

    Raises ArgumentError where no figure is named, one is named twice, or no point has one.
    """
    if isinstance(minimize, str) or isinstance(maximize, str):
        raise ArgumentError("pareto_front: minimize and maximize are rows of names, not one name")
    wanted = [*minimize, *maximize]
    if not wanted or len(set(wanted)) != len(wanted):
        raise ArgumentError(f"pareto_front: name the figures that count, each once, not {wanted}")
    for figure in wanted:
        if points and not any(figure in point for point in points.values()):
            raise ArgumentError(f"pareto_front: no point has a figure {figure!r}")
    if not points:
        return []
    table = np.array(
        [
            [
                sign * _value(point.get(figure))
                for sign, row in ((1, minimize), (-1, maximize))
                for figure in row
            ]
            for point in points.values()
        ]
    )
    table[np.isnan(table)] = np.inf
    # [a, b]: is a at least as good as b everywhere, and better somewhere?
    better = (table[:, None] <= table[None]).all(axis=2) & (table[:, None] < table[None]).any(axis=2)
    beaten: list[bool] = np.any(better, axis=0).tolist()
    return [name for name, out in zip(points, beaten, strict=True) if not out]


def _value(found: Any) -> float:
    return float("nan") if found is None else float(found)
