"""The parts that special tokens play: begin, end, padding, unknown; and which of them stand around a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.special_tokens import AddedTokens

__all__ = ["Roles"]


class _Role:
    """The text of the special token that plays a role, or None; set it to another special token, or to None."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.slot = name, f"_{name}"

    def __get__(self, instance: Any, owner: type | None = None) -> str | None:
        if instance is None:
            return self  # type: ignore[return-value]
        return getattr(instance, self.slot)

    def __set__(self, instance: Any, value: str | None) -> None:
        if value is not None and (not isinstance(value, str) or value not in instance.added.special):
            raise TokenizerError(
                f"{self.name}: {value!r} is no special token of this tokenizer; there are "
                f"{sorted(instance.added.special)}"
            )
        setattr(instance, self.slot, value)


class Roles:
    """Which special tokens begin, end and fill up a text, stand for the unknown, and are put around it."""

    added: AddedTokens
    bos_token = _Role()
    eos_token = _Role()
    pad_token = _Role()
    unk_token = _Role()

    def __init__(
        self,
        bos_token: str | None,
        eos_token: str | None,
        pad_token: str | None,
        unk_token: str | None,
        prefix: Sequence[str],
        suffix: Sequence[str],
    ) -> None:
        self.bos_token, self.eos_token = bos_token, eos_token
        self.pad_token, self.unk_token = pad_token, unk_token
        self.put_around(prefix, suffix)

    def put_around(self, prefix: Sequence[str], suffix: Sequence[str]) -> None:
        """From now on `encode` puts these special tokens before and after a text. Raises TokenizerError."""
        self._prefix, self._suffix = self._around(prefix, "prefix"), self._around(suffix, "suffix")

    def _around(self, tokens: Sequence[str], name: str) -> tuple[int, ...]:
        if isinstance(tokens, str) or not isinstance(tokens, Sequence):
            raise TokenizerError(f"{name} is a sequence of special tokens, not {tokens!r}")
        for token in tokens:
            if not isinstance(token, str) or token not in self.added.by_content:
                raise TokenizerError(
                    f"{name}: {token!r} is no special token of this tokenizer; there are {sorted(self.added.special)}"
                )
        return tuple(self.added.by_content[token].id for token in tokens)

    def _id(self, token: str | None) -> int | None:
        return None if token is None else self.added.special[token]

    @property
    def bos_id(self) -> int | None:
        """The id of the token that begins a text, or None."""
        return self._id(self.bos_token)

    @property
    def eos_id(self) -> int | None:
        """The id of the token that ends a text, or None."""
        return self._id(self.eos_token)

    @property
    def pad_id(self) -> int | None:
        """The id of the token that fills up a batch, or None."""
        return self._id(self.pad_token)

    @property
    def unk_id(self) -> int | None:
        """The id of the token that stands for what is unknown, or None."""
        return self._id(self.unk_token)

    @property
    def prefix_ids(self) -> tuple[int, ...]:
        """What `encode` puts before a text."""
        return self._prefix

    @property
    def suffix_ids(self) -> tuple[int, ...]:
        """What `encode` puts after a text."""
        return self._suffix
