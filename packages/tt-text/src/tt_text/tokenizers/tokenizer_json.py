"""Hugging Face's tokenizer.json, read as what it is: the plain kinds of BPE as the quick classes for them.

    BPETokenizer             normalizer none or a Unicode form; Split, Digits and, at the end, ByteLevel
    MetaspaceBPETokenizer    Llama's: ▁ by Metaspace or by Prepend and Replace
    PipelineTokenizer        all others: see tt_text.tokenizers.pipeline for its parts

    post_processor    ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing: what stands around one text
    padding           its token; truncation, and how far to fill up, are arguments of `encode_batch`, as transformers
                      sets them aside, too

What is not supported is refused by a TokenizerError that names it: a tokenizer that is nearly right is wrong.

Source: the `tokenizers` library.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any
from unicodedata import is_normalized

from tt_text.errors import TokenizerError
from tt_text.tokenizers.bpe_tokenizer import NORMALIZATIONS, BPETokenizer
from tt_text.tokenizers.byte_alphabet import bytes_of
from tt_text.tokenizers.gpt2_files import merge_names, merges_from, vocab_from
from tt_text.tokenizers.json_files import read_json
from tt_text.tokenizers.metaspace_tokenizer import BYTE, SPACE, MetaspaceBPETokenizer
from tt_text.tokenizers.oniguruma import from_ruby
from tt_text.tokenizers.pipeline.parts import flat
from tt_text.tokenizers.pipeline.pre_tokenizers import scheme_of
from tt_text.tokenizers.pipeline_tokenizer import PipelineTokenizer
from tt_text.tokenizers.post_processing import around
from tt_text.tokenizers.saving import added_from
from tt_text.tokenizers.special_tokens import AddedToken
from tt_text.tokenizers.split_patterns import DIGITS, GPT2, SINGLE_DIGITS, covers

__all__ = ["from_document", "read_tokenizer_json"]

Found = BPETokenizer | MetaspaceBPETokenizer | PipelineTokenizer


class _OtherKindError(Exception):
    """A tokenizer.json is not of the quick kind that was tried."""


def read_tokenizer_json(path: str | PathLike[str]) -> Found:
    """The tokenizer in a tokenizer.json. Raises TokenizerError."""
    return from_document(read_json(path), path)


def from_document(document: Mapping[str, Any], where: Any, quick: bool = True) -> Found:
    """The tokenizer of the JSON object of a tokenizer.json; a PipelineTokenizer if it shall not be a `quick` one."""
    names = ("normalizer", "pre_tokenizer", "decoder", "post_processor")
    parts = {name: flat(document.get(name), name, where) for name in names}
    model = document.get("model")
    if not isinstance(model, dict):
        raise TokenizerError(f"{where} has no model; it is no tokenizer.json")
    unk = model.get("unk_token")
    if not isinstance(unk, str | None):
        raise TokenizerError(f"{where}: model.unk_token is a string or null, not {unk!r}")
    added = added_from(document.get("added_tokens") or [], where)
    special = {token.content for token in added if token.special}
    roles = {
        **around(parts["post_processor"], {token.content: token.id for token in added}, where),
        "unk_token": unk if unk in special else None,
    }
    padding = document.get("padding")
    if isinstance(padding, dict) and padding.get("pad_token") in special:
        roles["pad_token"] = padding["pad_token"]
    _check_ids(model.get("vocab"), added, where)
    kinds = {part["type"] for part in (*parts["pre_tokenizer"], *parts["decoder"])}
    build = _byte_level if "ByteLevel" in kinds else _metaspace
    try:
        if (
            quick
            and model.get("type", "BPE") == "BPE"
            and not any(
                model.get(name) for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix")
            )
        ):
            return build(parts, model, added, roles, where)
    except _OtherKindError:
        pass
    rest = {name: document.get(name) for name in ("normalizer", "pre_tokenizer", "decoder")}
    return PipelineTokenizer(**rest, model=model, where=where, added=added, **roles)


def _check_ids(entries: Any, added: list[AddedToken], where: Any) -> None:
    """Refuse added tokens that have another id than in the vocabulary."""
    for token in added if isinstance(entries, dict) else ():
        if entries.get(token.content, token.id) != token.id:
            raise TokenizerError(
                f"{where}: {token.content!r} has id {token.id} among added_tokens, and {entries[token.content]!r} in "
                "the vocabulary"
            )


# --- byte-level -------------------------------------------------------------------------------------------------


def _byte_level(
    parts: dict[str, list[Any]], model: dict[str, Any], added: list[AddedToken], roles: Any, where: Any
) -> BPETokenizer:
    normalization = None
    for part in parts["normalizer"]:
        if part["type"] not in NORMALIZATIONS or normalization:
            raise _OtherKindError
        normalization = part["type"]
    patterns: list[str] = []
    prefix_space = written = False
    for part in parts["pre_tokenizer"]:
        if written:  # it sees Â½ for ½, and Ġ for a space
            raise _OtherKindError
        if part["type"] == "ByteLevel":
            written = True
            if part.get("add_prefix_space", True):
                if patterns:
                    raise _OtherKindError
                prefix_space = True
            if part.get("use_regex", True):
                patterns.append(GPT2)
        elif part["type"] == "Split":
            patterns.append(_split_pattern(part, where))
        elif part["type"] == "Digits":
            patterns.append(SINGLE_DIGITS if part.get("individual_digits") else DIGITS)
        else:
            raise _OtherKindError
    if not written or [part["type"] for part in parts["decoder"]] != ["ByteLevel"]:
        raise _OtherKindError
    names = merge_names(model.get("merges"), where)
    entries = model.get("vocab")
    if not isinstance(entries, dict):
        raise TokenizerError(f"{where}: model.vocab is an object of tokens and ids")
    used = {name for left, right in names for name in (left, right, left + right)}
    own = _without_added(entries, added, used)
    # Names that are not of bytes; added tokens that the library's decoder takes for bytes, or has in another form.
    if any(not name or bytes_of(name) is None for name in own) or any(
        bytes_of(token.content) not in (None, token.content.encode("utf-8"))
        or (token.normalized and normalization and not is_normalized(normalization, token.content))
        for token in added
    ):
        raise _OtherKindError
    vocab = vocab_from(own, where)
    if any(bytes([byte]) not in vocab for byte in range(256)) and (
        roles["unk_token"] is None or model.get("fuse_unk") or model.get("byte_fallback")
    ):
        raise _OtherKindError
    return BPETokenizer(
        vocab,
        merges_from([list(pair) for pair in names], where),
        pattern=patterns,
        added=added,
        add_prefix_space=prefix_space,
        normalization=normalization,
        ignore_merges=bool(model.get("ignore_merges")),
        **roles,
    )


def _split_pattern(part: dict[str, Any], where: Any) -> str:
    pattern, behavior, inverted = part.get("pattern"), part.get("behavior"), part.get("invert")
    if not isinstance(pattern, dict) or not isinstance(pattern.get("Regex"), str):
        raise _OtherKindError
    if (behavior, bool(inverted)) not in (("Isolated", False), ("Removed", True)):
        raise _OtherKindError
    found = from_ruby(pattern["Regex"], where)
    if behavior == "Removed" and not covers(found, where):
        raise _OtherKindError
    return found


def _without_added(entries: dict[str, Any], added: list[AddedToken], used: set[str]) -> dict[str, Any]:
    """The vocabulary without added tokens; but one that is a byte, or part of a merge, is an ordinary token too."""
    rest = dict(entries)
    for token in added:
        if token.content not in rest:
            continue
        ordinary = token.content in used or (len(token.content) == 1 and bytes_of(token.content))
        if not ordinary or token.content.encode() != bytes_of(token.content):
            del rest[token.content]
    return rest


# --- ▁ ----------------------------------------------------------------------------------------------------------


def _metaspace(
    parts: dict[str, list[Any]], model: dict[str, Any], added: list[AddedToken], roles: Any, where: Any
) -> MetaspaceBPETokenizer:
    prefix, split, replaced = "never", False, False
    for part in parts["normalizer"]:
        if part["type"] == "Prepend" and part.get("prepend") == SPACE and not replaced:
            prefix = "prepend"
        elif part["type"] == "Replace" and (part.get("pattern"), part.get("content")) == (
            {"String": " "},
            SPACE,
        ):
            replaced = True
        else:
            raise _OtherKindError
    for part in parts["pre_tokenizer"]:
        if replaced and _finds_nothing(part):
            continue
        if (
            part["type"] != "Metaspace"
            or replaced
            or prefix != "never"
            or part.get("replacement", SPACE) != SPACE
        ):
            raise _OtherKindError
        prefix, split, replaced = scheme_of(part, "pre_tokenizer", where), part.get("split", True), True
    strip, strip_token = _strips(parts["decoder"], where)
    entries, unk = model.get("vocab"), model.get("unk_token")
    if not isinstance(entries, dict) or any(type(number) is not int for number in entries.values()):
        raise TokenizerError(f"{where}: model.vocab is an object of tokens and ids, which are integers")
    all_bytes = bool(model.get("byte_fallback")) and all(f"<0x{byte:02X}>" in entries for byte in range(256))
    bytes_decoded = any(part["type"] == "ByteFallback" for part in parts["decoder"])
    if (
        not replaced
        or model.get("ignore_merges")
        or (unk not in entries and not all_bytes)  # else nothing is unknown
        or type(split) is not bool
        or (bytes_decoded != bool(model.get("byte_fallback")) and any(map(BYTE.fullmatch, entries)))
    ):
        raise _OtherKindError
    return MetaspaceBPETokenizer(
        entries,
        merge_names(model.get("merges"), where),
        prefix_space=prefix,
        split=split,
        byte_fallback=bool(model.get("byte_fallback")),
        unknown=unk if unk in entries else None,
        fuse_unk=bool(model.get("fuse_unk")),
        strip=strip,
        strip_token=strip_token,
        added=added,
        **roles,
    )


def _finds_nothing(part: dict[str, Any]) -> bool:
    """Whether a pre_tokenizer looks for spaces (Gemma), of which a normalizer left none."""
    return (part["type"], part.get("pattern"), part.get("invert")) == ("Split", {"String": " "}, False)


def _strips(decoder: list[dict[str, Any]], where: Any) -> tuple[bool, bool]:
    """Whether the decoder drops the first space; or those of the first token."""
    kinds = [part["type"] for part in decoder]
    if kinds == ["Metaspace"]:
        if decoder[0].get("replacement", SPACE) != SPACE:
            raise _OtherKindError
        return False, scheme_of(decoder[0], "decoder", where) != "never"
    if [kind for kind in kinds if kind != "ByteFallback"] not in (
        ["Replace", "Fuse"],
        ["Replace", "Fuse", "Strip"],
    ) or kinds[1:].count("ByteFallback") != kinds.index("Fuse") - 1:
        raise _OtherKindError
    if (decoder[0].get("pattern"), decoder[0].get("content")) != ({"String": SPACE}, " "):
        raise _OtherKindError
    if kinds[-1] != "Strip":
        return False, False
    if [decoder[-1].get(key) for key in ("content", "start", "stop")] != [" ", 1, 0]:
        raise _OtherKindError
    return True, False
