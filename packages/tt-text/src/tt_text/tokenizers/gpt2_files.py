"""GPT-2's two files: the vocabulary as JSON, and the merges as lines "left right", both in its alphabet of bytes."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.arguments import LARGEST_ID
from tt_text.tokenizers.byte_alphabet import bytes_of
from tt_text.tokenizers.json_files import read_bytes, read_json
from tt_text.tokenizers.special_tokens import AddedToken

__all__ = ["NAMES", "merge_names", "merges_from", "read_gpt2", "token_bytes", "vocab_from"]

NAMES = (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt"))
"""How OpenAI and Hugging Face call the same two files."""


def read_gpt2(
    folder_or_vocab: str | PathLike[str], merges: str | PathLike[str] | None, special_tokens: Iterable[str]
) -> tuple[dict[bytes, int], list[tuple[bytes, bytes]], list[AddedToken]]:
    """Vocabulary, merges, and those of the special tokens that the vocabulary has."""
    first = Path(folder_or_vocab)
    if merges is None:
        found = [
            (first / one, first / two)
            for one, two in NAMES
            if (first / one).is_file() and (first / two).is_file()
        ]
        if not found:
            names = " or ".join(f"{one} and {two}" for one, two in NAMES)
            raise TokenizerError(f"from_gpt2: {first} is no folder that has {names}")
        first, second = found[0]
    else:
        second = Path(merges)
    entries: dict[str, Any] = read_json(first)
    added = [AddedToken(name, entries.pop(name)) for name in special_tokens if name in entries]
    return vocab_from(entries, first), merge_lines(read_bytes(second), second), added


def vocab_from(entries: Any, where: Any) -> dict[bytes, int]:
    """A JSON object of names to ids, as bytes to ids."""
    if not isinstance(entries, dict):
        raise TokenizerError(f"{where}: the vocabulary is an object of tokens and ids")
    vocab: dict[bytes, int] = {}
    for name, number in entries.items():
        if type(number) is not int or not 0 <= number <= LARGEST_ID:
            raise TokenizerError(
                f"{where}: the id of {name[:40]!r} is an int from 0 to {LARGEST_ID}, not {str(number)[:40]!r}"
            )
        data = token_bytes(name, where)
        if data in vocab:
            raise TokenizerError(f"{where}: two tokens stand for the bytes {data[:40]!r}")
        vocab[data] = number
    return vocab


def token_bytes(name: str, where: Any) -> bytes:
    """The bytes of a token's name; a name with characters of no byte stands for its own UTF-8."""
    data = bytes_of(name)
    if data is None:
        try:
            data = name.encode("utf-8")
        except UnicodeEncodeError:
            raise TokenizerError(f"{where}: {name[:40]!r} has a lone surrogate") from None
    if not data:
        raise TokenizerError(f"{where}: a token has an empty name")
    return data


def merge_lines(data: bytes, where: Any) -> list[tuple[bytes, bytes]]:
    """The merges of a file of lines; the first may be a comment with the version."""
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{where} is no UTF-8 text: {error}") from None
    if lines[0].startswith("#version"):
        lines[0] = ""
    return merges_from([line.rstrip("\r") for line in lines if line.strip("\r")], where)


def merges_from(entries: Any, where: Any) -> list[tuple[bytes, bytes]]:
    """Merges from a list of texts "left right", or of pairs of texts."""
    return [
        (token_bytes(left, where), token_bytes(right, where)) for left, right in merge_names(entries, where)
    ]


def merge_names(entries: Any, where: Any) -> list[tuple[str, str]]:
    """The two names of each merge."""
    if not isinstance(entries, list):
        raise TokenizerError(f"{where}: the merges are a list, not {type(entries).__name__}")
    found = []
    for number, entry in enumerate(entries):
        pair = entry.split(" ") if isinstance(entry, str) else entry
        if (
            not isinstance(pair, list)
            or len(pair) != 2
            or not all(isinstance(one, str) and one for one in pair)
        ):
            raise TokenizerError(
                f"{where}: merge {number} is two tokens with a space between them, not {str(entry)[:80]!r}"
            )
        found.append((pair[0], pair[1]))
    return found
