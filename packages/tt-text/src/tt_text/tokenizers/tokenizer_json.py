"""Hugging Face's tokenizer.json, of the BPE kind: which of its parts are supported, and what they come to.

    normalizer       none, NFC, NFD, NFKC, NFKD; for ▁: Prepend, Replace " " by ▁
    pre_tokenizer    Split (Isolated, or Removed where nothing is), Digits, and ByteLevel at the end; for ▁: Metaspace,
                     or none
    model            BPE without dropout, prefix, suffix; with byte_fallback, fuse_unk, ignore_merges
    post_processor   ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing: what stands around one text
    decoder          ByteLevel; for ▁: Metaspace, Replace, ByteFallback, Fuse, Strip
    added_tokens     all but single_word

What transformers sets aside, truncation and padding, is so here too: they are arguments of `encode_batch`.
What is not supported is refused by a TokenizerError that names it: a tokenizer that is nearly right is wrong.

Source: the `tokenizers` library.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.bpe_tokenizer import NORMALIZATIONS, BPETokenizer
from tt_text.tokenizers.byte_alphabet import bytes_of
from tt_text.tokenizers.gpt2_files import merge_names, merges_from, vocab_from
from tt_text.tokenizers.json_files import read_json
from tt_text.tokenizers.metaspace_tokenizer import BYTE, PREFIXES, SPACE, MetaspaceBPETokenizer
from tt_text.tokenizers.oniguruma import from_ruby
from tt_text.tokenizers.saving import added_from
from tt_text.tokenizers.special_tokens import AddedToken
from tt_text.tokenizers.split_patterns import DIGITS, GPT2, SINGLE_DIGITS, covers

__all__ = ["from_document", "read_tokenizer_json"]

DEEP = 16
"""Levels of Sequences in Sequences."""


def read_tokenizer_json(path: str | PathLike[str]) -> BPETokenizer | MetaspaceBPETokenizer:
    """The tokenizer in a tokenizer.json. Raises TokenizerError."""
    return from_document(read_json(path), path)


def from_document(document: Mapping[str, Any], where: Any) -> BPETokenizer | MetaspaceBPETokenizer:
    """The tokenizer of the JSON object of a tokenizer.json."""
    parts = {
        name: _flat(document.get(name), name, "decoders" if name == "decoder" else f"{name}s", where)
        for name in ("normalizer", "pre_tokenizer", "decoder")
    }
    parts["post_processor"] = _flat(document.get("post_processor"), "post_processor", "processors", where)
    model = document.get("model")
    if not isinstance(model, dict):
        raise TokenizerError(f"{where} has no model; it is no tokenizer.json")
    # Old files leave the type out.
    if model.get("type", "BPE") != "BPE":
        raise TokenizerError(
            f"{where}: the model is {model['type']!r}; of the kinds of tokenizer.json only BPE is supported"
        )
    if model.get("dropout"):
        raise TokenizerError(f"{where}: model.dropout={model['dropout']!r} is not supported")
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise TokenizerError(f"{where}: model.{name}={model[name]!r} is not supported")
    unk = model.get("unk_token")
    if not isinstance(unk, str | None):
        raise TokenizerError(f"{where}: model.unk_token is a string or null, not {unk!r}")
    added = _added(document.get("added_tokens") or [], bool(parts["normalizer"]), where)
    around = _around(parts["post_processor"], {token.content: token.id for token in added}, where)
    special = {token.content for token in added if token.special}
    roles = {**around, "unk_token": unk if unk in special else None}
    kinds = {part["type"] for part in (*parts["pre_tokenizer"], *parts["decoder"])}
    build = _byte_level if "ByteLevel" in kinds else _metaspace
    return build(parts, model, added, roles, where)


# --- byte-level -------------------------------------------------------------------------------------------------


def _byte_level(
    parts: dict[str, list[Any]], model: dict[str, Any], added: list[AddedToken], roles: Any, where: Any
) -> BPETokenizer:
    normalization = None
    for part in parts["normalizer"]:
        if part["type"] not in NORMALIZATIONS or normalization:
            raise _refused("normalizer", part, where)
        normalization = part["type"]
    patterns: list[str] = []
    prefix_space = written = False
    for part in parts["pre_tokenizer"]:
        if written:
            # It would see Â½ for ½, and Ġ for a space.
            raise TokenizerError(
                f"{where}: a pre_tokenizer ({part['type']}) after ByteLevel is not supported"
            )
        if part["type"] == "ByteLevel":
            written = True
            if part.get("add_prefix_space", True):
                if patterns:
                    raise TokenizerError(
                        f"{where}: pre_tokenizer ByteLevel with add_prefix_space after another one is not supported"
                    )
                prefix_space = True
            if part.get("use_regex", True):
                patterns.append(GPT2)
        elif part["type"] == "Split":
            patterns.append(_split_pattern(part, where))
        elif part["type"] == "Digits":
            patterns.append(SINGLE_DIGITS if part.get("individual_digits") else DIGITS)
        else:
            raise _refused("pre_tokenizer", part, where)
    if all(part["type"] != "ByteLevel" for part in parts["pre_tokenizer"]):
        raise TokenizerError(f"{where}: the decoder is ByteLevel, and the pre_tokenizer is not")
    for part in parts["decoder"]:
        if part["type"] != "ByteLevel":
            raise _refused("decoder", part, where)
    if model.get("byte_fallback"):
        raise TokenizerError(f"{where}: model.byte_fallback with ByteLevel is not supported")
    names = merge_names(model.get("merges"), where)
    entries = model.get("vocab")
    if not isinstance(entries, dict):
        raise TokenizerError(f"{where}: model.vocab is an object of tokens and ids")
    used = {name for left, right in names for name in (left, right, left + right)}
    own = _without_added(entries, added, used, where)
    unk = model.get("unk_token")
    if unk is not None and roles["unk_token"] is None and unk in entries:
        raise TokenizerError(
            f"{where}: model.unk_token={unk!r} that is no special token among added_tokens is not supported"
        )
    vocab = vocab_from(own, where)
    if model.get("fuse_unk") and unk is not None and any(bytes([byte]) not in vocab for byte in range(256)):
        raise TokenizerError(
            f"{where}: model.fuse_unk with ByteLevel is not supported where bytes are no tokens"
        )
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
        raise TokenizerError(
            f"{where}: pre_tokenizer Split is supported with pattern.Regex, not {str(pattern)[:80]!r}"
        )
    if (behavior, bool(inverted)) not in (("Isolated", False), ("Removed", True)):
        raise TokenizerError(
            f"{where}: pre_tokenizer Split with behavior={behavior!r}, invert={inverted!r} is not supported"
        )
    found = from_ruby(pattern["Regex"], where)
    if behavior == "Removed" and not covers(found, where):
        raise TokenizerError(
            f"{where}: pre_tokenizer Split removes what {found[:200]!r} does not match, which is not supported"
        )
    return found


def _without_added(
    entries: dict[str, Any], added: list[AddedToken], used: set[str], where: Any
) -> dict[str, Any]:
    """The vocabulary without added tokens; but one that is a byte, or part of a merge, is an ordinary token too."""
    rest = dict(entries)
    for token in added:
        if token.content not in rest:
            continue
        if rest[token.content] != token.id:
            raise TokenizerError(
                f"{where}: {token.content!r} has id {token.id} among added_tokens, and {rest[token.content]!r} in the "
                "vocabulary"
            )
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
            raise _refused("normalizer", part, where)
    for part in parts["pre_tokenizer"]:
        if (
            part["type"] != "Metaspace"
            or replaced
            or prefix != "never"
            or part.get("replacement", SPACE) != SPACE
        ):
            raise _refused("pre_tokenizer", part, where)
        prefix, split, replaced = _scheme("pre_tokenizer", part, where), bool(part.get("split", True)), True
    if not replaced:
        raise TokenizerError(
            f"{where}: BPE is supported with the pre_tokenizer ByteLevel, with Metaspace, or with a normalizer that "
            f"replaces spaces by {SPACE}; here the normalizer is {[p['type'] for p in parts['normalizer']]} and the "
            f"pre_tokenizer {[p['type'] for p in parts['pre_tokenizer']]}"
        )
    strip = _strips(parts["decoder"], where)
    if model.get("ignore_merges"):
        raise TokenizerError(f"{where}: model.ignore_merges with {SPACE} is not supported")
    entries, unk = model.get("vocab"), model.get("unk_token")
    if not isinstance(entries, dict) or any(type(number) is not int for number in entries.values()):
        raise TokenizerError(f"{where}: model.vocab is an object of tokens and ids, which are integers")
    _check_bytes(model, entries, parts["decoder"], where)
    for token in added:
        if entries.get(token.content, token.id) != token.id:
            raise TokenizerError(
                f"{where}: {token.content!r} has id {token.id} among added_tokens, and {entries[token.content]} in "
                "the vocabulary"
            )
    return MetaspaceBPETokenizer(
        entries,
        merge_names(model.get("merges"), where),
        prefix_space=prefix,
        split=split,
        byte_fallback=bool(model.get("byte_fallback")),
        unknown=unk,
        fuse_unk=bool(model.get("fuse_unk")),
        strip=strip,
        added=added,
        **roles,
    )


def _scheme(name: str, part: dict[str, Any], where: Any) -> str:
    """Where a Metaspace puts its ▁ in front. Old files say so with add_prefix_space."""
    scheme = part.get("prepend_scheme", "always" if part.get("add_prefix_space", True) else "never")
    if scheme not in PREFIXES[1:]:
        raise TokenizerError(f"{where}: {name} Metaspace with prepend_scheme={scheme!r} is not known")
    return str(scheme)


def _strips(decoder: list[Any], where: Any) -> bool:
    """Whether the decoder drops the first space."""
    kinds = [part["type"] for part in decoder]
    strip = False
    for at, part in enumerate(decoder):
        kind = part["type"]
        if kind == "Metaspace":
            # It need not be of one mind with the pre_tokenizer.
            if part.get("replacement", SPACE) != SPACE:
                raise _refused("decoder", part, where)
            strip = _scheme("decoder", part, where) != "never"
        elif kind == "Strip":
            # Before tokens are fused, it would strip each of them.
            if (part.get("content"), part.get("start"), part.get("stop")) != (" ", 1, 0) or (
                "Fuse" not in kinds[:at]
            ):
                raise TokenizerError(f"{where}: the decoder {part} is not supported")
            strip = True
        elif kind == "Replace":
            if (part.get("pattern"), part.get("content")) != ({"String": SPACE}, " "):
                raise _refused("decoder", part, where)
        elif kind not in ("ByteFallback", "Fuse"):
            raise _refused("decoder", part, where)
    if decoder and not {"Metaspace", "Replace"} & {*kinds}:
        raise TokenizerError(f"{where}: the decoder {kinds} leaves {SPACE} as it is, which is not supported")
    return strip


def _check_bytes(model: dict[str, Any], entries: dict[str, Any], decoder: list[Any], where: Any) -> None:
    """Refuse a decoder that takes <0x41> for what the model does not."""
    there = any(part["type"] == "ByteFallback" for part in decoder)
    told = bool(model.get("byte_fallback"))
    if decoder and there != told and any(map(BYTE.fullmatch, entries)):
        raise TokenizerError(
            f"{where}: model.byte_fallback={told}, but the decoder has {'a' if there else 'no'} ByteFallback; tokens "
            "as <0x41> would be bytes in one and text in the other, which is not supported"
        )


# --- both -------------------------------------------------------------------------------------------------------


def _flat(part: Any, name: str, inside: str, where: Any, depth: int = 0) -> list[Any]:
    """The parts of a Sequence, of Sequences in it too; of one part, itself."""
    if part is None:
        return []
    if depth > DEEP:
        raise TokenizerError(f"{where}: {name} has Sequences in Sequences, more than {DEEP} deep")
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        raise TokenizerError(f"{where}: {name} is an object with a type, or null, not {str(part)[:80]!r}")
    if part["type"] != "Sequence":
        return [part]
    # "normalizers", but "pretokenizers"
    found = part.get(inside.replace("_", ""))
    if not isinstance(found, list):
        raise TokenizerError(f"{where}: {name} is a Sequence without parts")
    return [one for each in found for one in _flat(each, name, inside, where, depth + 1)]


def _refused(name: str, part: dict[str, Any], where: Any) -> TokenizerError:
    return TokenizerError(f"{where}: the {name} {part['type']!r} is not supported here ({str(part)[:120]})")


def _added(entries: Any, normalized: bool, where: Any) -> list[AddedToken]:
    if not isinstance(entries, list):
        raise TokenizerError(f"{where}: added_tokens is a list, not {type(entries).__name__}")
    for entry in entries:
        if isinstance(entry, dict) and entry.get("single_word"):
            raise TokenizerError(
                f"{where}: the added token {entry.get('content')!r} with single_word is not supported"
            )
        if (
            isinstance(entry, dict)
            and entry.get("normalized")
            and normalized
            and _changes(entry.get("content"))
        ):
            raise TokenizerError(
                f"{where}: the added token {entry.get('content')!r} is looked for in normalized text (normalized: "
                "true), which is not supported beside a normalizer"
            )
    return added_from(entries, where)


def _changes(content: Any) -> bool:
    """Whether a normalizer could make a difference to where a token is found."""
    return not isinstance(content, str) or bool(content)


def _around(parts: list[Any], ids: Mapping[str, int], where: Any) -> dict[str, Any]:
    """Special tokens before and after one text."""
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
            raise _refused("post_processor", part, where)
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
