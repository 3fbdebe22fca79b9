"""WordPiece and WordLevel: words that are tokens, cut into the longest ones from the front, or not cut.

    WordPiece    "lowest" → low ##est, or the unknown token where a rest is none, or the word is too long
    WordLevel    the word, or the unknown token

Source: the `tokenizers` library; Devlin et al., "BERT", 2019, arXiv:1810.04805.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.arguments import checked_text
from tt_text.tokenizers.pipeline.bpe_model import checked_vocab
from tt_text.tokenizers.word_cache import WordCache

__all__ = ["WordModel"]


class WordModel:
    """The model of a tokenizer.json of the type "WordPiece" or "WordLevel".

    Args:
        fields: its JSON object.
        where: for errors.

    Raises TokenizerError for what does not fit.
    """

    def __init__(self, fields: Mapping[str, Any], where: Any) -> None:
        self.vocab = checked_vocab(fields.get("vocab"), where)
        self._pieces = fields.get("type") == "WordPiece"
        prefix, unknown = fields.get("continuing_subword_prefix", "##"), fields.get("unk_token")
        longest = fields.get("max_input_chars_per_word", 100)
        if not isinstance(unknown, str) or not isinstance(prefix, str) or type(longest) is not int:
            raise TokenizerError(
                f"{where}: model.unk_token and model.continuing_subword_prefix are strings, and "
                f"model.max_input_chars_per_word is a number; they are {unknown!r:.60}, {prefix!r:.60}, {longest!r:.60}"
            )
        self._unknown, self._prefix = (checked_text(one, f"{where}: model") for one in (unknown, prefix))
        self._longest = longest
        self._cache = WordCache()

    def fields(self) -> dict[str, Any]:
        """The JSON object of the same model."""
        if not self._pieces:
            return {"type": "WordLevel", "vocab": self.vocab, "unk_token": self._unknown}
        return {
            "type": "WordPiece",
            "unk_token": self._unknown,
            "continuing_subword_prefix": self._prefix,
            "max_input_chars_per_word": self._longest,
            "vocab": self.vocab,
        }

    def tokens(self, word: str) -> list[int]:
        """The tokens of a word. Raises TokenizerError where the unknown token is none of the vocabulary."""
        found = self._cache.found.get(word)
        if found is None:
            found = self._cut(word) if self._pieces else [self.vocab.get(word, -1)]
            if -1 in found:
                found = [self._unknown_id(word)]
            self._cache.keep(word, found)
        return found

    def _cut(self, word: str) -> list[int]:
        """The longest tokens from the front; -1 where there is none."""
        if len(word) > self._longest:
            return [-1]
        tokens, start = [], 0
        while start < len(word):
            prefix = self._prefix if start else ""
            for end in range(len(word), start, -1):
                token = self.vocab.get(prefix + word[start:end])
                if token is not None:
                    break
            else:
                return [-1]
            tokens.append(token)
            start = end
        return tokens

    def _unknown_id(self, word: str) -> int:
        try:
            return self.vocab[self._unknown]
        except KeyError:
            raise TokenizerError(
                f"encode: {word[:40]!r} is no token, and the unknown token {self._unknown!r} is not in the vocabulary"
            ) from None
