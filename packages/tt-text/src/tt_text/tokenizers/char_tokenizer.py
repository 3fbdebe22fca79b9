"""One token for each character of an alphabet: the simplest tokenizer, and nanoGPT's for tiny Shakespeare.

encode("abc") = [index of a, index of b, index of c] in the sorted alphabet
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.added_by_name import numbered
from tt_text.tokenizers.arguments import TokenizerTypeError, checked_text
from tt_text.tokenizers.special_tokens import AddedToken
from tt_text.tokenizers.tokenizer import Tokenizer

__all__ = ["CharTokenizer"]


class CharTokenizer(Tokenizer):
    """Characters (Unicode code points) as tokens; the i-th of `alphabet` has id i, special tokens come after.

    >>> tokenizer = CharTokenizer.from_text("hello")
    >>> tokenizer.encode("hole"), tokenizer.decode([1, 0, 2, 3])
    ([1, 3, 2, 0], 'helo')

    Args:
        alphabet: distinct characters, in the order of their ids.
        special_tokens: names of special tokens, or a mapping of names to ids.
        unk_token: a special token that stands for every character outside of the alphabet; it is added if it is not
            among `special_tokens`. None: such a character raises.
        added, bos_token, eos_token, pad_token, prefix, suffix: see Tokenizer.

    Raises TokenizerError for a character that comes twice, or is none.
    """

    kind = "char"

    def __init__(
        self,
        alphabet: Iterable[str],
        *,
        special_tokens: Any = (),
        unk_token: str | None = None,
        added: Iterable[AddedToken] = (),
        **roles: Any,
    ) -> None:
        if not isinstance(alphabet, Iterable):
            raise TokenizerTypeError(
                f"CharTokenizer: alphabet is text or a list of characters, not {alphabet!r}"
            )
        characters = list(alphabet)
        index: dict[str, int] = {}
        for at, character in enumerate(characters):
            if len(checked_text(character, "CharTokenizer")) != 1:
                raise TokenizerError(f"CharTokenizer: {character!r} in the alphabet is not one character")
            if character in index:
                raise TokenizerError(f"CharTokenizer: {character!r} is twice in the alphabet")
            index[character] = at
        added = [*added, *numbered(special_tokens, len(characters))]
        if unk_token is not None and all(token.content != unk_token for token in added):
            free = max([len(characters) - 1, *(token.id for token in added)]) + 1
            added.append(AddedToken(unk_token, free))
        for token in added:
            if token.id in range(len(characters)):
                raise TokenizerError(
                    f"CharTokenizer: {token.content!r} has id {token.id}, the one of {characters[token.id]!r}"
                )
        self._index = index
        super().__init__(
            ((at, character, character.encode("utf-8")) for character, at in index.items()),
            added,
            unk_token=unk_token,
            **roles,
        )

    @classmethod
    def from_text(cls, text: str | Iterable[str], **options: Any) -> CharTokenizer:
        """The tokenizer of the characters that `text` (or several texts) has, sorted by code point."""
        texts = [text] if isinstance(text, str) else text
        if not isinstance(texts, Iterable):
            raise TokenizerTypeError(f"CharTokenizer.from_text: expected text, not {text!r}")
        found: set[str] = set()
        for one in texts:
            found.update(checked_text(one, "CharTokenizer.from_text"))
        return cls(sorted(found), **options)

    @property
    def alphabet(self) -> str:
        """The characters, in the order of their ids."""
        return "".join(self._index)

    def token_to_id(self, token: str) -> int:
        """The id of a character, or of a special token. Raises TokenizerError if there is none."""
        found = self._index.get(token) if isinstance(token, str) else None
        return super().token_to_id(token) if found is None else found

    def _ordinary(self, text: str, first: bool) -> list[int]:
        try:
            return list(map(self._index.__getitem__, text))
        except KeyError as error:
            if (unknown := self.unk_id) is not None:
                return [self._index.get(character, unknown) for character in text]
            character = error.args[0]
            raise TokenizerError(
                f"encode: {character!r} (U+{ord(character):04X}, at index {text.index(character)}) is not among the "
                f"{len(self._index)} characters of this tokenizer; make it from text that has it, or give it "
                'unk_token="<unk>"'
            ) from None

    def _state(self) -> dict[str, Any]:
        return {"alphabet": self.alphabet}

    @classmethod
    def _from_state(cls, state: Mapping[str, Any], rest: Mapping[str, Any]) -> CharTokenizer:
        alphabet = state.get("alphabet")
        if not isinstance(alphabet, str):
            raise TokenizerError(f"CharTokenizer: alphabet is a string, not {alphabet!r}")
        return cls(alphabet, **rest)
