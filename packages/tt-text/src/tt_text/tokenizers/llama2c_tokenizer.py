"""llama2.c's tokenizer: SentencePiece's tokens with scores, in a file of its own.

    int32    the bytes of the longest token
    then, until the end, for each token: float32 score, int32 length, that many bytes

Ids 0, 1, 2 are unknown, BOS and EOS, 3 to 258 the bytes <0x00> to <0xFF>. Text becomes BOS, a space, and its characters
(bytes, where one is no token); then the neighbours that make up the token of the best score are joined, until none make
up one.

Source: Karpathy, llama2.c (run.c, tokenizer.py).
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from os import PathLike
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.arguments import checked_count, checked_id
from tt_text.tokenizers.json_files import read_bytes, write_bytes
from tt_text.tokenizers.merging import Merges, Pair
from tt_text.tokenizers.special_tokens import AddedToken
from tt_text.tokenizers.tokenizer import Tokenizer
from tt_text.tokenizers.word_cache import WordCache

__all__ = ["Llama2cTokenizer"]

UNKNOWN, BOS, EOS, BYTES = 0, 1, 2, 3
NAMES = ("<unk>", "<s>", "</s>")
WORST = -1e10
"""Tokens of this score or a worse one are never made."""

LONGEST = 1 << 16
WHOLE = re.compile(r".+", re.DOTALL)
AT_SPACES = re.compile(r" *[^ ]+| +")
ACROSS = re.compile(rb"[^ ] ")


class Llama2cTokenizer(Tokenizer):
    """llama2.c's tokenizer: the same tokens and the same text as its run.c.

    `encode` puts BOS before the text. `decode` drops a BOS at the front, and the space right after a BOS, so that the
    text comes back. In C text ends at a zero byte; here it is byte token 3.

    Args:
        tokens: the bytes of each token; 0 to 2 are unknown, BOS, EOS, and 3 to 258 are b"<0x00>" to b"<0xFF>".
        scores: the score of each token.

    Raises TokenizerError for tokens that are not so, and for a score that is no number.
    """

    kind = "llama2c"

    def __init__(self, tokens: Sequence[bytes], scores: Sequence[float]) -> None:
        tokens, scores = list(tokens), list(scores)
        if len(tokens) != len(scores) or len(tokens) < BYTES + 256:
            raise TokenizerError(
                f"Llama2cTokenizer: {len(tokens)} tokens and {len(scores)} scores; there are as many of both, at least "
                f"{BYTES + 256}"
            )
        for at, (token, score) in enumerate(zip(tokens, scores, strict=True)):
            if not isinstance(token, bytes) or not token or math.isnan(score):
                raise TokenizerError(
                    f"Llama2cTokenizer: token {at} is {token!r} with score {score!r}; it is one or more bytes, and a "
                    "number"
                )
        for byte in range(256):
            if tokens[BYTES + byte] != b"<0x%02X>" % byte:
                raise TokenizerError(
                    f"Llama2cTokenizer: token {BYTES + byte} is the byte <0x{byte:02X}>, not {tokens[BYTES + byte]!r}"
                )
        self.tokens, self.scores = tokens, scores
        # Two tokens of the same bytes: C finds any of them. Here it is the first.
        index: dict[bytes, int] = {}
        for at, token in enumerate(tokens):
            index.setdefault(token, at)
        if b" " not in index:
            raise TokenizerError("Llama2cTokenizer: the space is no token, and every text begins with one")
        added = [AddedToken(name, number) for number, name in enumerate(NAMES)]
        super().__init__(
            (
                (at, token.decode("utf-8", "replace"), _meaning(token))
                for at, token in enumerate(tokens)
                if at > EOS
            ),
            added,
            bos_token=NAMES[BOS],
            eos_token=NAMES[EOS],
            prefix=[NAMES[BOS]],
        )
        self._characters = {token.decode("utf-8", "replace"): at for token, at in index.items() if at > EOS}
        self._merges = _merges(index, scores)
        crosses = any(ACROSS.search(token) for at, token in enumerate(tokens) if at > EOS)
        self._cuts = WHOLE if crosses else AT_SPACES
        self._cache = WordCache()

    @classmethod
    def from_file(cls, path: str | PathLike[str], vocab_size: int | None = None) -> Llama2cTokenizer:  # type: ignore[override]
        """The tokenizer in a file of llama2.c's layout.

        Args:
            path: the file.
            vocab_size: how many tokens it should have, as the model's file says; None: not checked.

        Raises TokenizerError for a file that is missing, cut off, or no such file.
        """
        data = read_bytes(path)
        tokens, scores = _parsed(data, path)
        if vocab_size is not None and len(tokens) != checked_count(vocab_size, "vocab_size", "from_file"):
            raise TokenizerError(f"{path} has {len(tokens)} tokens, and the model {vocab_size}")
        return cls(tokens, scores)

    def save(self, path: str | PathLike[str]) -> None:
        """Write a file of llama2.c's layout, aside first and renamed when whole. Raises OSError."""
        parts = [struct.pack("<i", max(map(len, self.tokens)))]
        for token, score in zip(self.tokens, self.scores, strict=True):
            parts.append(struct.pack("<fi", score, len(token)) + token)
        write_bytes(path, b"".join(parts))

    # --- text to tokens -----------------------------------------------------------------------------------------

    def _ordinary(self, text: str, first: bool) -> list[int]:
        if not text:
            return []
        known, merge = self._cache.found, self._merged
        text = f" {text}" if first else text
        return list(
            chain.from_iterable([known.get(word) or merge(word) for word in self._cuts.findall(text)])
        )

    def _merged(self, word: str) -> list[int]:
        tokens: list[int] = []
        for character in word:
            token = self._characters.get(character)
            if token is None:
                tokens += [BYTES + byte for byte in character.encode("utf-8")]
            else:
                tokens.append(token)
        return self._cache.keep(word, self._merges.apply(tokens))

    # --- tokens to text -----------------------------------------------------------------------------------------

    def _data(self, ids: list[int], skip: bool) -> bytes:
        return b"".join(self._after_bos(ids, None, skip))

    def _chunks(self, tokens: Iterable[int], before: list[int], skip: bool) -> Iterator[bytes]:
        last = before[-1] if before else None
        return self._after_bos((checked_id(one, "stream") for one in tokens), last, skip)

    def _after_bos(self, ids: Iterable[int], last: int | None, skip: bool) -> Iterator[bytes]:
        """The bytes of each token; `last` is the one before them."""
        for token in ids:
            if token not in self._bytes:
                raise self._unknown_id(token, "decode")
            data = self._bytes[token]
            if (token == BOS and last is None) or (skip and token <= EOS):
                data = b""
            yield data[1:] if last == BOS and data.startswith(b" ") else data
            last = token

    # --- files --------------------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        raise TokenizerError("Llama2cTokenizer: its file is no JSON")

    @classmethod
    def _from_state(cls, state: Mapping[str, Any], rest: Mapping[str, Any]) -> Llama2cTokenizer:
        raise TokenizerError("Llama2cTokenizer: its file is no JSON")


def _meaning(token: bytes) -> bytes:
    """A byte token is its byte."""
    found = re.fullmatch(rb"<0x([0-9A-F]{2})>", token)
    return bytes([int(found[1], 16)]) if found else token


def _merges(index: Mapping[bytes, int], scores: Sequence[float]) -> Merges:
    """Each way in which two tokens make up a third; the best score goes first, of equal ones the leftmost."""
    order = {score: rank for rank, score in enumerate(sorted(set(scores), reverse=True))}
    ranks: dict[Pair, int] = {}
    merged: dict[Pair, int] = {}
    for token, number in index.items():
        if scores[number] <= WORST:
            continue
        for cut in range(1, len(token)):
            left, right = index.get(token[:cut]), index.get(token[cut:])
            if left is not None and right is not None:
                ranks[left, right], merged[left, right] = order[scores[number]], number
    return Merges(ranks, merged)


def _parsed(data: bytes, where: Any) -> tuple[list[bytes], list[float]]:
    if len(data) < 4:
        raise TokenizerError(f"{where} has {len(data)} bytes, too few for a tokenizer of llama2.c")
    (longest,) = struct.unpack_from("<i", data)
    if not 0 < longest <= LONGEST:
        raise TokenizerError(
            f"{where} is no tokenizer of llama2.c, or is damaged: its longest token would have {longest} bytes"
        )
    tokens: list[bytes] = []
    scores: list[float] = []
    at = 4
    while at < len(data):
        if at + 8 > len(data):
            raise TokenizerError(f"{where} is cut off in token {len(tokens)}")
        score, length = struct.unpack_from("<fi", data, at)
        at += 8
        if not 0 < length <= longest:
            raise TokenizerError(
                f"{where} is damaged: token {len(tokens)} would have {length} bytes, and the longest {longest}"
            )
        if at + length > len(data):
            raise TokenizerError(f"{where} is cut off in token {len(tokens)}")
        tokens.append(data[at : at + length])
        scores.append(score)
        at += length
    return tokens, scores
