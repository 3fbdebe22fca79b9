"""Byte-level byte-pair encoding, GPT-2's tokenizer: words of bytes, in which learned pairs become tokens.

    words  = text cut by a pattern
    tokens = of each word: its bytes as tokens, then the learned merges, the first learned first

Every text has tokens and comes back, as every byte is a token.

Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from os import PathLike
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.added_by_name import numbered
from tt_text.tokenizers.arguments import (
    LARGEST_ID,
    TokenizerTypeError,
    checked_count,
    checked_text,
)
from tt_text.tokenizers.bpe_training import learn
from tt_text.tokenizers.byte_alphabet import ALPHABET, bytes_of, written
from tt_text.tokenizers.merging import ranked
from tt_text.tokenizers.special_tokens import AddedToken
from tt_text.tokenizers.split_patterns import GPT2, Words
from tt_text.tokenizers.tokenizer import Tokenizer
from tt_text.tokenizers.word_cache import WordCache

__all__ = ["BPETokenizer"]

NORMALIZATIONS = (None, "NFC", "NFD", "NFKC", "NFKD")


class BPETokenizer(Tokenizer):
    """Byte-level BPE.

    >>> tokenizer = BPETokenizer.train("low low low lower lowest", vocab_size=260)
    >>> [tokenizer.id_to_token(token) for token in tokenizer.encode("low lower")]
    ['low', 'Ġlowe', 'r']

    Names of tokens are written in GPT-2's alphabet (Ġ is a space), as in the files of others.

    Args:
        vocab: bytes of each token → its id.
        merges: pairs of tokens (left, right), the first learned first; both and what they become are in `vocab`.
        pattern: how text is cut into words, GPT-2's pattern by default; several patterns cut one after the other; None
            does not cut. What is between matches is kept as a word.
        special_tokens: names of special tokens, numbered after the vocabulary; or a mapping of names to ids.
        add_prefix_space: whether a text that does not begin with a space gets one (RoBERTa).
        normalization: "NFC", "NFD", "NFKC" or "NFKD": the Unicode form that text is brought to; then not every text
            comes back as it was.
        ignore_merges: whether a word that is a token is that token, whatever the merges make of it (Llama 3).
        added, bos_token, eos_token, pad_token, unk_token, prefix, suffix: see Tokenizer. The unknown token
            stands for bytes that are no tokens; without one they raise.

    Raises TokenizerError where these contradict each other.
    """

    kind = "bpe"

    def __init__(
        self,
        vocab: Mapping[bytes, int],
        merges: Iterable[tuple[bytes, bytes]],
        *,
        pattern: str | Sequence[str] | None = GPT2,
        special_tokens: Any = (),
        added: Iterable[AddedToken] = (),
        add_prefix_space: bool = False,
        normalization: str | None = None,
        ignore_merges: bool = False,
        **roles: Any,
    ) -> None:
        if normalization not in NORMALIZATIONS:
            raise TokenizerError(
                f"BPETokenizer: normalization is one of {NORMALIZATIONS}, not {normalization!r}"
            )
        self._vocab = _checked_vocab(vocab)
        added = [*added, *numbered(special_tokens, max(self._vocab.values(), default=-1) + 1)]
        special = {token.content.encode("utf-8", "surrogatepass"): token.id for token in added}
        super().__init__(
            (
                (number, data.decode() if special.get(data) == number else written(data), data)
                for data, number in self._vocab.items()
            ),
            added,
            **roles,
        )
        self._words = Words(pattern, "BPETokenizer")
        self.add_prefix_space, self.normalization = bool(add_prefix_space), normalization
        self.ignore_merges = bool(ignore_merges)
        self._merge_pairs, self._merges = ranked(self._vocab, merges, "BPETokenizer")
        self._byte_ids = [self._vocab.get(bytes([byte]), -1) for byte in range(256)]
        self._cache = WordCache()

    # --- where they come from -----------------------------------------------------------------------------------

    @classmethod
    def train(
        cls,
        texts: str | Iterable[str],
        vocab_size: int,
        *,
        special_tokens: Sequence[str] = (),
        min_frequency: int = 2,
        pattern: str | Sequence[str] | None = GPT2,
        **options: Any,
    ) -> BPETokenizer:
        """Learn a vocabulary from texts; the same texts give the same one, in any order.

        Ids: the special tokens, the 256 bytes (in the order of GPT-2's alphabet), then the learned tokens.

        Args:
            texts: one text, or many.
            vocab_size: how many tokens, special ones and bytes included. Fewer if no pair occurs `min_frequency` times.
            special_tokens: names; they get the first ids. They are not looked for in the texts.
            min_frequency: how often a pair has to occur to become a token.
            pattern, options: see the class.

        Raises TokenizerError if there is no room for the bytes.
        """
        if isinstance(texts, str):
            texts = [texts]
        if not isinstance(texts, Iterable):
            raise TokenizerTypeError(f"BPETokenizer.train: expected texts, not {type(texts).__name__}")
        if not isinstance(special_tokens, list | tuple) or not all(
            isinstance(one, str) for one in special_tokens
        ):
            raise TokenizerTypeError(
                f"BPETokenizer.train: special_tokens is a list of texts, not {special_tokens!r}"
            )
        least = 256 + len(special_tokens)
        size = checked_count(vocab_size, "vocab_size", "BPETokenizer.train", least)
        rare = checked_count(min_frequency, "min_frequency", "BPETokenizer.train")
        added = [AddedToken(name, number) for number, name in enumerate(special_tokens)]
        alphabet = [bytes_of(character) or b"" for character in sorted(ALPHABET)]
        tokens = [b"" for _ in added] + alphabet

        def ready(merges: Iterable[tuple[bytes, bytes]]) -> BPETokenizer:
            vocab = {data: number for number, data in enumerate(tokens) if data}
            return cls(vocab, merges, pattern=pattern, added=added, **options)

        untrained = ready(())
        words: Counter[str] = Counter()
        for text in texts:
            words.update(untrained._cut(untrained._normalized(checked_text(text, "BPETokenizer.train"))))
        pairs = learn({word.encode(): count for word, count in words.items()}, tokens, size, rare)
        return ready((tokens[left], tokens[right]) for left, right in pairs)

    @classmethod
    def from_gpt2(
        cls,
        folder_or_vocab: str | PathLike[str],
        merges: str | PathLike[str] | None = None,
        *,
        special_tokens: Any = ("<|endoftext|>",),
        **options: Any,
    ) -> BPETokenizer:
        """GPT-2's two files: a folder that has encoder.json and vocab.bpe, or vocab.json and merges.txt; or both paths.

        Args:
            folder_or_vocab, merges: the folder, or the vocabulary's file and the merges' file.
            special_tokens: which names in the vocabulary are special tokens; those that it does not have are left out.
            options: see the class.

        Raises TokenizerError for files that are missing, damaged, or do not fit each other.
        """
        from tt_text.tokenizers.gpt2_files import read_gpt2

        vocab, pairs, added = read_gpt2(folder_or_vocab, merges, special_tokens)
        if any(token.content == "<|endoftext|>" for token in added):
            options = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", **options}
        return cls(vocab, pairs, added=added, **options)

    @classmethod
    def from_tokenizer_json(cls, path: str | PathLike[str]) -> BPETokenizer:
        """Hugging Face's tokenizer.json, of byte-level BPE. Raises TokenizerError that names what is not supported."""
        from tt_text.tokenizers.tokenizer_json import read_tokenizer_json

        found = read_tokenizer_json(path)
        if not isinstance(found, cls):
            raise TokenizerError(
                f"{path} holds a {type(found).__name__}; load_tokenizer reads it, or {type(found).__name__}"
            )
        return found

    def save_tokenizer_json(self, path: str | PathLike[str]) -> None:
        """Write a tokenizer.json that the `tokenizers` library reads, and gives the same tokens. Raises OSError."""
        from tt_text.tokenizers.json_files import write_json
        from tt_text.tokenizers.tokenizer_json_writing import byte_level_document

        write_json(path, byte_level_document(self), indent=2)

    # --- the vocabulary -----------------------------------------------------------------------------------------

    @property
    def merges(self) -> list[tuple[bytes, bytes]]:
        """The pairs that become tokens, the first learned first."""
        return list(self._merge_pairs)

    @property
    def vocab(self) -> dict[bytes, int]:
        """The bytes of each token → its id, special tokens left out."""
        return dict(self._vocab)

    @property
    def patterns(self) -> tuple[str, ...]:
        """How text is cut into words; () for not at all."""
        return self._words.patterns

    # --- text to tokens -----------------------------------------------------------------------------------------

    def _normalized(self, text: str) -> str:
        return unicodedata.normalize(self.normalization, text) if self.normalization else text  # type: ignore[arg-type]

    def _cut(self, text: str) -> list[str]:
        if self.add_prefix_space and text and not text.startswith(" "):
            text = " " + text
        return self._words.cut(text)

    def _ordinary(self, text: str, first: bool) -> list[int]:
        known, merge = self._cache.found, self._merged
        return list(chain.from_iterable([known.get(word) or merge(word) for word in self._cut(text)]))

    def _merged(self, word: str) -> list[int]:
        data = word.encode("utf-8")
        if self.ignore_merges and (whole := self._vocab.get(data)) is not None:
            tokens = [whole]
        else:
            tokens = list(map(self._byte_ids.__getitem__, data))
            if -1 in tokens:
                tokens = self._with_unknown(tokens, data)
            tokens = self._merges.apply(tokens)
        return self._cache.keep(word, tokens)

    def _with_unknown(self, tokens: list[int], data: bytes) -> list[int]:
        if (unknown := self.unk_id) is None:
            raise TokenizerError(
                f"encode: byte 0x{data[tokens.index(-1)]:02x} of {data[:40].decode(errors='replace')!r} is no token; "
                "this vocabulary has not all 256 bytes, and there is no unk_token"
            )
        return [unknown if token == -1 else token for token in tokens]

    # --- files --------------------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        return {
            "vocab": {written(data): number for data, number in self._vocab.items()},
            "merges": [[written(left), written(right)] for left, right in self._merge_pairs],
            "patterns": list(self.patterns),
            "add_prefix_space": self.add_prefix_space,
            "normalization": self.normalization,
            "ignore_merges": self.ignore_merges,
        }

    @classmethod
    def _from_state(cls, state: Mapping[str, Any], rest: Mapping[str, Any]) -> BPETokenizer:
        from tt_text.tokenizers.gpt2_files import merges_from, vocab_from

        return cls(
            vocab_from(state.get("vocab"), "vocab"),
            merges_from(state.get("merges"), "merges"),
            pattern=state.get("patterns"),
            add_prefix_space=bool(state.get("add_prefix_space")),
            normalization=state.get("normalization"),
            ignore_merges=bool(state.get("ignore_merges")),
            **rest,
        )


def _checked_vocab(vocab: Mapping[bytes, int]) -> dict[bytes, int]:
    if not isinstance(vocab, Mapping):
        raise TokenizerTypeError(f"BPETokenizer: vocab maps bytes to ids, and is no {type(vocab).__name__}")
    ids: dict[int, bytes] = {}
    for data, number in vocab.items():
        if not isinstance(data, bytes) or not data:
            raise TokenizerError(f"BPETokenizer: a token is one or more bytes, not {data!r}")
        if type(number) is not int or not 0 <= number <= LARGEST_ID:
            raise TokenizerError(
                f"BPETokenizer: the id of {data!r} is an int from 0 to {LARGEST_ID}, not {number!r}"
            )
        if number in ids:
            raise TokenizerError(f"BPETokenizer: {ids[number]!r} and {data!r} have the same id, {number}")
        ids[number] = data
    return dict(vocab)
