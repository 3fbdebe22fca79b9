"""BPE over the names of tokens: characters that become tokens, then the learned merges.

    continuing_subword_prefix    in front of each character of a word but the first ("##")
    end_of_word_suffix           after the last ("</w>")
    byte_fallback                a character that is no token becomes <0xE2> <0x82> <0xAC>
    unk_token, fuse_unk          or the unknown token, one for all of them that are side by side
    neither                      it is left out
    ignore_merges                a word that is a token is that token

Source: the `tokenizers` library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.arguments import LARGEST_ID, checked_text
from tt_text.tokenizers.gpt2_files import merge_names
from tt_text.tokenizers.merging import Merges, Pair
from tt_text.tokenizers.word_cache import WordCache

__all__ = ["BPEModel", "checked_vocab"]


def checked_vocab(vocab: Any, where: Any) -> dict[str, int]:
    """model.vocab, if it maps names to ids, each of which one token has. Raises TokenizerError."""
    if not isinstance(vocab, dict):
        raise TokenizerError(f"{where}: model.vocab is an object of tokens and ids")
    for name, number in vocab.items():
        if type(number) is not int or not 0 <= number <= LARGEST_ID:
            raise TokenizerError(
                f"{where}: the id of {name[:40]!r} is an int from 0 to {LARGEST_ID}, not {str(number)[:40]!r}"
            )
    if len(set(vocab.values())) < len(vocab):
        raise TokenizerError(f"{where}: two tokens of model.vocab have one id")
    return dict(vocab)


class BPEModel:
    """The model of a tokenizer.json.

    Args:
        fields: its JSON object.
        where: for errors.

    Raises TokenizerError that names what is not supported, or does not fit.
    """

    def __init__(self, fields: Mapping[str, Any], where: Any) -> None:
        if fields.get("dropout"):
            raise TokenizerError(
                f"{where}: model.dropout={fields['dropout']!r} is not supported: tokens by chance; set it to null"
            )
        self.vocab = checked_vocab(fields.get("vocab"), where)
        self._prefix, self._suffix, self._unknown = (
            self._text(fields, key, where)
            for key in ("continuing_subword_prefix", "end_of_word_suffix", "unk_token")
        )
        self._fuse, self._fallback, self._whole = (
            self._flag(fields, key, where) for key in ("fuse_unk", "byte_fallback", "ignore_merges")
        )
        self._bytes = [self.vocab.get(f"<0x{byte:02X}>", -1) for byte in range(256)]
        self._pairs = merge_names(fields.get("merges"), where)
        self._merges = self._ranked(where)
        self._cache = WordCache()

    @staticmethod
    def _text(fields: Mapping[str, Any], key: str, where: Any) -> str | None:
        value = fields.get(key)
        if not isinstance(value, str | None):
            raise TokenizerError(f"{where}: model.{key} is a string or null, not {str(value)[:80]!r}")
        return None if value is None else checked_text(value, f"{where}: model.{key}")

    @staticmethod
    def _flag(fields: Mapping[str, Any], key: str, where: Any) -> bool:
        value = fields.get(key)
        if value not in (None, False, True):
            raise TokenizerError(f"{where}: model.{key} is true or false, not {str(value)[:80]!r}")
        return bool(value)

    def fields(self) -> dict[str, Any]:
        """The JSON object of the same model."""
        # Pairs are younger than texts with a space between the two.
        spaces = any(" " in left + right for left, right in self._pairs)
        return {
            "type": "BPE",
            "dropout": None,
            "unk_token": self._unknown,
            "continuing_subword_prefix": self._prefix,
            "end_of_word_suffix": self._suffix,
            "fuse_unk": self._fuse,
            "byte_fallback": self._fallback,
            "ignore_merges": self._whole,
            "vocab": self.vocab,
            "merges": [list(pair) if spaces else " ".join(pair) for pair in self._pairs],
        }

    def _ranked(self, where: Any) -> Merges:
        ranks: dict[Pair, int] = {}
        merged: dict[Pair, int] = {}
        skip = len(self._prefix or "")
        for rank, (left, right) in enumerate(self._pairs):
            try:
                pair = self.vocab[left], self.vocab[right]
                new = self.vocab[left + right[skip:]]
            except KeyError:
                raise TokenizerError(
                    f"{where}: merge {rank} is of {left!r} and {right!r}; both and what they become have to be tokens"
                ) from None
            ranks[pair], merged[pair] = rank, new  # of two that are the same, the last counts
        return Merges(ranks, merged)

    def tokens(self, word: str) -> list[int]:
        """The tokens of a word. Raises TokenizerError where the unknown token is none of the vocabulary."""
        found = self._cache.found.get(word)
        if found is not None:
            return found
        if self._whole and (whole := self.vocab.get(word)) is not None:
            return self._cache.keep(word, [whole])
        return self._cache.keep(word, self._merges.apply(self._first(word)))

    def _first(self, word: str) -> list[int]:
        """The tokens of its characters."""
        tokens: list[int] = []
        waiting: list[
            int
        ] = []  # unknown ones; the library writes them before the next character that is a token
        last = len(word) - 1
        for at, name in enumerate(word):
            if self._prefix and at:
                name = self._prefix + name
            if self._suffix and at == last:
                name += self._suffix
            token = self.vocab.get(name)
            if token is not None:
                if waiting:
                    tokens += waiting
                    waiting = []
                tokens.append(token)
                continue
            if self._fallback:
                spelled = [self._bytes[byte] for byte in name.encode("utf-8")]
                if -1 not in spelled:
                    tokens += spelled
                    continue
            if self._unknown is not None and not (waiting and self._fuse):
                tokens += waiting
                waiting = [self._unknown_id(name)]
        return tokens + waiting

    def _unknown_id(self, name: str) -> int:
        try:
            return self.vocab[self._unknown or ""]
        except KeyError:
            raise TokenizerError(
                f"encode: {name!r} is no token, and the unknown token {self._unknown!r} is not in the vocabulary"
            ) from None
