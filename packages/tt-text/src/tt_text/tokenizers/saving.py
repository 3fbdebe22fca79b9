"""Tokenizers in files of their own: JSON with the kind, what makes it up, and a digest over both.

{"format": "tt_text.tokenizer", "version": 1, "kind": "char", "state": {…}, "added": […], "roles": {…}, "sha256": "…"}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.json_files import digest, read_json, write_json
from tt_text.tokenizers.special_tokens import AddedToken
from tt_text.tokenizers.tokenizer import Tokenizer

__all__ = ["FORMAT", "added_from", "load", "made", "save"]

FORMAT, VERSION = "tt_text.tokenizer", 1
ROLES = ("bos_token", "eos_token", "pad_token", "unk_token")


def save(tokenizer: Tokenizer, path: str | PathLike[str]) -> None:
    """Write `tokenizer` to a file of this format."""
    if _kinds().get(tokenizer.kind) is not type(tokenizer):
        raise TokenizerError(
            f"save: {type(tokenizer).__name__} is none of the kinds that can be read back: "
            f"{', '.join(sorted(_kinds()))}"
        )
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "kind": tokenizer.kind,
        "state": tokenizer._state(),
        "added": [asdict(token) for token in tokenizer.added.by_id.values()],
        "roles": {
            **{role: getattr(tokenizer, role) for role in ROLES},
            "prefix": [tokenizer.id_to_token(one) for one in tokenizer.prefix_ids],
            "suffix": [tokenizer.id_to_token(one) for one in tokenizer.suffix_ids],
        },
    }
    document["sha256"] = digest(document)
    write_json(path, document)


def load(path: str | PathLike[str]) -> Tokenizer:
    """The tokenizer in a file that `save` wrote. Raises TokenizerError."""
    return made(read_json(path), path)


def made(document: dict[str, Any], where: Any) -> Tokenizer:
    """The tokenizer of a JSON object of this format."""
    if document.get("format") != FORMAT:
        raise TokenizerError(
            f"{where} is no file that Tokenizer.save wrote (its format is {document.get('format')!r}); "
            "load_tokenizer reads those of others"
        )
    if document.get("version") != VERSION:
        raise TokenizerError(
            f"{where} has version {document.get('version')!r} of the format, and this tt_text reads version {VERSION}"
        )
    said = document.pop("sha256", None)
    if said != digest(document):
        raise TokenizerError(
            f"{where}: the contents do not match their digest, so the file was damaged or edited after it was written"
        )
    name, state, roles = (document.get(key) for key in ("kind", "state", "roles"))
    kind = _kinds().get(name) if isinstance(name, str) else None
    if kind is None:
        raise TokenizerError(f"{where}: kind is {name!r}, and there are {', '.join(sorted(_kinds()))}")
    if not isinstance(state, dict) or not isinstance(roles, dict):
        raise TokenizerError(f"{where}: state and roles are objects")
    if unknown := roles.keys() - {*ROLES, "prefix", "suffix"}:
        raise TokenizerError(f"{where}: unknown roles {sorted(unknown)}")
    return kind._from_state(state, {"added": added_from(document.get("added"), where), **roles})


def added_from(entries: Any, where: Any) -> list[AddedToken]:
    """Added tokens from a list of JSON objects."""
    if not isinstance(entries, list):
        raise TokenizerError(f"{where}: added tokens are a list, not {type(entries).__name__}")
    found = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise TokenizerError(f"{where}: an added token is an object, not {type(entry).__name__}")
        content, flags = entry.get("content"), [entry.get(flag, flag == "special") for flag in FLAGS]
        if not isinstance(content, str) or any(type(flag) is not bool for flag in flags):
            raise TokenizerError(
                f"{where}: an added token has content (a string) and {', '.join(FLAGS)} (true or false)"
            )
        found.append(AddedToken(content, entry.get("id"), *flags))  # type: ignore[arg-type]
    return found


FLAGS = ("special", "lstrip", "rstrip", "normalized", "single_word")


def _kinds() -> Mapping[str, type[Tokenizer]]:
    from tt_text.tokenizers.bpe_tokenizer import BPETokenizer
    from tt_text.tokenizers.byte_tokenizer import ByteTokenizer
    from tt_text.tokenizers.char_tokenizer import CharTokenizer
    from tt_text.tokenizers.metaspace_tokenizer import MetaspaceBPETokenizer
    from tt_text.tokenizers.pipeline_tokenizer import PipelineTokenizer

    kinds = (CharTokenizer, ByteTokenizer, BPETokenizer, MetaspaceBPETokenizer, PipelineTokenizer)
    return {kind.kind: kind for kind in kinds}
