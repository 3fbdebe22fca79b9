"""Keys and values of the tokens that a model has seen, so that the next token needs only its own.

Without a cache, the n-th token costs a forward over all n; with one, a forward over one token that attends to the
kept keys and values of the others.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

__all__ = ["AppendCache", "Cache"]


class Cache(Protocol):
    """What attention asks of a cache. A model with a cache calls `update` once for each of its layers, in order."""

    @property
    def length(self) -> int:
        """How many tokens it holds of every sequence, before the forward that is going on."""
        ...

    def update(self, layer: int, keys: Any, values: Any) -> tuple[Any, Any]:
        """Add the keys and values of new tokens to a layer's; returns all that attention shall see.

        Args:
            layer: the layer's number, from 0.
            keys, values: arrays (N, heads, T, head_dim) of the T new tokens.

        Returns arrays (N, heads, S, head_dim), the new tokens last. They may be views of the cache's memory, valid
        until the next call, and are not to be written to.
        """
        ...

    def advance(self, tokens: int) -> None:
        """`tokens` new ones have been through all layers: from now on they are part of `length`."""
        ...

    def select(self, rows: Any) -> None:
        """Keep these sequences of the batch, in this order; an index may come twice (beam search)."""
        ...


class AppendCache:
    """The simplest cache: every update joins the old keys and values and the new ones in new memory."""

    def __init__(self) -> None:
        self._layers: list[tuple[Any, Any]] = []
        self._length = 0

    @property
    def length(self) -> int:
        """How many tokens it holds of every sequence, before the forward that is going on."""
        return self._length

    def update(self, layer: int, keys: Any, values: Any) -> tuple[Any, Any]:
        """Join: O(S) copies for each new token. See `Cache.update`."""
        if layer == len(self._layers):
            self._layers.append((keys.copy(), values.copy()))
        else:
            held = self._layers[layer]
            self._layers[layer] = (
                np.concatenate((held[0], keys), axis=2),
                np.concatenate((held[1], values), axis=2),
            )
        return self._layers[layer]

    def advance(self, tokens: int) -> None:
        """`tokens` new ones have been through all layers."""
        self._length += tokens

    def select(self, rows: Any) -> None:
        """Keep these sequences of the batch, in this order."""
        self._layers = [(keys[rows], values[rows]) for keys, values in self._layers]

    @property
    def nbytes(self) -> int:
        """The memory that it holds: 2 · layers · N · heads · length · head_dim · bytes of a number."""
        return sum(keys.nbytes + values.nbytes for keys, values in self._layers)
