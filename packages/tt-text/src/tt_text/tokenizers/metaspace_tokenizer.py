"""SentencePiece's byte-pair encoding, Llama's tokenizer: characters, ▁ for the space, and learned pairs as tokens.

    "a cat" → "▁a▁cat" → ▁a ▁c at            a space at the front, spaces as ▁, the learned merges
    a character that is no token → its bytes, <0xE2> <0x82> <0xAC>

Text is not cut into words. Where no token goes across the front of a ▁ (so it is in Llama's vocabulary), cutting there
changes nothing, and words that were seen before are quick.

Source: Kudo, Richardson, "SentencePiece", 2018; Touvron et al., "LLaMA", 2023.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from os import PathLike
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.arguments import TokenizerTypeError, checked_id
from tt_text.tokenizers.merging import ranked
from tt_text.tokenizers.special_tokens import AddedToken
from tt_text.tokenizers.tokenizer import Tokenizer
from tt_text.tokenizers.word_cache import WordCache

__all__ = ["MetaspaceBPETokenizer"]

SPACE = "▁"
PREFIXES = ("prepend", "always", "first", "never")
BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")

WHOLE = re.compile(r".+", re.DOTALL)
AT_SPACES = re.compile(f"{SPACE}*[^{SPACE}]+|{SPACE}+")
EACH_SPACE = re.compile(f"{SPACE}?[^{SPACE}]+|{SPACE}")
ACROSS = re.compile(f"[^{SPACE}]{SPACE}")


class MetaspaceBPETokenizer(Tokenizer):
    """BPE over characters, as SentencePiece and Llama have it.

    Args:
        vocab: text of each token (with ▁) → its id; special tokens and the tokens of bytes, <0x00> to <0xFF>, too.
        merges: pairs of tokens, the first learned first.
        prefix_space: "prepend": a ▁ before every text; "always": before one that does not begin with ▁; "first": so,
            but not after special tokens; "never".
        split: whether text is cut before every ▁ (Metaspace with split).
        byte_fallback: whether a character that is no token becomes its bytes.
        unknown: the token in `vocab` for a character that is no token either way; None: it raises.
        fuse_unk: whether unknown characters side by side become one unknown token.
        strip: whether `decode` drops the space at the front.
        added, bos_token, eos_token, pad_token, unk_token, prefix, suffix: see Tokenizer.

    The text comes back, but for a first space where `prefix_space` is "always" or "first"; and ▁ becomes a space.
    Raises TokenizerError where the arguments contradict each other.
    """

    kind = "metaspace_bpe"

    def __init__(
        self,
        vocab: Mapping[str, int],
        merges: Iterable[tuple[str, str]],
        *,
        prefix_space: str = "prepend",
        split: bool = False,
        byte_fallback: bool = True,
        unknown: str | None = None,
        fuse_unk: bool = True,
        strip: bool = True,
        added: Iterable[AddedToken] = (),
        **roles: Any,
    ) -> None:
        if prefix_space not in PREFIXES:
            raise TokenizerError(
                f"MetaspaceBPETokenizer: prefix_space is one of {PREFIXES}, not {prefix_space!r}"
            )
        if not isinstance(vocab, Mapping):
            raise TokenizerTypeError(f"MetaspaceBPETokenizer: vocab maps text to ids, not {vocab!r}")
        if len(set(vocab.values())) < len(vocab):
            raise TokenizerError("MetaspaceBPETokenizer: two tokens of the vocabulary have one id")
        if unknown is not None and unknown not in vocab:
            raise TokenizerError(f"MetaspaceBPETokenizer: unknown={unknown!r} is not in the vocabulary")
        self._vocab = dict(vocab)
        self._byte_fallback, self._unknown, self._fuse = bool(byte_fallback), unknown, bool(fuse_unk)
        self._prefix_space, self._split, self._strip = prefix_space, bool(split), bool(strip)
        super().__init__(
            ((number, text, self._meaning(text)) for text, number in vocab.items()), added, **roles
        )
        self._pairs, self._merges = ranked(self._vocab, merges, "MetaspaceBPETokenizer")
        self._fallback = [self._vocab.get(f"<0x{byte:02X}>", -1) for byte in range(256)]
        crosses = any(ACROSS.search(left + right) for left, right in self._pairs)
        self._cuts = EACH_SPACE if split else WHOLE if crosses else AT_SPACES
        self._cache = WordCache()

    @classmethod
    def from_tokenizer_json(cls, path: str | PathLike[str]) -> MetaspaceBPETokenizer:
        """Hugging Face's tokenizer.json of this kind. Raises TokenizerError that names what is not supported."""
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
        from tt_text.tokenizers.tokenizer_json_writing import metaspace_document

        write_json(path, metaspace_document(self), indent=2)

    def _meaning(self, text: str) -> bytes:
        if not isinstance(text, str) or not text:
            raise TokenizerError(f"MetaspaceBPETokenizer: a token is text, not {text!r}")
        if self._byte_fallback and (byte := BYTE.fullmatch(text)):
            return bytes([int(byte[1], 16)])
        try:
            return text.replace(SPACE, " ").encode("utf-8")
        except UnicodeEncodeError:
            raise TokenizerError(f"MetaspaceBPETokenizer: the token {text!r} has a lone surrogate") from None

    def _added_meaning(self, content: str) -> bytes:
        return self._meaning(content)

    # --- text to tokens -----------------------------------------------------------------------------------------

    def _ordinary(self, text: str, first: bool) -> list[int]:
        text = text.replace(" ", SPACE)
        wanted = self._prefix_space in ("prepend", "always") or (self._prefix_space == "first" and first)
        if text and wanted and (self._prefix_space == "prepend" or not text.startswith(SPACE)):
            text = SPACE + text
        known, merge = self._cache.found, self._merged
        words = self._cuts.findall(text)
        return list(chain.from_iterable([known.get(word) or merge(word) for word in words]))

    def _merged(self, word: str) -> list[int]:
        tokens = list(map(self._vocab.get, word))
        if None in tokens:
            tokens = self._with_fallback(word)
        return self._cache.keep(word, self._merges.apply(tokens))  # type: ignore[arg-type]

    def _with_fallback(self, word: str) -> list[int | None]:
        tokens: list[int | None] = []
        fused = False
        for at, character in enumerate(word):
            token = self._vocab.get(character)
            pieces = [token]
            unknown = False
            if token is None:
                spelled = [self._fallback[byte] for byte in character.encode("utf-8")]
                if self._byte_fallback and -1 not in spelled:
                    pieces = list(spelled)
                elif self._unknown is None:
                    raise TokenizerError(
                        f"encode: {character!r} (U+{ord(character):04X}, at index {at} of {word[:40]!r}) is no "
                        "token, nor are its bytes, and there is no unknown token"
                    )
                else:
                    unknown, pieces = True, [self._vocab[self._unknown]]
            if not (unknown and fused and self._fuse):
                tokens += pieces
            fused = unknown
        return tokens

    # --- tokens to text -----------------------------------------------------------------------------------------

    def _data(self, ids: list[int], skip: bool) -> bytes:
        data = super()._data(ids, skip)
        return data[1:] if self._strip and data.startswith(b" ") else data

    def _chunks(self, tokens: Iterable[int], before: list[int], skip: bool) -> Iterator[bytes]:
        front = self._strip and not super()._data(before, skip)
        for token in tokens:
            data = super()._data([checked_id(token, "stream")], skip)
            if front and data:
                front = False
                data = data[1:] if data.startswith(b" ") else data
            yield data

    # --- files --------------------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        return {
            "vocab": self._vocab,
            "merges": [list(pair) for pair in self._pairs],
            "prefix_space": self._prefix_space,
            "split": self._split,
            "byte_fallback": self._byte_fallback,
            "unknown": self._unknown,
            "fuse_unk": self._fuse,
            "strip": self._strip,
        }

    @classmethod
    def _from_state(cls, state: Mapping[str, Any], rest: Mapping[str, Any]) -> MetaspaceBPETokenizer:
        from tt_text.tokenizers.gpt2_files import merge_names

        flags: dict[str, Any] = {
            name: bool(state.get(name)) for name in ("split", "byte_fallback", "fuse_unk", "strip")
        }
        vocab, prefix, unknown = state.get("vocab"), state.get("prefix_space"), state.get("unknown")
        if not isinstance(prefix, str) or not isinstance(unknown, str | None):
            raise TokenizerError("MetaspaceBPETokenizer: prefix_space and unknown are strings")
        if not isinstance(vocab, dict) or any(type(number) is not int for number in vocab.values()):
            raise TokenizerError(
                "MetaspaceBPETokenizer: the vocabulary is an object of tokens and ids, which are integers"
            )
        merges = merge_names(state.get("merges"), "merges")
        return cls(vocab, merges, prefix_space=prefix, unknown=unknown, **flags, **rest)
