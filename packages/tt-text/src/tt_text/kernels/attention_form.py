"""What kernels of attention share: their signature, and which keys a query may see by its position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

__all__ = ["AttentionForm", "AttentionKernel", "Saved", "grouped", "in_sight", "sight"]


@dataclass(frozen=True, slots=True)
class AttentionForm:
    """The settings of one attention.

    Query i stands at position i + offset and key j at j. With `causal` it sees keys j ≤ i + offset, with `window` w
    only the last w of those, j > i + offset - w (without `causal`, also j < i + offset + w).
    """

    scale: float
    causal: bool = False
    offset: int = 0
    window: int | None = None
    keep: float = 1.0
    """What kept weights are multiplied by where there is a dropout mask: 1 / (1 - p)."""

    @property
    def limited(self) -> bool:
        """Does position rule any key out?"""
        return self.causal or self.window is not None


Saved = tuple[Any, ...]
"""What a kernel keeps for its gradients."""


@dataclass(frozen=True, slots=True)
class AttentionKernel:
    """One way to compute attention, forth and back.

    forward(q, k, v, mask, drop, form, out) -> saved:
        q (N, H, T, D), k (N, G, S, D), v (N, G, S, E), H a multiple of G; each group of H/G heads shares keys and
        values. mask None, bools (True: may be seen) or numbers to be added, drop None or bools, both of a shape
        that broadcasts to (N, H, T, S). Writes (N, H, T, E) to `out`.
    backward(grad, q, k, v, mask, drop, form, out, saved, dq, dk, dv, dmask):
        writes the gradients into dq, dk, dv, and adds to dmask, which is None or of the shape of mask.
    """

    forward: Callable[..., Saved]
    backward: Callable[..., None]

    def __call__(self, *arguments: Any) -> Saved:
        """The same as `forward`."""
        return self.forward(*arguments)


def grouped(x: Any, groups: int) -> Any:
    """(N, H, T, D) as a view (N, G, H/G, T, D)."""
    n, h, t, d = x.shape
    return x.reshape(n, groups, h // groups if groups else 1, t, d)


def in_sight(form: AttentionForm, i: int, j: int) -> bool:
    """May query i see key j, by their positions?"""
    ahead = j - i - form.offset
    if form.causal and ahead > 0:
        return False
    return form.window is None or -form.window < ahead < form.window


def sight(form: AttentionForm, rows: tuple[int, int], keys: tuple[int, int]) -> Any:
    """`in_sight` for a block of queries and keys, bools (rows, keys); None where all are in sight."""
    first, last = keys[0] - (rows[1] - 1) - form.offset, keys[1] - 1 - rows[0] - form.offset
    beyond = last > 0 if form.causal else form.window is not None and last >= form.window
    before = form.window is not None and first <= -form.window
    if not beyond and not before:
        return None
    return _triangle(
        rows[1] - rows[0], keys[1] - keys[0], keys[0] - rows[0] - form.offset, form.causal, form.window
    )


@lru_cache(maxsize=64)
def _triangle(rows: int, keys: int, ahead: int, causal: bool, window: int | None) -> Any:
    by = np.arange(keys)[None, :] - np.arange(rows)[:, None] + ahead
    seen = by <= 0 if causal else np.ones(by.shape, bool)
    if window is not None:
        seen &= (by > -window) & (by < window)
    seen.flags.writeable = False
    return seen
