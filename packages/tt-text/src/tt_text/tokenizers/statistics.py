"""How well a vocabulary fits texts: compression, how much of it is used, what it does not know.

compression = bytes of UTF-8 / tokens      coverage = ids that occur / vocab_size
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tt_text.errors import TokenizerError
from tt_text.tokenizers.arguments import TokenizerTypeError, checked_count, checked_text
from tt_text.tokenizers.tokenizer import Tokenizer

__all__ = ["VocabularyStatistics", "vocabulary_statistics"]


@dataclass(frozen=True)
class VocabularyStatistics:
    """What `vocabulary_statistics` counted.

    Args:
        texts, characters, bytes, tokens: how many; bytes are those of UTF-8. Prefix and suffix are not counted.
        vocab_size: ids of the tokenizer.
        used: different ids that occur.
        unknown: tokens that are the unknown token.
        most_frequent: (name, count) of the most frequent tokens, the most frequent first.
    """

    texts: int
    characters: int
    bytes: int
    tokens: int
    vocab_size: int
    used: int
    unknown: int
    most_frequent: tuple[tuple[str, int], ...]

    @property
    def bytes_per_token(self) -> float:
        """The compression; 0 without tokens."""
        return self.bytes / self.tokens if self.tokens else 0.0

    @property
    def characters_per_token(self) -> float:
        """Characters that a token stands for, on average; 0 without tokens."""
        return self.characters / self.tokens if self.tokens else 0.0

    @property
    def coverage(self) -> float:
        """The share of the ids that occur, 0 to 1."""
        return self.used / self.vocab_size if self.vocab_size else 0.0

    @property
    def unknown_share(self) -> float:
        """The share of the tokens that are unknown, 0 to 1."""
        return self.unknown / self.tokens if self.tokens else 0.0

    def __str__(self) -> str:
        frequent = " ".join(f"{name!r} {count:,}" for name, count in self.most_frequent)
        return (
            f"{self.bytes:,} bytes, {self.characters:,} characters, {self.tokens:,} tokens: {self.bytes_per_token:.2f} "
            f"bytes per token\n{self.used:,} of {self.vocab_size:,} ids occur ({self.coverage:.1%}), "
            f"{self.unknown:,} tokens are unknown\nmost frequent: {frequent}"
        )


def vocabulary_statistics(
    tokenizer: Tokenizer, texts: str | Iterable[str], most_frequent: int = 10
) -> VocabularyStatistics:
    """Encode texts and count.

    Args:
        tokenizer: any tokenizer.
        texts: one text, or many; they are taken one at a time.
        most_frequent: how many tokens to name.

    Raises TokenizerError as `encode` does.
    """
    if not isinstance(tokenizer, Tokenizer):
        raise TokenizerTypeError(
            f"vocabulary_statistics: expected a Tokenizer, not {type(tokenizer).__name__}"
        )
    if not isinstance(texts, Iterable):
        raise TokenizerError(f"vocabulary_statistics: expected texts, not {type(texts).__name__}")
    top = checked_count(most_frequent, "most_frequent", "vocabulary_statistics")
    counts: Counter[int] = Counter()
    number = characters = size = 0
    for text in [texts] if isinstance(texts, str) else texts:
        checked_text(text, "vocabulary_statistics")
        counts.update(tokenizer.encode(text, add_special_tokens=False))
        number, characters, size = number + 1, characters + len(text), size + len(text.encode("utf-8"))
    frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]
    return VocabularyStatistics(
        texts=number,
        characters=characters,
        bytes=size,
        tokens=counts.total(),
        vocab_size=tokenizer.vocab_size,
        used=len(counts),
        unknown=0 if tokenizer.unk_id is None else counts[tokenizer.unk_id],
        most_frequent=tuple((tokenizer.id_to_token(one), count) for one, count in frequent),
    )
