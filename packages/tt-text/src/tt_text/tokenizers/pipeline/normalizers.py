"""Normalizers: text to text, before anything is cut.

    NFC, NFD, NFKC, NFKD    Unicode's forms
    Lowercase               each letter by itself
    Strip, StripAccents     white space at the ends; marks
    Prepend, Replace        text in front; a string, or what a pattern finds
    BertNormalizer          controls, ideographs, accents, capitals
    ByteLevel               the bytes of UTF-8 in GPT-2's alphabet

Source: the `tokenizers` library.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from tt_text.tokenizers.byte_alphabet import written
from tt_text.tokenizers.pipeline.parts import flag, pattern_of, refused, text_of
from tt_text.tokenizers.special_tokens import WHITE

__all__ = ["moves_the_start", "normalizer"]

FORMS = ("NFC", "NFD", "NFKC", "NFKD")

IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip

Change = Callable[[str], str]


def normalizer(parts: Iterable[dict[str, Any]], where: Any) -> Change | None:
    """What the parts do to text, one after the other; None where there are none.

    Raises TokenizerError that names what is not supported.
    """
    changes = [_change(part, where) for part in parts]
    if not changes:
        return None

    def all_of(text: str) -> str:
        for change in changes:
            text = change(text)
        return text

    return changes[0] if len(changes) == 1 else all_of


def moves_the_start(part: dict[str, Any]) -> bool:
    """Whether a normalizer may take away a text's first character, so that what is first then was not before."""
    if part["type"] == "Replace":
        pattern = part.get("pattern")
        old = pattern.get("String") if isinstance(pattern, dict) else None
        return not (isinstance(old, str) and len(old) == 1 and part.get("content"))
    return part["type"] in ("Strip", "StripAccents", "BertNormalizer")


def _change(part: dict[str, Any], where: Any) -> Change:
    kind = part["type"]
    if kind in FORMS:
        return partial(unicodedata.normalize, kind)
    if kind == "Lowercase":
        return _lower
    if kind == "StripAccents":
        return _without_marks
    if kind == "Strip":
        left, right = (flag(part, key, True, "normalizer", where) for key in ("strip_left", "strip_right"))
        return partial(_strip, left, right)
    if kind == "Prepend":
        return partial(_prepend, text_of(part, "prepend", "normalizer", where))
    if kind == "Replace":
        pattern = pattern_of(part, "normalizer", where)
        content = text_of(part, "content", "normalizer", where)
        if "String" in part["pattern"]:
            return partial(_replace, part["pattern"]["String"], content)
        return lambda text: pattern.sub(lambda _: content, text)
    if kind == "ByteLevel":
        return _bytes
    if kind == "BertNormalizer":
        clean, ideographs, lower = (
            flag(part, key, True, "normalizer", where)
            for key in ("clean_text", "handle_chinese_chars", "lowercase")
        )
        accents = flag(part, "strip_accents", lower, "normalizer", where)
        return partial(_bert, clean, ideographs, accents, lower)
    raise refused("normalizer", part, where)


def _lower(text: str) -> str:
    # One by one: str.lower() ends a word with another sigma.
    return "".join(map(str.lower, text))


def _without_marks(text: str) -> str:
    return "".join([one for one in text if unicodedata.category(one)[0] != "M"])


def _strip(left: bool, right: bool, text: str) -> str:
    text = text.lstrip(WHITE) if left else text
    return text.rstrip(WHITE) if right else text


def _prepend(front: str, text: str) -> str:
    return front + text if text else text


def _replace(old: str, new: str, text: str) -> str:
    return text.replace(old, new)


def _bytes(text: str) -> str:
    return written(text.encode("utf-8"))


def _bert(clean: bool, ideographs: bool, accents: bool, lower: bool, text: str) -> str:
    if clean:
        kept = [one for one in text if one not in "\0\ufffd" and not _is_control(one)]
        text = "".join([" " if one in WHITE else one for one in kept])
    if ideographs:
        text = "".join([f" {one} " if _is_ideograph(ord(one)) else one for one in text])
    if accents:
        text = "".join(
            [one for one in unicodedata.normalize("NFD", text) if unicodedata.category(one) != "Mn"]
        )
    return _lower(text) if lower else text


def _is_control(one: str) -> bool:
    return one not in "\t\n\r" and unicodedata.category(one)[0] == "C"


def _is_ideograph(code: int) -> bool:
    return any(first <= code <= last for first, last in IDEOGRAPHS)
