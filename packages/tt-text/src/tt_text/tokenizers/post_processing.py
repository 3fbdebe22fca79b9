"""What a tokenizer.json's post_processor puts around one text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.pipeline.parts import refused

__all__ = ["around"]


def around(parts: list[dict[str, Any]], ids: Mapping[str, int], where: Any) -> dict[str, Any]:
    """Special tokens before and after one text: "prefix" and "suffix". `ids`: those of the added tokens.

    Raises TokenizerError for what is not supported, and for tokens that are not among the added ones.
    """
    prefix: list[str] = []
    suffix: list[str] = []
    for part in parts:
        if part["type"] == "ByteLevel":  # it changes offsets only
            continue
        if part["type"] in ("RobertaProcessing", "BertProcessing"):
            before, after = ([_name(part.get(key), ids, where)] for key in ("cls", "sep"))
        elif part["type"] == "TemplateProcessing":
            before, after = _template(part, ids, where)
        else:
            raise refused("post_processor", part, where)
        if prefix or suffix:
            # The library's second template replaces part of what the first one added.
            raise TokenizerError(
                f"{where}: post_processor has two parts that add special tokens, which is not supported; the second "
                f"is {part['type']}"
            )
        prefix, suffix = before, after
    return {"prefix": prefix, "suffix": suffix}


def _template(part: dict[str, Any], ids: Mapping[str, int], where: Any) -> tuple[list[str], list[str]]:
    single, specials = part.get("single"), part.get("special_tokens")
    sides: tuple[list[str], list[str]] = [], []
    texts = 0
    for item in single if isinstance(single, list) else [None]:
        if isinstance(item, dict) and isinstance(item.get("Sequence"), dict):
            texts += 1
        elif isinstance(item, dict) and isinstance(item.get("SpecialToken"), dict):
            name = item["SpecialToken"].get("id")
            entry = specials.get(name) if isinstance(specials, dict) and isinstance(name, str) else None
            numbers = entry.get("ids") if isinstance(entry, dict) else None
            if not isinstance(numbers, list) or len(numbers) != 1:
                raise TokenizerError(f"{where}: post_processor names {name!r}, which is no one special token")
            sides[texts > 0].append(_name([name, numbers[0]], ids, where))
        else:
            raise TokenizerError(f"{where}: post_processor.single is a list of SpecialToken and Sequence")
    if texts != 1:
        raise TokenizerError(f"{where}: post_processor.single has the text {texts} times")
    return sides


def _name(entry: Any, ids: Mapping[str, int], where: Any) -> str:
    if (
        not isinstance(entry, list)
        or len(entry) != 2
        or not isinstance(entry[0], str)
        or ids.get(entry[0]) != entry[1]
    ):
        raise TokenizerError(f"{where}: post_processor names {entry!r}, which is not among added_tokens")
    return entry[0]
