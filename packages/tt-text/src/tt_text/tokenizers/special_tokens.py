"""Tokens that are not made of text: added to a vocabulary by hand, and found in text only where that is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import regex  # type: ignore[import-untyped]

from tt_text.errors import TokenizerError
from tt_text.tokenizers.arguments import LARGEST_ID, checked_text

__all__ = ["AddedToken", "AddedTokens"]

WHITE = "".join(filter(str.isspace, map(chr, range(0x3001)))).translate(dict.fromkeys(range(0x1C, 0x20)))
"""Unicode's white space. Python counts four signs more, U+001C to U+001F, which separate files and records."""

WORD = regex.compile(r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]")
"""What words are made of, in Unicode's annex on patterns, which \\w of the library's regular expressions follows."""

PATTERNS = 16
"""Compiled patterns that are kept, one for each set of allowed tokens that was asked for."""


@dataclass(frozen=True)
class AddedToken:
    """One token that stands for itself, whatever the rest of the vocabulary would make of its text.

    Args:
        content: its text.
        id: its number.
        special: True: found in text only if allowed, and left out by `decode(skip_special_tokens=True)`. False: a
            word that is always found (Hugging Face's added tokens).
        lstrip, rstrip: whether it takes the white space before it, after it, with it.
        normalized: whether it is looked for only in what the tokens without this flag leave over, normalized as that
            is (Hugging Face's second round).
        single_word: whether it is found only where no letter, digit or underscore is beside it.

    Raises TokenizerError for an empty text, one that is none, and an id that is none.
    """

    content: str
    id: int
    special: bool = True
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = False
    single_word: bool = False

    def __post_init__(self) -> None:
        if not checked_text(self.content, "special tokens"):
            raise TokenizerError("special tokens: one has an empty text, which would be found everywhere")
        if type(self.id) is not int or not 0 <= self.id <= LARGEST_ID:
            raise TokenizerError(
                f"special tokens: the id of {self.content!r} is an int from 0 to {LARGEST_ID}, not {str(self.id)[:80]}"
            )


class AddedTokens:
    """All added tokens of a tokenizer, by text and by id.

    Raises TokenizerError for a text or an id that two of them have.
    """

    def __init__(self, tokens: Iterable[AddedToken] = ()) -> None:
        self.by_content: dict[str, AddedToken] = {}
        self.by_id: dict[int, AddedToken] = {}
        for token in tokens:
            other = self.by_content.get(token.content) or self.by_id.get(token.id)
            if other is not None:
                raise TokenizerError(f"special tokens: {other} and {token} have the same text or id")
            self.by_content[token.content] = self.by_id[token.id] = token
        self.special = {token.content: token.id for token in self.by_id.values() if token.special}
        self.special_ids = frozenset(self.special.values())
        self.always = frozenset(token.content for token in self.by_id.values() if not token.special)
        self._later = frozenset(token.content for token in self.by_id.values() if token.normalized)
        self._patterns: dict[frozenset[str], re.Pattern[str]] = {}
        self._written: dict[str, AddedToken] = {}

    def pieces(
        self, text: str, allowed: frozenset[str], normalized: Callable[[str], str] | None = None
    ) -> Iterator[str | AddedToken]:
        """`text`, cut at every allowed token: the leftmost first, the longest where two begin at one place.

        `normalized` is what a tokenizer does to text first. It is done here, piece by piece, as the tokens with the
        flag of that name are looked for after it.
        """
        allowed |= self.always
        later = allowed & self._later
        sooner = allowed - later
        for piece in self._cut(text, sooner, self.by_content) if sooner else [text]:
            if isinstance(piece, AddedToken):
                yield piece
                continue
            if normalized is not None:
                piece = normalized(piece)
            if not later:
                yield piece
            elif normalized is None:
                yield from self._cut(piece, later, self.by_content)
            else:
                names = self._names(normalized)
                yield from self._cut(
                    piece, frozenset(name for name in names if names[name].content in later), names
                )

    def _names(self, normalized: Callable[[str], str]) -> dict[str, AddedToken]:
        """The tokens of the second round by their normalized text; of two that become the same the first counts."""
        if not self._written:
            for token in self.by_id.values():
                if token.normalized and (name := normalized(token.content)):
                    self._written.setdefault(name, token)
        return self._written

    def _cut(
        self, text: str, contents: frozenset[str], tokens: dict[str, AddedToken]
    ) -> Iterator[str | AddedToken]:
        end = 0
        for found in self._pattern(contents).finditer(text) if contents else ():
            token = tokens[found[0]]
            start, stop = found.span()
            if token.single_word and (
                (start and WORD.match(text, start - 1)) or (stop < len(text) and WORD.match(text, stop))
            ):
                continue
            if token.lstrip:
                start = max(len(text[:start].rstrip(WHITE)), end)
            if token.rstrip:
                stop = len(text) - len(text[stop:].lstrip(WHITE))
            if start > end:
                yield text[end:start]
            if start < stop:
                yield token  # also inside of the white space that the one before took
            end = stop
        if end < len(text):
            yield text[end:]

    def refuse(self, text: str, disallowed: frozenset[str]) -> None:
        """Raises TokenizerError if one of `disallowed` is in `text`."""
        if disallowed and (found := self._pattern(disallowed).search(text)):
            raise TokenizerError(
                f"encode: the text has the special token {found[0]!r} at index {found.start()}, which "
                f"disallowed_special refuses; allowed_special={{{found[0]!r}}} takes it for the token, "
                "disallowed_special=() for ordinary text"
            )

    def _pattern(self, contents: frozenset[str]) -> re.Pattern[str]:
        pattern = self._patterns.get(contents)
        if pattern is None:
            if len(self._patterns) >= PATTERNS:
                self._patterns.clear()
            longest = sorted(contents, key=lambda content: (-len(content), content))
            pattern = re.compile("|".join(re.escape(content) for content in longest))
            self._patterns[contents] = pattern
        return pattern
