"""What callers give, checked: text, tokens, names of special tokens, numbers."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from tt_text.errors import TokenizerError

__all__ = ["TokenizerTypeError", "checked_count", "checked_id", "checked_text", "checked_tokens", "chosen"]

LARGEST_ID = 2**31 - 1
"""A file may name any number; no vocabulary has more ids than this, and all arrays of ids can hold it."""


class TokenizerTypeError(TokenizerError, TypeError):
    """Something is not text, or not a token, at all."""


def checked_text(text: Any, where: str) -> str:
    """`text` if it is a str that UTF-8 can hold.

    Raises TokenizerTypeError for no str, TokenizerError for a lone surrogate (half of a UTF-16 pair).
    """
    if not isinstance(text, str):
        raise TokenizerTypeError(f"{where}: expected a str, not {type(text).__name__}: {_shown(text)}")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise TokenizerError(
                f"{where}: the text has a lone surrogate, U+{ord(text[error.start]):04X}, at index {error.start}; "
                'it is no character, and UTF-8 cannot hold it. text.encode("utf-16", "surrogatepass")'
                '.decode("utf-16", "replace") joins pairs and replaces the rest'
            ) from None
    return text


def checked_tokens(tokens: Any, where: str) -> list[int]:
    """Token ids as a list of int: from a list, a tuple, a 1-D array or Tensor of integers, or a single id."""
    if hasattr(tokens, "numpy"):
        tokens = tokens.numpy()
    if isinstance(tokens, np.ndarray):
        if tokens.ndim > 1 or (tokens.dtype.kind not in "iu" and tokens.size):
            raise TokenizerTypeError(
                f"{where}: expected one sequence of integer ids, not an array of shape {tokens.shape} and dtype "
                f"{tokens.dtype}; decode_batch takes (N, L)"
            )
        tokens = tokens.tolist()
    if isinstance(tokens, int | np.integer) and not isinstance(tokens, bool):
        return [int(tokens)]
    if isinstance(tokens, str | bytes) or not isinstance(tokens, Iterable):
        raise TokenizerTypeError(
            f"{where}: expected token ids, not {type(tokens).__name__}: {_shown(tokens)}"
        )
    return [one if type(one) is int else checked_id(one, where) for one in tokens]


def checked_id(value: Any, where: str) -> int:
    """One integer, as an int."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise TokenizerTypeError(f"{where}: a token id is an integer, not {_shown(value)}") from None


def checked_count(value: Any, name: str, where: str, least: int = 0) -> int:
    """`value` as an int of at least `least`."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TokenizerTypeError(f"{where}: {name} is an integer, not {_shown(value)}") from None
    if number < least:
        raise TokenizerError(f"{where}: {name} is at least {least}, not {number}")
    return number


def chosen(names: Any, known: Collection[str], argument: str, where: str) -> frozenset[str]:
    """A choice among special tokens: "all", or a collection of their texts."""
    if isinstance(names, str):
        if names == "all":
            return frozenset(known)
        raise TokenizerError(f'{where}: {argument} is "all" or a collection of special tokens, not {names!r}')
    if not isinstance(names, Iterable):
        raise TokenizerTypeError(
            f'{where}: {argument} is "all" or a collection of special tokens, not {_shown(names)}'
        )
    given = list(names)
    for name in given:
        if not isinstance(name, str) or name not in known:
            raise TokenizerError(
                f"{where}: {argument} has {name!r}, which is no special token here; there are {sorted(known)}"
            )
    return frozenset(given)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
