"""KVCache: keys and values of the tokens that a model has seen, in memory that is taken once.

    cache = KVCache.for_model(model, batch=4, capacity=512)
    model.generate(prompts, cache=cache)
    print(cache.report())
    cache.reset()                       # the memory serves the next texts

A token costs 2 · layers · heads · head_dim numbers for each text of the batch. It has the methods of
`tt_text.cache.Cache`, which is what attention asks of a cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tt_tensor.arguments import whole_number
from tt_tensor.dtypes import check_dtype
from tt_tensor.errors import ArgumentError, DTypeError, ShapeError

__all__ = ["CacheFullError", "CacheReport", "KVCache"]


class CacheFullError(ArgumentError):
    """More tokens, or more texts, than the cache was made for."""


@dataclass(frozen=True)
class CacheReport:
    """The memory of a cache, in bytes."""

    tokens: int
    """How many tokens of each text it has seen."""
    texts: int
    """How many texts there are."""
    kept: int
    """How many tokens of each text are there still: all, or with a window the last ones."""
    bytes_per_token: int
    """2 · layers · heads · head_dim · bytes of a number, for one text."""
    used_by_layer: tuple[int, ...]
    reserved_by_layer: tuple[int, ...]

    @property
    def used(self) -> int:
        """Bytes that hold keys and values."""
        return sum(self.used_by_layer)

    @property
    def reserved(self) -> int:
        """Bytes that were taken."""
        return sum(self.reserved_by_layer)

    def __str__(self) -> str:
        part = self.used / self.reserved if self.reserved else 0.0
        return (
            f"{self.texts} texts, {self.tokens} tokens seen, {self.kept} kept; {len(self.used_by_layer)} layers\n"
            f"{self.bytes_per_token:,} bytes for a token of one text\n"
            f"{self.used:,} of {self.reserved:,} bytes used ({part:.0%})"
        )


class KVCache:
    """Keys and values of `layers` layers, for up to `batch` texts of up to `capacity` tokens.

    With a window, attention sees the last `window` tokens only, so no more are kept: there is memory for twice as many,
    and when it is full, the last `window` move to its front. That costs one copy a token, as writing it does, and what
    attention sees is in its order, in one piece.

    Args:
        layers: how many layers the model has.
        batch: how many texts at most.
        heads: how many heads of keys and values; with grouped queries, these are fewer than those of queries.
        capacity: how many tokens of a text at most, prompt included.
        head_dim: numbers of each key.
        dtype: what they are kept in. float16 takes half the memory of float32; attention gets them as what came.
        window: how many tokens the model's attention sees, or None for all.

    Raises ArgumentError for a size below 1, DTypeError for a dtype that is no floating one.
    """

    def __init__(
        self,
        layers: int,
        batch: int,
        heads: int,
        capacity: int,
        head_dim: int,
        dtype: Any = np.float32,
        window: int | None = None,
    ) -> None:
        self.layers = whole_number("KVCache", "layers", layers, 1)
        self.batch = whole_number("KVCache", "batch", batch, 1)
        self.heads = whole_number("KVCache", "heads", heads, 1)
        self.capacity = whole_number("KVCache", "capacity", capacity, 1)
        self.head_dim = whole_number("KVCache", "head_dim", head_dim, 1)
        self.window = None if window is None else whole_number("KVCache", "window", window, 1)
        self.dtype = check_dtype(dtype, "KVCache")
        if self.dtype.kind != "f":
            raise DTypeError(f"KVCache: keys and values are of a floating dtype, not {self.dtype}")
        self.slots = self.capacity if self.window is None else min(self.capacity, 2 * self.window)
        shape = (self.layers, 2, self.batch, self.heads, self.slots, self.head_dim)
        self._memory: Any = np.empty(shape, self.dtype)
        self._layers = [(self._memory[layer, 0], self._memory[layer, 1]) for layer in range(self.layers)]
        self._keeps = self.capacity if self.window is None else self.window
        self.reset()

    @classmethod
    def for_model(cls, model: Any, batch: int = 1, capacity: int | None = None, dtype: Any = None) -> KVCache:
        """One that suits a GPT or a Llama of tt-text, or another model with a config of the same names.

        Args:
            model: its `config` says how many layers and heads, its parameters the dtype.
            batch: how many texts at most.
            capacity: how many tokens of a text at most; by default the model's context.
            dtype: what keys and values are kept in; by default the parameters' dtype.

        Raises ArgumentError where the config does not say.
        """
        config: Any = getattr(model, "config", None)
        if hasattr(config, "n_embd"):  # GPT-2's names
            sizes = config.n_layer, config.n_head, config.n_embd // config.n_head
        elif hasattr(config, "num_hidden_layers"):  # Llama's
            sizes = config.num_hidden_layers, config.groups, config.width
        else:
            raise ArgumentError(
                f"KVCache.for_model: {type(model).__name__} has no config with n_layer, n_head and n_embd, or "
                "num_hidden_layers, groups and width; make the cache by its sizes: KVCache(layers, batch, heads, …)"
            )
        layers, heads, head_dim = sizes
        if dtype is None:
            dtype = next((p.dtype for p in model.parameters() if p.dtype.kind == "f"), np.float32)
        capacity = model.context if capacity is None else capacity
        return cls(layers, batch, heads, capacity, head_dim, dtype, getattr(config, "sliding_window", None))

    @property
    def length(self) -> int:
        """How many tokens of each text it has seen, before the forward that is going on."""
        return self._length

    @property
    def nbytes(self) -> int:
        """The memory that it holds, from beginning to end the same."""
        return int(self._memory.nbytes)

    def reset(self) -> None:
        """Forget all tokens; the memory stays."""
        self._length = 0  # tokens seen
        self._stop = 0  # the slot behind the last token
        self._texts: int | None = None
        self._next = 0  # where that will be after the forward that is going on

    def update(self, layer: int, keys: Any, values: Any) -> tuple[Any, Any]:
        """Write keys and values (N, heads, T, head_dim) of T new tokens behind the others of this layer.

        Returns all that attention shall see, the new ones last: views of the cache's memory, valid until the next call.

        Raises CacheFullError for more tokens than the capacity or more texts than the batch, ShapeError for arrays of
        other shapes, ArgumentError for a layer that there is not.
        """
        if not 0 <= layer < self.layers:
            raise ArgumentError(
                f"KVCache: layer {layer!r}, but it was made for layers 0 to {self.layers - 1}"
            )
        n, _, t, _ = shape = keys.shape if keys.ndim == 4 else (0, 0, 0, 0)
        if shape != (n, self.heads, t, self.head_dim) or values.shape != shape or (self._texts or n) != n:
            raise ShapeError(
                f"KVCache: keys {keys.shape} and values {values.shape}; they are (N, {self.heads}, T, "
                f"{self.head_dim})" + (f", with N = {self._texts} since the first" if self._texts else "")
            )
        if n > self.batch:
            raise CacheFullError(f"KVCache: {n} texts, but it was made for {self.batch}; pass batch={n}")
        if self._length + t > self.capacity:
            raise CacheFullError(
                f"KVCache: {self._length} tokens and {t} new ones are more than its capacity of {self.capacity}; make "
                "one with a larger capacity, or reset() it for another text"
            )
        self._texts = n
        held_keys, held_values = self._layers[layer][0][:n], self._layers[layer][1][:n]
        start = self._stop
        if start + t > self.slots:  # only with a window
            # The new ones, and as many before them as the first of them sees.
            before = slice(max(0, start - self._keeps + 1), start)
            seen_keys = np.concatenate((held_keys[:, :, before].astype(keys.dtype), keys), axis=2)
            seen_values = np.concatenate((held_values[:, :, before].astype(values.dtype), values), axis=2)
            kept = min(self.slots, seen_keys.shape[2])  # more than a window: some may be forgotten
            held_keys[:, :, :kept] = seen_keys[:, :, seen_keys.shape[2] - kept :]
            held_values[:, :, :kept] = seen_values[:, :, seen_keys.shape[2] - kept :]
            self._next = kept
            return seen_keys, seen_values
        stop = self._next = start + t
        held_keys[:, :, start:stop] = keys
        held_values[:, :, start:stop] = values
        first = 0 if self.window is None else max(0, start - self._keeps + 1)
        seen_keys, seen_values = held_keys[:, :, first:stop], held_values[:, :, first:stop]
        if self.dtype != keys.dtype:
            return seen_keys.astype(keys.dtype), seen_values.astype(values.dtype)
        return seen_keys, seen_values

    def extend(self, layer: int, shape: tuple[int, ...], dtype: Any) -> tuple[Any, Any] | None:
        """Room for the keys and values of new tokens, of this shape (N, heads, T, head_dim), where there is some.

        Instead of `update`, for who writes them himself: returns what that does, in which the last T tokens are for him
        to write; or None, and nothing has happened.
        """
        n, heads, t, width = shape
        start, stop = self._stop, self._stop + t
        if (
            not 0 <= layer < self.layers
            or n != self._texts
            or (heads, width) != (self.heads, self.head_dim)
            or dtype != self.dtype
            or self._length + t > self.capacity
            or stop > self.slots
        ):
            return None
        keys, values = self._layers[layer]
        first = 0 if self.window is None else max(0, start - self._keeps + 1)
        self._next = stop
        return keys[:n, :, first:stop], values[:n, :, first:stop]

    def extend_all(self, shape: tuple[int, ...], dtype: Any) -> tuple[Any, int, int] | None:
        """The same for all layers at once: keys and values of each, (batch, heads, slots, head_dim), first and stop.

        Tokens first ≤ s < stop are what `extend` gives.
        """
        start = self._stop
        if self.extend(0, shape, dtype) is None:
            return None
        first = 0 if self.window is None else max(0, start - self._keeps + 1)
        return self._layers, first, start + shape[2]

    def advance(self, tokens: int) -> None:
        """`tokens` new ones have been through all layers: from now on they are part of `length`."""
        self._length += tokens
        self._stop = self._next

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens of each text; the memory stays.

        With a window, at least what the last `update` added can be forgotten, if that was no more than the window.

        Raises ArgumentError for more tokens than there are, and where some that come into sight again are gone.
        """
        if not 0 <= length <= self._length:
            raise ArgumentError(f"KVCache.truncate: {length} tokens of the {self._length} that there are")
        stop = self._stop - (self._length - length)
        if stop < min(length, self._keeps - 1):
            raise ArgumentError(
                f"KVCache.truncate: after {length} tokens, the next one sees {min(length, self._keeps - 1)} before it, "
                f"but only the last {self._stop} of {self._length} are kept; tt_text.AppendCache keeps all"
            )
        self._length, self._stop = length, stop

    def select(self, rows: Any) -> None:
        """Keep these texts, in this order; an index may come twice (beam search).

        Raises CacheFullError for more of them than the batch, ArgumentError for an index that there is not.
        """
        rows, texts = np.asarray(rows), self._texts or 0
        if rows.ndim != 1 or (
            rows.size and (rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= texts)
        ):
            raise ArgumentError(
                f"KVCache.select: rows are numbers of texts, from 0 to {texts - 1} here, not {rows.tolist()!r}"
            )
        rows = rows.astype(np.intp)
        if len(rows) > self.batch:
            raise CacheFullError(
                f"KVCache: {len(rows)} texts, but it was made for {self.batch}; pass batch={len(rows)}"
            )
        for layer in self._memory:
            layer[:, : len(rows), :, : self._stop] = layer[:, rows, :, : self._stop]
        self._texts = len(rows)

    def report(self) -> CacheReport:
        """How much memory it takes, and how much of that is in use."""
        texts, kept = self._texts or 0, min(self._length, self._keeps)
        token = 2 * self.heads * self.head_dim * self.dtype.itemsize
        return CacheReport(
            tokens=self._length,
            texts=texts,
            kept=kept,
            bytes_per_token=self.layers * token,
            used_by_layer=(texts * kept * token,) * self.layers,
            reserved_by_layer=(int(self._memory[0].nbytes),) * self.layers,
        )

    def __repr__(self) -> str:
        return (
            f"KVCache(layers={self.layers}, batch={self.batch}, heads={self.heads}, capacity={self.capacity}, "
            f"head_dim={self.head_dim}, dtype={self.dtype}, window={self.window})"
        )
