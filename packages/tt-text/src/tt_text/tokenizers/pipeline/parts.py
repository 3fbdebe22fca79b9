"""What the parts of a tokenizer.json have in common: how each is described, and how it is refused."""

from __future__ import annotations

from typing import Any

import regex  # type: ignore[import-untyped]

from tt_text.errors import TokenizerError
from tt_text.tokenizers.arguments import checked_text
from tt_text.tokenizers.oniguruma import from_ruby
from tt_text.tokenizers.split_patterns import compiled

__all__ = ["character", "flag", "flat", "pattern_of", "refused", "text_of"]

DEEP = 16
"""Levels of Sequences in Sequences."""

INSIDE = {
    "normalizer": "normalizers",
    "pre_tokenizer": "pretokenizers",
    "post_processor": "processors",
    "decoder": "decoders",
}


def flat(part: Any, name: str, where: Any, depth: int = 0) -> list[dict[str, Any]]:
    """The parts of a Sequence, of Sequences in it too; of one part, itself; of null, none."""
    if part is None:
        return []
    if depth > DEEP:
        raise TokenizerError(f"{where}: {name} has Sequences in Sequences, more than {DEEP} deep")
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        raise TokenizerError(f"{where}: {name} is an object with a type, or null, not {str(part)[:80]!r}")
    if part["type"] != "Sequence":
        return [part]
    found = part.get(INSIDE[name])
    if not isinstance(found, list):
        raise TokenizerError(f"{where}: {name} is a Sequence without parts")
    return [one for each in found for one in flat(each, name, where, depth + 1)]


def refused(name: str, part: dict[str, Any], where: Any) -> TokenizerError:
    """The error for a part that is not known, or has a setting that is not."""
    return TokenizerError(f"{where}: the {name} {part['type']!r} is not supported here ({str(part)[:120]})")


def flag(part: dict[str, Any], key: str, default: bool, name: str, where: Any) -> bool:
    """A setting that is true or false; null is the default."""
    value = part.get(key)
    if value is None:
        return default
    if type(value) is not bool:
        raise TokenizerError(
            f"{where}: {key} of the {name} {part['type']} is true or false, not {str(value)[:80]!r}"
        )
    return value


def text_of(part: dict[str, Any], key: str, name: str, where: Any, default: str | None = None) -> str:
    """A setting that is text."""
    value = part.get(key, default)
    if not isinstance(value, str):
        raise TokenizerError(f"{where}: {key} of the {name} {part['type']} is text, not {str(value)[:80]!r}")
    return checked_text(value, f"{where}: {key} of the {name} {part['type']}")


def character(part: dict[str, Any], key: str, name: str, where: Any, default: str | None = None) -> str:
    """A setting that is one character."""
    value = text_of(part, key, name, where, default)
    if len(value) != 1:
        raise TokenizerError(
            f"{where}: {key} of the {name} {part['type']} is one character, not {value[:80]!r}"
        )
    return value


def pattern_of(part: dict[str, Any], name: str, where: Any) -> regex.Pattern[str]:
    """A pattern {"String": …}, which is taken letter by letter, or {"Regex": …}, in Ruby's syntax."""
    given = part.get("pattern")
    if isinstance(given, dict) and len(given) == 1:
        if isinstance(text := given.get("String"), str) and text:
            return compiled(regex.escape(text), where)
        if isinstance(given.get("Regex"), str):
            return compiled(from_ruby(given["Regex"], where), where)
    raise TokenizerError(
        f"{where}: the pattern of the {name} {part['type']} has a String that is not empty, or a Regex; it is "
        f"{str(given)[:80]!r}"
    )
