"""Special tokens as users give them: names, numbered after the rest of the vocabulary; or names with their ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.special_tokens import AddedToken

__all__ = ["numbered"]


def numbered(special_tokens: Any, start: int) -> list[AddedToken]:
    """Names as special tokens with ids from `start` on; or a mapping of names to ids, as it says."""
    if isinstance(special_tokens, Mapping):
        return [AddedToken(name, number) for name, number in special_tokens.items()]
    if isinstance(special_tokens, str) or not isinstance(special_tokens, Iterable):
        raise TokenizerError(f"special_tokens is a list of texts, not {special_tokens!r}")
    return [AddedToken(name, start + at) for at, name in enumerate(special_tokens)]
