"""What all tokenizers share: from text to tokens and back, one at a time, in batches, or as a stream.

    encode(text) = prefix + tokens of text + suffix       prefix and suffix: special tokens, often none
    decode(tokens) = UTF-8 of (bytes of tokens[0] + bytes of tokens[1] + …)

A kind of tokenizer says how ordinary text becomes tokens, and which bytes each token stands for.
"""

from __future__ import annotations

import codecs
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar, TypeVar

import numpy as np

from tt_text.errors import TokenizerError
from tt_text.tokenizers.arguments import (
    LARGEST_ID,
    TokenizerTypeError,
    checked_count,
    checked_id,
    checked_text,
    checked_tokens,
    chosen,
)
from tt_text.tokenizers.encoding import Encoding, padded, truncated
from tt_text.tokenizers.roles import Roles
from tt_text.tokenizers.special_tokens import AddedToken, AddedTokens

__all__ = ["Tokenizer"]

Kind = TypeVar("Kind", bound="Tokenizer")


class Tokenizer(Roles, ABC):
    """The base of all tokenizers.

    Text that looks like a special token ("<|endoftext|>") is ordinary text unless the caller says otherwise: what users
    type cannot become a control token, no text raises, and every text comes back. `allowed_special` and
    `disallowed_special` are tiktoken's; only the default of the latter differs, which there raises.

    Args (of the base; each kind has its own beside them):
        vocabulary: (id, name, bytes) of each token.
        added: special and other added tokens.
        bos_token, eos_token, pad_token, unk_token: which special tokens play these roles; None for none.
        prefix, suffix: special tokens that `encode` puts before and after.

    Raises TokenizerError where these contradict each other.
    """

    kind: ClassVar[str]
    """Its name in files."""

    def __init__(
        self,
        vocabulary: Iterable[tuple[int, str, bytes]],
        added: Iterable[AddedToken] = (),
        *,
        bos_token: str | None = None,
        eos_token: str | None = None,
        pad_token: str | None = None,
        unk_token: str | None = None,
        prefix: Sequence[str] = (),
        suffix: Sequence[str] = (),
    ) -> None:
        self.added = AddedTokens(added)
        self._names: dict[int, str] = {}
        self._bytes: dict[int, bytes] = {}
        for number, name, data in vocabulary:
            self._names[number] = name
            self._bytes[number] = data
        for token in self.added.by_id.values():
            data = self._added_meaning(token.content)
            if token.id in self._bytes and self._bytes[token.id] != data:
                raise TokenizerError(
                    f"id {token.id} is both the special token {token.content!r} and {self._names[token.id]!r}"
                )
            self._names[token.id] = token.content
            self._bytes[token.id] = data
        if any(type(number) is not int or not 0 <= number <= LARGEST_ID for number in self._names):
            wrong = next(n for n in self._names if type(n) is not int or not 0 <= n <= LARGEST_ID)
            raise TokenizerError(f"a token id is an int from 0 to {LARGEST_ID}, not {wrong!r}")
        self._ids = {name: number for number, name in self._names.items()}
        self._ids.update({token.content: token.id for token in self.added.by_id.values()})
        self._size = max(self._names, default=-1) + 1
        super().__init__(bos_token, eos_token, pad_token, unk_token, prefix, suffix)

    def _added_meaning(self, content: str) -> bytes:
        """The bytes that an added token stands for: its text's, where a kind says nothing else."""
        return content.encode("utf-8")

    # --- the vocabulary ---------------------------------------------------------------------------------------

    @property
    def vocab_size(self) -> int:
        """The largest id + 1, special tokens included: how many rows an embedding needs."""
        return self._size

    def __len__(self) -> int:
        return self._size

    @property
    def special_tokens(self) -> dict[str, int]:
        """The special tokens: text to id."""
        return dict(self.added.special)

    def get_vocab(self) -> dict[str, int]:
        """All tokens: name to id."""
        return dict(self._ids)

    def token_to_id(self, token: str) -> int:
        """The id of a token's name. Raises TokenizerError if there is none."""
        try:
            return self._ids[token]
        except (KeyError, TypeError):
            raise TokenizerError(f"token_to_id: {token!r} is none of the {len(self._names)} tokens") from None

    def id_to_token(self, id: int) -> str:
        """The name of a token. Raises TokenizerError if there is none of that id."""
        number = checked_id(id, "id_to_token")
        if number not in self._names:
            raise self._unknown_id(number, "id_to_token")
        return self._names[number]

    def token_bytes(self, id: int) -> bytes:
        """The bytes that a token stands for; they need not be whole characters."""
        number = checked_id(id, "token_bytes")
        if number not in self._bytes:
            raise self._unknown_id(number, "token_bytes")
        return self._bytes[number]

    def _unknown_id(self, number: int, where: str) -> TokenizerError:
        return TokenizerError(
            f"{where}: {number} is the id of no token; this tokenizer has ids from 0 to {self._size - 1}"
        )

    # --- text to tokens ---------------------------------------------------------------------------------------

    def _normalized(self, text: str) -> str:
        """What the text between special tokens is turned into before all else."""
        return text

    @abstractmethod
    def _ordinary(self, text: str, first: bool) -> list[int]:
        """The tokens of normalized text that has no special tokens. `first`: it is where the whole text begins."""

    def encode(
        self,
        text: str,
        *,
        add_special_tokens: bool = True,
        allowed_special: Any = (),
        disallowed_special: Any = (),
    ) -> list[int]:
        """The tokens of `text`.

        Args:
            text: any str without lone surrogates.
            add_special_tokens: whether to put the tokenizer's prefix and suffix (BOS, EOS) around it.
            allowed_special: special tokens that `text` may name: "all", or a collection of their texts. All others
                are encoded as ordinary text.
            disallowed_special: special tokens for which to raise if `text` has them: "all" (but the allowed ones),
                or a collection.

        Raises TokenizerError for a lone surrogate, a disallowed special token, and a character that the
        vocabulary does not have; TokenizerTypeError (a TypeError too) if `text` is no str.
        """
        text = checked_text(text, "encode")
        tokens = self._tokens(text, allowed_special, disallowed_special)
        if add_special_tokens and (self._prefix or self._suffix):
            return [*self._prefix, *tokens, *self._suffix]
        return tokens

    __call__ = encode

    def _tokens(self, text: str, allowed_special: Any, disallowed_special: Any) -> list[int]:
        known = self.added.special
        allowed = (
            chosen(allowed_special, known, "allowed_special", "encode") if allowed_special else frozenset()
        )
        if disallowed_special:
            disallowed = chosen(disallowed_special, known, "disallowed_special", "encode")
            self.added.refuse(text, disallowed - allowed)
        if not (allowed or self.added.always):
            return self._ordinary(self._normalized(text), True)
        tokens: list[int] = []
        first = True
        for piece in self.added.pieces(text, allowed, self._normalized):
            if isinstance(piece, AddedToken):
                tokens.append(piece.id)
            else:
                tokens += self._ordinary(piece, first)
            first = False
        return tokens

    def encode_batch(
        self,
        texts: Iterable[str],
        *,
        padding: bool | str = True,
        truncation: bool = False,
        max_length: int | None = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        pad_id: int | None = None,
        add_special_tokens: bool = True,
        allowed_special: Any = (),
        disallowed_special: Any = (),
    ) -> Encoding:
        """Many texts as one array of ids (N, L), and which of them are real.

        Args:
            texts: N texts.
            padding: True or "longest": L is the length of the longest. "max_length": L is `max_length`. False: the
                texts have to be equally long.
            truncation: whether to cut to `max_length` tokens; prefix and suffix stay.
            max_length: the most tokens of a text, prefix and suffix included.
            padding_side: "right", or "left", which generation needs.
            truncation_side: "right" cuts the end, "left" the beginning.
            pad_id: what to fill up with; by default `pad_id` of the tokenizer, else its `eos_id` (the mask tells
                padding from a real end).
            add_special_tokens, allowed_special, disallowed_special: see `encode`.

        Raises TokenizerError as `encode` does, with the number of the text, and for what does not fit.
        """
        if isinstance(texts, str) or not isinstance(texts, Iterable):
            raise TokenizerTypeError(
                f"encode_batch: expected a list of texts, not one {type(texts).__name__}"
            )
        room = None
        if truncation:
            if max_length is None:
                raise TokenizerError("encode_batch: truncation=True needs max_length")
            around = len(self._prefix) + len(self._suffix) if add_special_tokens else 0
            room = checked_count(max_length, "max_length", "encode_batch") - around
            if room < 0:
                raise TokenizerError(
                    f"encode_batch: max_length={max_length} has no room for the {around} special tokens around a text"
                )
        rows = []
        for number, text in enumerate(texts):
            try:
                tokens = self._tokens(checked_text(text, "encode_batch"), allowed_special, disallowed_special)
            except TokenizerError as error:
                error.add_note(f"encode_batch: this is text {number}")
                raise
            if room is not None:
                tokens = truncated(tokens, room, truncation_side)
            rows.append([*self._prefix, *tokens, *self._suffix] if add_special_tokens else tokens)
        if pad_id is None:
            pad_id = self.pad_id if self.pad_id is not None else self.eos_id
        else:
            pad_id = checked_count(pad_id, "pad_id", "encode_batch", -LARGEST_ID)
        return padded(rows, pad_id, padding, max_length, padding_side)

    # --- tokens to text ---------------------------------------------------------------------------------------

    def decode(self, tokens: Any, *, skip_special_tokens: bool = False, errors: str = "replace") -> str:
        """The text of tokens.

        Args:
            tokens: a sequence of ids, a 1-D array or Tensor of integers, or one id.
            skip_special_tokens: whether to leave special tokens out.
            errors: what to do with bytes that are no UTF-8, as where a character is cut in half: "replace" puts U+FFFD,
                "ignore" leaves them out, "strict" raises TokenizerError.

        Raises TokenizerError for an id that no token has.
        """
        ids = checked_tokens(tokens, "decode")
        return self._decoded(self._data(ids, skip_special_tokens), errors)

    def decode_bytes(self, tokens: Any, *, skip_special_tokens: bool = False) -> bytes:
        """The bytes that `decode` takes for UTF-8."""
        return self._data(checked_tokens(tokens, "decode_bytes"), skip_special_tokens)

    def decode_batch(
        self,
        batch: Any,
        *,
        attention_mask: Any = None,
        skip_special_tokens: bool = False,
        errors: str = "replace",
    ) -> list[str]:
        """The text of each sequence: of an Encoding (without its padding), an array (N, L), or a list of sequences.

        Args:
            batch: the tokens.
            attention_mask: bool or 0 and 1, (N, L): which tokens of an array are real; by default all.
            skip_special_tokens, errors: see `decode`.
        """
        if hasattr(batch, "numpy"):
            batch = batch.numpy()
        if attention_mask is not None:
            mask, ids = np.asarray(attention_mask, dtype=bool), np.asarray(batch)
            if mask.shape != ids.shape or mask.ndim != 2:
                raise TokenizerError(
                    f"decode_batch: ids {ids.shape} and attention_mask {mask.shape} have to be of one shape (N, L)"
                )
            batch = Encoding(ids, mask)
        if isinstance(batch, str | bytes) or not isinstance(batch, Iterable):
            raise TokenizerTypeError(
                f"decode_batch: expected sequences of token ids, not {type(batch).__name__}"
            )
        return [self.decode(row, skip_special_tokens=skip_special_tokens, errors=errors) for row in batch]

    def stream(
        self, tokens: Iterable[int], *, after: Any = (), skip_special_tokens: bool = True
    ) -> Iterator[str]:
        """The text of tokens as they come: a character is given when its last byte is there.

        Joined it is what `decode` gives.

        Args:
            tokens: ids, one after the other, as a model makes them.
            after: the tokens before them. Tokenizers that drop the space at the start of a text keep it in its middle.
            skip_special_tokens: see `decode`.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        before = checked_tokens(after, "stream")
        if isinstance(tokens, str) or not isinstance(tokens, Iterable):
            raise TokenizerTypeError(
                f"stream: expected token ids, one after the other, not {type(tokens).__name__}"
            )
        for data in self._chunks(tokens, before, skip_special_tokens):
            if text := decoder.decode(data):
                yield text
        if text := decoder.decode(b"", final=True):
            yield text

    def _chunks(self, tokens: Iterable[int], before: list[int], skip: bool) -> Iterator[bytes]:
        """The bytes of each token, as they come after those `before`."""
        for token in tokens:
            yield self._data([checked_id(token, "stream")], skip)

    def _data(self, ids: list[int], skip: bool) -> bytes:
        """The bytes of tokens."""
        if skip:
            special = self.added.special_ids
            ids = [one for one in ids if one not in special]
        try:
            return b"".join(map(self._bytes.__getitem__, ids))
        except KeyError as error:
            raise self._unknown_id(error.args[0], "decode") from None

    @staticmethod
    def _decoded(data: bytes, errors: str) -> str:
        if errors not in ("replace", "ignore", "strict"):
            raise TokenizerError(f'decode: errors is "replace", "ignore" or "strict", not {errors!r}')
        try:
            return data.decode("utf-8", errors)
        except UnicodeDecodeError as error:
            raise TokenizerError(
                f"decode: the tokens' bytes are no UTF-8 at byte {error.start} ({error.reason}); a character may be "
                'cut in half. errors="replace" puts U+FFFD there'
            ) from None

    # --- files ------------------------------------------------------------------------------------------------

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """What `_from_state` makes an equal tokenizer from, besides special tokens and roles: JSON values."""

    @classmethod
    @abstractmethod
    def _from_state(cls: type[Kind], state: Mapping[str, Any], rest: Mapping[str, Any]) -> Kind:
        """The tokenizer of a file. `state`: what `_state` gave, unchecked; `rest`: arguments for `__init__`."""

    def save(self, path: str | PathLike[str]) -> None:
        """Write a JSON file that `from_file` reads, aside first and renamed when whole. Raises OSError."""
        from tt_text.tokenizers.saving import save

        save(self, path)

    @classmethod
    def from_file(cls: type[Kind], path: str | PathLike[str]) -> Kind:
        """The tokenizer that `save` wrote: `Tokenizer.from_file` for any kind, a kind's own for that one.

        Raises TokenizerError for a file that is missing, damaged, or of another kind.
        """
        from tt_text.tokenizers.saving import load

        found = load(path)
        if not isinstance(found, cls):
            raise TokenizerError(f"{path} holds a {type(found).__name__}, not a {cls.__name__}")
        return found

    def __repr__(self) -> str:
        special = f", special_tokens={sorted(self.added.special)}" if len(self.added.special) <= 8 else ""
        return f"{type(self).__name__}(vocab_size={self._size}{special})"
