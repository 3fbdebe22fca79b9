"""Counts of a vocabulary on texts, against counting by hand."""

from __future__ import annotations

import pytest

from tt_text.errors import TokenizerError
from tt_text.tokenizers import BPETokenizer, ByteTokenizer, CharTokenizer, vocabulary_statistics


def test_counted_by_hand():
    tokenizer = CharTokenizer("abc", unk_token="<unk>", special_tokens=["<s>"], prefix=["<s>"])
    found = vocabulary_statistics(tokenizer, ["aab", "éa"], most_frequent=2)
    assert (found.texts, found.characters, found.bytes, found.tokens) == (2, 5, 6, 5)
    assert (found.vocab_size, found.used, found.unknown) == (5, 3, 1)
    assert found.most_frequent == (("a", 3), ("b", 1))
    assert (found.bytes_per_token, found.characters_per_token) == (1.2, 1.0)
    assert (found.coverage, found.unknown_share) == (0.6, 0.2)
    assert "6 bytes, 5 characters, 5 tokens: 1.20 bytes per token" in str(found)


def test_nothing():
    found = vocabulary_statistics(CharTokenizer(""), "")
    assert found.bytes_per_token == found.characters_per_token == found.coverage == found.unknown_share == 0.0


def test_learned_tokens_compress(goldens):
    corpus = goldens["corpus"]
    trained = vocabulary_statistics(BPETokenizer.train(corpus, 400), corpus)
    assert vocabulary_statistics(ByteTokenizer(), corpus).bytes_per_token == 1.0
    assert trained.bytes_per_token > 1.5


def test_what_cannot_be_counted():
    with pytest.raises(TypeError, match="expected a Tokenizer"):
        vocabulary_statistics(str.split, "a")
    with pytest.raises(TokenizerError, match="at index 1"):
        vocabulary_statistics(CharTokenizer("a"), "ab")
    with pytest.raises(TokenizerError, match="expected texts"):
        vocabulary_statistics(CharTokenizer("a"), 3)
