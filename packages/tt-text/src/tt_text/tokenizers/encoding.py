"""A batch of encoded texts as one array: cut to a length, filled up to the longest, and a mask of what is real."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tt_text.errors import TokenizerError
from tt_text.tokenizers.arguments import checked_count

__all__ = ["Encoding", "padded", "truncated"]


@dataclass(frozen=True, eq=False)
class Encoding:
    """N encoded texts.

    Args:
        ids: int64 (N, L), the tokens; padding where a text is shorter.
        attention_mask: bool (N, L), True at tokens, False at padding.
    """

    ids: np.ndarray
    attention_mask: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """int64 (N,): how many tokens each text has."""
        return self.attention_mask.sum(axis=1, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[list[int]]:
        """The tokens of each text, without padding."""
        for row, mask in zip(self.ids, self.attention_mask, strict=True):
            yield row[mask].tolist()


def truncated(tokens: list[int], room: int, side: str) -> list[int]:
    """At most `room` tokens: the first ones, or for side "left" the last ones."""
    _check_side(side, "truncation_side")
    if len(tokens) <= room:
        return tokens
    return tokens[:room] if side == "right" else tokens[len(tokens) - room :]


def padded(
    rows: Sequence[Sequence[int]],
    pad_id: int | None,
    padding: Any = True,
    max_length: int | None = None,
    side: str = "right",
) -> Encoding:
    """Rows of tokens as arrays (N, L).

    Args:
        rows: N sequences of tokens.
        pad_id: what to fill up with; None where there is nothing.
        padding: True or "longest": L is the longest row's length. "max_length": L is `max_length`. False: all rows have
            to be of one length.
        max_length: see `padding`.
        side: "right": padding comes after the tokens; "left": before them, so that the last column is each text's last
            token, as generation needs it.

    Raises TokenizerError for rows that do not fit, and where padding is needed and there is no `pad_id`.
    """
    _check_side(side, "padding_side")
    lengths = [len(row) for row in rows]
    longest = max(lengths, default=0)
    if padding not in (True, False, "longest", "max_length"):
        raise TokenizerError(
            f'encode_batch: padding is True or "longest", "max_length", or False, not {padding!r}'
        )
    if padding == "max_length":
        if max_length is None:
            raise TokenizerError('encode_batch: padding="max_length" needs max_length')
        width = checked_count(max_length, "max_length", "encode_batch")
        if longest > width:
            raise TokenizerError(
                f"encode_batch: text {lengths.index(longest)} has {longest} tokens, more than max_length={width}; "
                "truncation=True cuts it"
            )
    else:
        width = longest
    if min(lengths, default=width) < width:
        if padding is False:
            raise TokenizerError(
                f"encode_batch: the texts have {min(lengths)} to {longest} tokens, and an array has rows of one "
                "length; padding=True fills them up"
            )
        if pad_id is None:
            raise TokenizerError(
                "encode_batch: padding is needed, and this tokenizer has no padding token; pass pad_id=..., or set "
                "tokenizer.pad_token to one of its special tokens"
            )
    ids = np.full((len(rows), width), 0 if pad_id is None else pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=bool)
    for row, length, ids_row, mask_row in zip(rows, lengths, ids, mask, strict=True):
        place = slice(0, length) if side == "right" else slice(width - length, width)
        ids_row[place] = row
        mask_row[place] = True
    return Encoding(ids, mask)


def _check_side(side: Any, name: str) -> None:
    if side not in ("left", "right"):
        raise TokenizerError(f'encode_batch: {name} is "left" or "right", not {side!r}')
