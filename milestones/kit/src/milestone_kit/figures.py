"""Figures and their bars: what was reached, what had to be reached, and whether it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from milestone_kit.screen import Screen

__all__ = ["Figure", "all_met", "show_figures"]


@dataclass(frozen=True)
class Figure:
    """One measured number: ``at_least <= value <= at_most``, where an absent side asks for nothing.

    `met` is True or False for a figure with a bar, None for one without. A value that is not finite
    is missed, bar or not: NaN compares as nothing, so it must never pass by comparison.
    """

    name: str
    value: float | int
    unit: str = ""
    at_least: float | int | None = None
    at_most: float | int | None = None

    def __post_init__(self) -> None:
        for field in ("value", "at_least", "at_most"):
            given = getattr(self, field)
            if given is not None:
                object.__setattr__(self, field, _plain(given, f"{field} of figure {self.name!r}"))
        for bar in (self.at_least, self.at_most):
            if bar is not None and not math.isfinite(bar):
                raise ValueError(f"the bar of figure {self.name!r} must be finite, not {bar}")

    @property
    def has_bar(self) -> bool:
        return self.at_least is not None or self.at_most is not None

    @property
    def met(self) -> bool | None:
        if not math.isfinite(self.value):
            return False
        if not self.has_bar:
            return None
        low = self.at_least is None or self.value >= self.at_least
        high = self.at_most is None or self.value <= self.at_most
        return low and high

    @property
    def bar(self) -> str:
        """The bar as people write it: ``≥ 98``, ``≤ 75``, ``≥ 1 and ≤ 2``, or nothing."""
        low = [] if self.at_least is None else [f"≥ {show_number(self.at_least)}"]
        high = [] if self.at_most is None else [f"≤ {show_number(self.at_most)}"]
        return " and ".join(low + high)

    @property
    def shown(self) -> str:
        """The value with four digits, or with all of them where rounding would hide a miss."""
        short = show_number(self.value)
        bars = [show_number(bar) for bar in (self.at_least, self.at_most) if bar is not None]
        return repr(self.value) if self.met is False and short in bars else short

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value if math.isfinite(self.value) else None,
            "unit": self.unit,
            "at_least": self.at_least,
            "at_most": self.at_most,
            "met": self.met,
        }


def all_met(figures: Sequence[Figure]) -> bool:
    """True if there is a bar and no figure misses; a run without a bar has shown nothing."""
    return any(figure.has_bar for figure in figures) and all(figure.met is not False for figure in figures)


def show_number(value: float | int) -> str:
    """Whole numbers as they are, others with four significant digits."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return "not finite"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def show_figures(screen: Screen, figures: Sequence[Figure]) -> None:
    """The closing table: figure, value, unit, bar, verdict."""
    verdicts = {True: "met", False: "missed", None: ""}
    styles = {True: "bold green", False: "bold red", None: ""}
    screen.table(
        ["figure", "value", "unit", "bar", "verdict"],
        [[f.name, f.shown, f.unit, f.bar, verdicts[f.met]] for f in figures],
        [styles[f.met] for f in figures],
    )


def _plain(value: Any, what: str) -> float | int:
    """A Python number from a Python, NumPy or one-element array-like number."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, Integral):  # bool too: True is one case out of one
        return int(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be one number, not {value!r}") from None
