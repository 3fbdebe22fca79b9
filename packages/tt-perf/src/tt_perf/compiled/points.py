"""The points of Winograd's convolution: a tile of an image along one axis at the six points, and back.

A tile is 4×4 results, or the 6×6 pixels that go into them. Along its rows and along its columns the same is done, here
for sixteen channels at once: Bᵀ and Aᵀ on the way forth (points_forth.py), A and B on the way back (points_back.py).
For the filters see filter_points.py.
"""

from __future__ import annotations

from typing import Any

from tt_perf.compiled.lanes import piece

__all__ = [
    "A2",
    "AB",
    "B2",
    "POINTS",
    "TILE",
    "A",
    "B",
    "back_from_points",
    "back_to_points",
    "from_points",
    "to_points",
]

A, B = 0.5**0.5, 2**0.5
"""The points, besides 0 and ∞. With 1 and 2, which spare some products, errors are three times as large."""

A2, B2, A3, B3 = A * A, B * B, A * A * A, B * B * B
AB, SUM = A2 * B2, A2 + B2
AB2, BA2 = A * B2, B * A2

POINTS = 36
TILE = 4
"""Results along each axis of a tile; with the two pixels of the filter around it, six go in."""


@piece
def to_points(x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    """Bᵀ x: six pixels at the six points."""
    p, q = x4 - B2 * x2, A * x3 - AB2 * x1
    r, s = x4 - A2 * x2, B * x3 - BA2 * x1
    return AB * x0 - SUM * x2 + x4, p + q, p - q, r + s, r - s, AB * x1 - SUM * x3 + x5


@piece
def from_points(x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    """Aᵀ x: four results from the six points."""
    p, q, r, s = x1 + x2, x1 - x2, x3 + x4, x3 - x4
    return x0 + p + r, A * q + B * s, A2 * p + B2 * r, A3 * q + B3 * s + x5


@piece
def back_to_points(y0: Any, y1: Any, y2: Any, y3: Any) -> Any:
    """A y: what the points get of four gradients."""
    p, q = y0 + A2 * y2, A * y1 + A3 * y3
    r, s = y0 + B2 * y2, B * y1 + B3 * y3
    return y0, p + q, p - q, r + s, r - s, y3


@piece
def back_from_points(x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    """B x: what the six pixels get of the points."""
    p, q, r, s = x1 + x2, x1 - x2, x3 + x4, x3 - x4
    return (
        AB * x0,
        AB * x5 - AB2 * q - BA2 * s,
        -1.0 * (SUM * x0 + B2 * p + A2 * r),
        A * q + B * s - SUM * x5,
        x0 + p + r,
        x5,
    )
