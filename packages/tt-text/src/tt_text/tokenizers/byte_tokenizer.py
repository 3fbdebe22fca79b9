"""One token for each of the 256 bytes of UTF-8: knows every text, and learns nothing.

encode(text) = list(text.encode("utf-8"))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.added_by_name import numbered
from tt_text.tokenizers.byte_alphabet import ALPHABET
from tt_text.tokenizers.special_tokens import AddedToken
from tt_text.tokenizers.tokenizer import Tokenizer

__all__ = ["ByteTokenizer"]


class ByteTokenizer(Tokenizer):
    """Bytes as tokens; special tokens have the ids from 256 on.

    >>> tokenizer = ByteTokenizer(special_tokens=["<end>"], suffix=["<end>"])
    >>> tokenizer.encode("né")
    [110, 195, 169, 256]

    Args:
        special_tokens: names of special tokens, or a mapping of names to ids.
        added, bos_token, eos_token, pad_token, unk_token, prefix, suffix: see Tokenizer.
    """

    kind = "byte"

    def __init__(self, *, special_tokens: Any = (), added: Iterable[AddedToken] = (), **roles: Any) -> None:
        added = [*added, *numbered(special_tokens, 256)]
        for token in added:
            if token.id in range(256):
                raise TokenizerError(
                    f"ByteTokenizer: {token.content!r} has id {token.id}, and 0 to 255 are the bytes"
                )
        super().__init__(((byte, ALPHABET[byte], bytes([byte])) for byte in range(256)), added, **roles)

    def _ordinary(self, text: str, first: bool) -> list[int]:
        return list(text.encode("utf-8"))

    def _state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def _from_state(cls, state: Mapping[str, Any], rest: Mapping[str, Any]) -> ByteTokenizer:
        return cls(**rest)
