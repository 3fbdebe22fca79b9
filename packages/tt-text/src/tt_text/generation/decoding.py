"""A batch of texts that grow token by token: what the model is to read next, with a cache or without.

With a cache, the model reads only what it has not read yet. When a text is longer than the model's context, the model
reads the last `context` tokens, at positions from 0, as in nanoGPT; all positions then move with each token, no key of
the cache is right any more, and every token costs a forward over the whole window.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, ShapeError

__all__ = ["Decoding"]


class Decoding:
    """N texts of one width, padding at the left.

    Args:
        model: see `tt_text.models.LanguageModel`.
        tokens: integers (N, T).
        mask: bools (N, T), False at padding; None where there is none.
        cache: True for the model's own, False for none, or an empty one.

    Raises ArgumentError for a cache that holds something, or is none.
    """

    proposal: tuple[int, Any] | None = None
    """A token that is proposed as the next one: see tt_text.generation.assisted."""

    def __init__(self, where: str, model: Any, tokens: Any, mask: Any, cache: Any = True) -> None:
        self.model, self.context, self.width = model, model.context, tokens.shape[1]
        self.tokens, self.mask = tokens, mask
        self.read = 0
        if cache is True:
            # One that would not live to its second token need not be made.
            cache = model.new_cache() if self.width <= self.context else None
        elif cache is False or cache is None:
            cache = None
        elif not (hasattr(cache, "update") and hasattr(cache, "length")):
            raise ArgumentError(f"{where}: cache is True, False, or a cache, not {cache!r}")
        elif cache.length:
            raise ArgumentError(
                f"{where}: the cache holds {cache.length} tokens already; pass an empty one, and all tokens as "
                "the prompt"
            )
        self.cache = cache

    def logits(self) -> Any:
        """The logits (N, V) of the token that comes next."""
        return self.unread(last=True)[:, -1]

    def unread(self, last: bool) -> Any:
        """The logits (N, T, V) after each token that is not read yet, or after the last one only; now they are read."""
        width, mask = self.width, self.mask
        if self.cache is not None and width <= self.context:
            output = self.model(
                self.tokens[:, self.read : width],
                attention_mask=None if mask is None else mask[:, :width],
                cache=self.cache,
                last=last,
            )
            self.read = width
        else:
            self.cache = None
            start = max(0, width - self.context)
            output = self.model(
                self.tokens[:, start:width],
                attention_mask=None if mask is None else mask[:, start:width],
                last=last,
            )
        array = output.array if isinstance(output, Tensor) else np.asarray(output)
        if array.ndim != 3 or len(array) != len(self.tokens) or not array.shape[1]:
            raise ShapeError(
                f"generate: {type(self.model).__name__} gave logits of shape {array.shape} for {len(self.tokens)} "
                "texts; they are (N, 1, V) with last=True"
            )
        return array if array.dtype.char in "fd" else array.astype(np.float32)

    def append(self, tokens: Any) -> None:
        """The next token of each text: integers (N,), or an int where N is 1."""
        width = self.width
        if width == self.tokens.shape[1]:
            self._grow()
        self.tokens[:, width] = tokens
        self.width = width + 1

    def rewind(self, width: int) -> None:
        """Only the first `width` tokens are there."""
        self.width = width
        if self.cache is not None and self.read > width:
            self.cache.truncate(width)
            self.read = width

    def follow(self, text: Any) -> None:
        """The one text is `text` now, integers (T,): what both begin with stays read, but for the last token."""
        common = min(self.width, len(text) - 1)
        other = (self.tokens[0, :common] != text[:common]).nonzero()[0]
        self.rewind(int(other[0]) if len(other) else common)
        for token in text[self.width :]:
            self.append(token)

    def finish(self) -> None:
        """There will be no more tokens."""

    def _grow(self) -> None:
        """More room: twice as much, so that a token costs a constant time."""
        n, more = len(self.tokens), max(64, self.width)
        self.tokens = np.concatenate((self.tokens, np.zeros((n, more), np.int64)), axis=1)
        if self.mask is not None:
            self.mask = np.concatenate((self.mask, np.ones((n, more), bool)), axis=1)

    def select(self, rows: Any) -> None:
        """Keep these texts, in this order; an index may come twice."""
        self.tokens = self.tokens[rows]
        if self.mask is not None:
            self.mask = self.mask[rows]
        if self.cache is not None and self.read:
            self.cache.select(rows)
