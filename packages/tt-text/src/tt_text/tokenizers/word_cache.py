"""The tokens of words that were seen before, within bounds: text repeats its words."""

from __future__ import annotations

__all__ = ["WordCache"]

WORDS = 1 << 16
LENGTH = 32


class WordCache:
    """Tokens by word. Long words are not kept, and all are dropped when there are too many: at most some 30 MB.

    It may be used by several threads: what one of them loses is computed again.
    """

    def __init__(self) -> None:
        self.found: dict[str, list[int]] = {}

    def keep(self, word: str, tokens: list[int]) -> list[int]:
        """Remember the tokens of a word; returns them. Who gets them must not change them."""
        if len(word) <= LENGTH:
            if len(self.found) >= WORDS:
                self.found.clear()
            self.found[word] = tokens
        return tokens

    def __reduce__(self) -> tuple[type[WordCache], tuple[()]]:
        """A copy for another process begins empty."""
        return WordCache, ()
