"""One new token of one text as a row of numbers on its way through all layers of a transformer, in NumPy.

With a model of a few million parameters, calls are what a token costs; so a row takes as few as may be, and writes into
memory that it has already. What all transformers have in common is here; `through` is a subclass's: decode_row.py for
GPT, decode_rotary_row.py for Llama. What makes the calls few:

- softmax goes without the largest score, as long as no sum of exp(scores) leaves [LEAST, MOST]. If one does, the token
  is computed again, with the largest taken off, and from then on it always is.
- Nothing is looked at on the way: what is not finite stays so to the end of x, which is only added to. Where that is
  not finite, there is no result, and whoever called goes a way that gives what each layer by itself would give.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

__all__ = ["LEAST", "MOST", "Row", "are_floats", "run_row", "taken_row"]

LEAST, MOST = 1e-20, 1e20
"""Sums of exp in these bounds, and what is divided by them, are far from where float32 ends."""

FLOAT = np.dtype(np.float32)


def are_floats(weights: Iterable[Any], rows: Iterable[tuple[Any, Any]]) -> bool:
    """Are all weights (out, in) plain arrays of float32 of some size, and all rows None or (out,) for their weight?"""
    return all(_is_float(one) and one.ndim == 2 and one.size for one in weights) and all(
        row is None or (_is_float(row) and row.shape == of.shape[:1]) for row, of in rows
    )


def _is_float(array: Any) -> bool:
    return array.__class__ is np.ndarray and array.dtype == FLOAT


def run_row(
    make: Callable[[Any, int, int], Row | None], x: Any, layers: Any, held: Any, first: int, stop: int, *rest: Any
) -> Any:  # fmt: skip
    """x (1, 1, C) behind all layers, by a row that `make` makes of their parts, or one that was used before.

    Args:
        make: a function of the layers' parts, how many heads of keys there are, and the numbers of each; None from it
            says that they do not fit together.
        x: float32.
        layers: a `Layers`, whose `rows` is the list of rows that nobody uses.
        held, first, stop: see decode_layers.py.
        rest: what `through` takes besides.

    Returns None where a number on the way is not finite, or shapes do not fit; the new places of the cache may have
    been written to then, and want to be once more.
    """
    _, groups, _, d = held[0][0].shape
    row = taken_row(make, layers, groups, d)
    if row is None:
        return None
    y = row.decoded(x, held, first, stop, *rest)
    layers.rows.append(row)
    return y


def taken_row(make: Callable[[Any, int, int], Row | None], layers: Any, groups: int, d: int) -> Any:
    """A row that nobody uses, or a new one; to be put back into the list `layers.rows`. See `run_row`."""
    try:
        # Taken out of the list: another thread, or another call inside of this one, makes a row of its own.
        row = layers.rows.pop()
    except IndexError:
        row = None
    return row if row is not None and row.sizes == (groups, d) else make(layers.parts, groups, d)


class Row:
    """The memory that a token needs on its way, and views of it.

    Args:
        depth: how many layers there are.
        n: the numbers of x.
        heads: how many heads of queries, a multiple of `groups`.
        groups: how many heads of keys and values there are.
        d: the numbers of each.
    """

    def __init__(self, depth: int, n: int, heads: int, groups: int, d: int) -> None:
        self.sizes, self.shifted = (groups, d), False
        self.n, self.d, self.heads = n, d, heads
        self.stack = np.ones((2, n), np.float32)
        self.x, self.y = self.stack[0], np.empty(n, np.float32)  # below x a row of ones
        self.packed = np.empty((heads + 2 * groups) * d, np.float32)
        queries = self.packed[: heads * d]
        self.q, (self.key, self.value) = (
            queries.reshape(groups, heads // groups, d),
            self.packed[heads * d :].reshape(2, groups, d),
        )
        self.totals = np.empty((depth, heads), np.float32)
        self.ones = self.seen_ones = np.ones(64, np.float32)
        self.gathered = np.empty(heads * d, np.float32)
        self.by_heads = self.gathered.reshape(self.q.shape)

    def decoded(self, x: Any, held: Any, first: int, stop: int, *rest: Any) -> Any:
        """x behind all layers, in memory of its own; None where a number is not finite."""
        if len(self.ones) < stop - first:
            self.ones = np.ones(2 * (stop - first), np.float32)
        self.seen_ones = self.ones[: stop - first]
        with np.errstate(all="ignore"):
            y = self._tried(x, held, first, stop, *rest)
            if y is None and not self.shifted:
                self.shifted = True
                y = self._tried(x, held, first, stop, *rest)
                self.shifted = y is not None  # else it was something else
        return y

    def _tried(self, x: Any, held: Any, first: int, stop: int, *rest: Any) -> Any:
        """The same for one way to compute softmax."""
        row = self.x
        row[...] = x.reshape(self.n)
        self.through(held, slice(first, stop), stop - 1, *rest)
        totals = self.totals.ravel().tolist()
        if min(totals) < LEAST or max(totals) > MOST or not math.isfinite(row.dot(row)):
            return None  # a sum that is no number made no numbers of x
        return row.copy().reshape(x.shape)

    def through(self, held: Any, seen: slice, last: int, *rest: Any) -> None:
        """Send x through all layers. The place `last` of the cache is the new token's; it sees the tokens `seen`."""
        raise NotImplementedError

    def attend(self, keys: Any, values: Any, seen: slice, total: Any) -> Any:
        """softmax(q keysᵀ) values, (H · D,), for q that is scaled already; the sums of exp go into `total` (H,)."""
        gathered = self.gathered
        e = np.matmul(self.q, keys[0, :, seen].swapaxes(1, 2))  # (G, H/G, S)
        if self.shifted:
            e -= np.maximum.reduce(e, axis=2, keepdims=True)
        np.exp(e, e)
        e.reshape(self.heads, -1).dot(self.seen_ones, total)
        np.matmul(e, values[0, :, seen], self.by_heads)
        return np.divide(gathered, total.repeat(self.d), gathered)
