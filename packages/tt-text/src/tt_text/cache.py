"""Keys and values of the tokens that a model has seen, so that the next token needs only its own.

Without a cache, the n-th token costs a forward over all n; with one, a forward over one token that attends to the
kept keys and values of the others.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from tt_tensor.errors import ArgumentError

__all__ = ["AppendCache", "Cache"]

LEAST = 64
"""Tokens that there is memory for from the start: to grow costs more than they do."""


class Cache(Protocol):
    """What attention asks of a cache. A model with a cache calls `update` once for each of its layers, in order.

    A cache may have `extend` and `extend_all` as well (see AppendCache): then one call computes all of a layer, or of
    all layers. Assisted generation needs `truncate(length)`.
    """

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
    """The simplest cache: keys and values of each layer in two arrays that new ones are written behind.

    Where an array is full, its contents move to one of twice the length, so that n tokens cost O(n) copies in all.
    """

    def __init__(self) -> None:
        self._layers: list[tuple[Any, Any]] = []
        self._length = 0

    @property
    def length(self) -> int:
        """How many tokens it holds of every sequence, before the forward that is going on."""
        return self._length

    def update(self, layer: int, keys: Any, values: Any) -> tuple[Any, Any]:
        """Write the new ones behind those that are there. See `Cache.update`."""
        start = self._length
        stop = start + keys.shape[2]
        if layer == len(self._layers):
            self._layers.append(
                (_room(keys.shape, keys.dtype, stop), _room(values.shape, values.dtype, stop))
            )
        held_keys, held_values = self._layers[layer]
        if stop > held_keys.shape[2]:
            held_keys, held_values = self._layers[layer] = (
                _longer(held_keys, keys, start, stop),
                _longer(held_values, values, start, stop),
            )
        held_keys[:, :, start:stop] = keys
        held_values[:, :, start:stop] = values
        return held_keys[:, :, :stop], held_values[:, :, :stop]

    def extend(self, layer: int, shape: tuple[int, ...], dtype: Any) -> tuple[Any, Any] | None:
        """Room for the keys and values of new tokens, of this shape (N, heads, T, head_dim), where there is some.

        Instead of `update`, for who writes them himself: returns what that does, in which the last T tokens are for him
        to write; or None, and nothing has happened.
        """
        stop = self._length + shape[2]
        if layer >= len(self._layers):
            return None
        keys, values = self._layers[layer]
        n, heads, room, width = keys.shape
        if (
            stop > room
            or shape != (n, heads, shape[2], width)
            or keys.dtype != dtype
            or values.shape != keys.shape
        ):
            return None
        return keys[:, :, :stop], values[:, :, :stop]

    def extend_all(self, shape: tuple[int, ...], dtype: Any) -> tuple[Any, int, int] | None:
        """The same for all layers at once: keys and values of each, (N, heads, room, head_dim), first and stop.

        Tokens first ≤ s < stop are what `extend` gives.
        """
        layers, stop = self._layers, self._length + shape[2]
        if not layers:
            return None
        n, heads, _, width = shape
        room = layers[0][0].shape
        if stop > room[2] or room != (n, heads, room[2], width):
            return None
        for keys, values in layers:
            if not keys.shape == values.shape == room or (keys.dtype is not dtype and keys.dtype != dtype):
                return None
        return layers, 0, stop

    def begin(self, layers: int, shape: tuple[int, ...], dtype: Any) -> tuple[Any, int, int] | None:
        """`extend_all` for the first tokens of all, of a model with so many layers; None where there were some."""
        if self._layers:
            return None
        made = [[_room(shape, dtype, shape[2]) for _ in range(2)] for _ in range(layers)]
        self._layers = [(keys, values) for keys, values in made]
        return self.extend_all(shape, dtype)

    def advance(self, tokens: int) -> None:
        """`tokens` new ones have been through all layers."""
        self._length += tokens

    def select(self, rows: Any) -> None:
        """Keep these sequences of the batch, in this order."""
        self._layers = [(keys[rows], values[rows]) for keys, values in self._layers]

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens of every sequence; the memory stays.

        Raises ArgumentError for more than there are.
        """
        if not 0 <= length <= self._length:
            raise ArgumentError(f"AppendCache.truncate: {length} tokens of the {self._length} that there are")
        self._length = length

    @property
    def nbytes(self) -> int:
        """The memory that it holds, for up to twice as many tokens as there are, and for LEAST.

        A token takes 2 · layers · N · heads · head_dim · bytes of a number.
        """
        return sum(keys.nbytes + values.nbytes for keys, values in self._layers)


def _longer(held: Any, new: Any, start: int, stop: int) -> Any:
    """More memory for what is like `new`, with the first `start` of `held` in it."""
    memory = _room(new.shape, new.dtype, stop)
    memory[:, :, :start] = held[:, :, :start]
    return memory


def _room(shape: tuple[int, ...], dtype: Any, stop: int) -> Any:
    """Memory for twice `stop` tokens, and some at least."""
    n, heads, _, width = shape
    return np.empty((n, heads, max(2 * stop, LEAST), width), dtype)
