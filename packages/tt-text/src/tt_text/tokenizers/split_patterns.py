"""How text is cut into words before merging: no token crosses the border of a word.

GPT2: contractions; letters, digits, or other signs, each with a space before them; white space, of which the last space
stays with the word that follows.
"""

from __future__ import annotations

from typing import Any

import regex  # type: ignore[import-untyped]

from tt_text.errors import TokenizerError

__all__ = ["DIGITS", "GPT2", "SINGLE_DIGITS", "Words", "compiled", "covers", "isolated"]

GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""Radford et al., 2019: the pattern of GPT-2, written so that the groups share no letter. It covers every text."""

DIGITS, SINGLE_DIGITS = r"\p{N}+", r"\p{N}"

SIGNS = "a B!é\t_1½\n\u0301世ٱ²\u00a0\x00'\r\n  ǅ\u200b😀\u2028<ⅷ\ue000"
"""Letters, digits, marks, punctuation, symbols, spaces and ends of lines, controls."""

LONGEST = 10_000
"""Characters of a pattern; those that are known have some hundred."""


def compiled(pattern: Any, where: str) -> regex.Pattern[str]:
    """A pattern of the regex module. Raises TokenizerError if it is none."""
    if not isinstance(pattern, str) or not 0 < len(pattern) <= LONGEST:
        raise TokenizerError(
            f"{where}: a pattern is text of 1 to {LONGEST} characters, not {str(pattern)[:80]!r}"
        )
    try:
        return regex.compile(pattern, regex.VERSION0)
    except (regex.error, OverflowError, RecursionError, ValueError, MemoryError) as error:
        raise TokenizerError(f"{where}: {pattern[:200]!r} is no pattern: {error}") from None
    except Exception as error:  # some patterns make the compiler itself stumble
        raise TokenizerError(
            f"{where}: {pattern[:200]!r} cannot be compiled: {type(error).__name__}"
        ) from error


def covers(pattern: str, where: str) -> bool:
    """Whether matches of `pattern` leave nothing out, of a text with signs of many kinds, forwards and backwards."""
    return all(
        sum(len(found[0]) for found in compiled(pattern, where).finditer(text)) == len(text)
        for text in (*SIGNS, SIGNS, SIGNS[::-1])
    )


def isolated(pattern: regex.Pattern[str], text: str) -> list[str]:
    """All of `text`, cut so that each match of `pattern` is a piece, and what is between matches too."""
    pieces, end = [], 0
    for found in pattern.finditer(text):
        start = found.start()
        if start > end:
            pieces.append(text[end:start])
        end = found.end()
        if end > start:
            pieces.append(text[start:end])
    if end < len(text):
        pieces.append(text[end:])
    return pieces


class Words:
    """Cuts text by patterns, one after the other.

    Args:
        patterns: one pattern, several, or None.
        where: for errors.

    Raises TokenizerError for what is no pattern.
    """

    def __init__(self, patterns: Any, where: str) -> None:
        given = [] if patterns is None else [patterns] if isinstance(patterns, str) else patterns
        if not isinstance(given, list | tuple):
            raise TokenizerError(f"{where}: pattern is text, or a list of texts, not {patterns!r}")
        self.patterns = tuple(given)
        self._compiled = [compiled(pattern, where) for pattern in given]

    def cut(self, text: str) -> list[str]:
        """The words; joined they are `text`."""
        words = [text] if text else []
        for pattern in self._compiled:
            if len(words) == 1:
                words = _cut(pattern, words[0])
            else:
                words = [piece for word in words for piece in _cut(pattern, word)]
        return words


def _cut(pattern: regex.Pattern[str], text: str) -> list[str]:
    if not pattern.groups:
        # The quick way, right if the pattern covers the text.
        words = pattern.findall(text)
        if sum(map(len, words)) == len(text):
            return words if all(words) else list(filter(None, words))
    return isolated(pattern, text)
