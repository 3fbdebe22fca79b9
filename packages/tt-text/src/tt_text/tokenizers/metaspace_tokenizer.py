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
from itertools import chain, groupby
from os import PathLike
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.arguments import TokenizerTypeError, checked_id, checked_tokens
from tt_text.tokenizers.merging import ranked
from tt_text.tokenizers.special_tokens import AddedToken
from tt_text.tokenizers.tokenizer import Tokenizer
from tt_text.tokenizers.word_cache import WordCache

__all__ = ["MetaspaceBPETokenizer"]

SPACE = "▁"
PREFIXES = ("prepend", "always", "first", "never")
BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")

MARK = "\ufffd".encode()

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
        strip_token: whether it drops all spaces of its first token instead (the library's Metaspace decoder).
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
        strip_token: bool = False,
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
        self._prefix_space, self._split = prefix_space, bool(split)
        self._strip, self._strip_token = bool(strip), bool(strip_token)
        super().__init__(
            ((number, text, self._meaning(text)) for text, number in vocab.items()), added, **roles
        )
        for token in self.added.by_id.values():
            if token.normalized:  # as it stands in the text in which it is found
                self._bytes[token.id] = self._meaning(self._normalized(token.content))
        self._pairs, self._merges = ranked(self._vocab, merges, "MetaspaceBPETokenizer")
        self._fallback = [self._vocab.get(f"<0x{byte:02X}>", -1) for byte in range(256)]
        # Where ▁ is no token, unknown characters on both sides of it may become one.
        crosses = SPACE not in vocab or any(ACROSS.search(left + right) for left, right in self._pairs)
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

    def _normalized(self, text: str) -> str:
        if self._prefix_space == "prepend":
            return SPACE + text.replace(" ", SPACE) if text else text
        return text

    def _ordinary(self, text: str, first: bool) -> list[int]:
        if self._prefix_space != "prepend":
            text = text.replace(" ", SPACE)
            wanted = self._prefix_space == "always" or (self._prefix_space == "first" and first)
            if text and wanted and not text.startswith(SPACE):
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
        waiting: list[
            int
        ] = []  # unknown ones; the library writes them before the next character that is a token
        for at, character in enumerate(word):
            token = self._vocab.get(character)
            if token is not None:
                tokens += [*waiting, token]
                waiting = []
                continue
            spelled = [self._fallback[byte] for byte in character.encode("utf-8")]
            if self._byte_fallback and -1 not in spelled:
                tokens += spelled
            elif self._unknown is None:
                raise TokenizerError(
                    f"encode: {character!r} (U+{ord(character):04X}, at index {at} of {word[:40]!r}) is no "
                    "token, nor are its bytes, and there is no unknown token"
                )
            elif not (waiting and self._fuse):
                tokens += waiting
                waiting = [self._vocab[self._unknown]]
        return [*tokens, *waiting]

    # --- tokens to text -----------------------------------------------------------------------------------------

    def decode(self, tokens: Any, *, skip_special_tokens: bool = False, errors: str = "replace") -> str:
        """The text of tokens: see Tokenizer.

        errors="replace" is the library's: of tokens of bytes side by side that are no UTF-8, each becomes U+FFFD.
        """
        ids = checked_tokens(tokens, "decode")
        data = self._data(ids, skip_special_tokens)
        if errors == "replace":
            try:
                return data.decode("utf-8")
            except UnicodeDecodeError:
                return self._data(ids, skip_special_tokens, marked=True).decode("utf-8")
        return self._decoded(data, errors)

    def _data(self, ids: list[int], skip: bool, marked: bool = False) -> bytes:
        if skip:
            ids = [one for one in ids if one not in self.added.special_ids]
        if self._strip_token and ids:
            return self._first(ids[0]) + self._joined(ids[1:], marked)
        data = self._joined(ids, marked)
        return data[1:] if self._strip and data.startswith(b" ") else data

    def _first(self, token: int) -> bytes:
        """What is left of the text's first token without its ▁."""
        data = super()._data([token], False)
        name = self._names[token]
        return name.replace(SPACE, "").encode() if SPACE in name else data

    def _joined(self, ids: list[int], marked: bool) -> bytes:
        if not marked:
            return super()._data(ids, False)
        pieces = []
        for spelled, run in groupby(ids, lambda one: BYTE.fullmatch(self._names[one]) is not None):
            data = super()._data(list(run), False)
            if spelled and self._byte_fallback:
                try:
                    data.decode("utf-8")
                except UnicodeDecodeError:
                    data = MARK * len(data)
            pieces.append(data)
        return b"".join(pieces)

    def _chunks(self, tokens: Iterable[int], before: list[int], skip: bool) -> Iterator[bytes]:
        begun = [one for one in before if not (skip and one in self.added.special_ids)]
        front = not (begun if self._strip_token else super()._data(begun, False))
        for token in tokens:
            number = checked_id(token, "stream")
            data = super()._data([number], skip)
            if skip and number in self.added.special_ids:
                continue
            if front and self._strip_token:
                front, data = False, self._first(number)
            elif front and data and self._strip:
                front, data = False, data.removeprefix(b" ")
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
            "strip_token": self._strip_token,
        }

    @classmethod
    def _from_state(cls, state: Mapping[str, Any], rest: Mapping[str, Any]) -> MetaspaceBPETokenizer:
        from tt_text.tokenizers.gpt2_files import merge_names

        flags: dict[str, Any] = {
            name: bool(state.get(name))
            for name in ("split", "byte_fallback", "fuse_unk", "strip", "strip_token")
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
