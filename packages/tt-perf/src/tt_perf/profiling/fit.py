"""fit: the exponent of a power law, y = c · nᵏ, by least squares in logarithms, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Fit", "power_law"]

# Student's t at 97.5 %, by degrees of freedom from 1 on; beyond the table 2 is a little more than enough.
STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
WIDE = 0.75
"""Half an interval from which on nobody can tell one exponent from the next."""
RAISED = str.maketrans("0123456789.-", "⁰¹²³⁴⁵⁶⁷⁸⁹·⁻")


@dataclass(frozen=True)
class Fit:
    """y = constant · nᵏ, k being `exponent`, with 95 % confidence between `low` and `high`.

    The interval is that of a straight line in logarithms; with two sizes it is endless, and so the law unclear.
    """

    exponent: float
    low: float
    high: float
    constant: float

    def predict(self, size: float) -> float:
        """The y of a size, by the law."""
        return float(self.constant * size**self.exponent)

    @property
    def words(self) -> str:
        """As one says it: "≈ N²", "≈ N^1.4" where it is near no whole number, "unclear" where the interval is wide."""
        if not self.high - self.low <= 2 * WIDE:
            return "unclear"
        whole = round(self.exponent)
        if abs(self.exponent - whole) <= 0.3:
            return {0: "≈ constant", 1: "≈ N"}.get(whole, f"≈ N{str(whole).translate(RAISED)}")
        return f"≈ N^{self.exponent:.1f}"

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers; an endless interval is None."""
        found = {**asdict(self), "words": self.words}
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in found.items()
        }


def power_law(sizes: Sequence[float], values: Sequence[float]) -> Fit | None:
    """The straight line through (log n, log y); None unless two sizes differ and all values are above 0."""
    if len(set(sizes)) < 2 or not all(value > 0 and math.isfinite(value) for value in values):
        return None
    xs, ys = [math.log(n) for n in sizes], [math.log(y) for y in values]
    n = len(xs)
    mean_x, mean_y = sum(xs) / n, sum(ys) / n
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    constant = mean_y - slope * mean_x
    half = math.inf
    if n > 2:
        rest = sum((y - constant - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
        t = STUDENT[n - 3] if n - 3 < len(STUDENT) else 2.0
        half = t * math.sqrt(rest / (n - 2) / spread)
    return Fit(slope, slope - half, slope + half, math.exp(constant))
