"""Tokens that may not come next: an end that comes too early, and what would say some tokens in a row again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError
from tt_text.generation.arguments import count

__all__ = ["Forbidden", "repeats"]


def repeats(text: Any, size: int) -> Any:
    """The tokens after which the last `size` ones would stand in `text`, integers (T,), a second time."""
    if len(text) < size:
        return text[:0]
    runs = np.lib.stride_tricks.sliding_window_view(text, size)
    return runs[(runs[:, :-1] == text[len(text) - size + 1 :]).all(1), -1]


class Forbidden:
    """What a call forbids.

    Args:
        no_repeat_ngram_size: so many tokens in a row come only once in a text, prompt included; 0: as often as they do.
        min_new_tokens: before so many tokens there is no end token.
        ends: the end tokens.

    Raises DTypeError, or ArgumentError, that names the argument and its value.
    """

    def __init__(
        self, where: str, no_repeat_ngram_size: Any, min_new_tokens: Any, ends: Iterable[int]
    ) -> None:
        self.size = count(where, "no_repeat_ngram_size", no_repeat_ngram_size)
        self.least = count(where, "min_new_tokens", min_new_tokens)
        self._where, self._ends = where, list(ends)

    def __bool__(self) -> bool:
        return bool(self.size or (self.least and self._ends))

    def out(self, logits: Any, texts: Iterable[Any], made: int) -> Any:
        """Logits (N, V), -inf where a token may not follow its text, of which `made` tokens are new.

        Raises ArgumentError where none is left.
        """
        logits = logits.copy()
        if made < self.least:
            logits[:, self._ends] = -np.inf
        if self.size:
            for row, text in zip(logits, texts, strict=True):
                row[repeats(text, self.size)] = -np.inf
        if np.isneginf(logits.max(-1)).any():
            raise ArgumentError(
                f"{self._where}: no_repeat_ngram_size={self.size} and min_new_tokens={self.least} leave no token that "
                f"may come after {made} new ones"
            )
        return logits
