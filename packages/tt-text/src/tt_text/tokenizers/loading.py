"""Any tokenizer, from the folder of a model or from one file, whoever wrote it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.bpe_tokenizer import BPETokenizer
from tt_text.tokenizers.gpt2_files import NAMES
from tt_text.tokenizers.json_files import parse_json, read_bytes, read_json
from tt_text.tokenizers.llama2c_tokenizer import Llama2cTokenizer
from tt_text.tokenizers.saving import FORMAT, made
from tt_text.tokenizers.tokenizer import Tokenizer
from tt_text.tokenizers.tokenizer_json import from_document

__all__ = ["load_tokenizer"]

CONFIG = "tokenizer_config.json"
ROLES = ("bos_token", "eos_token", "pad_token", "unk_token")
GPT2_CLASSES = ("GPT2Tokenizer", "GPT2TokenizerFast")


def load_tokenizer(path: str | PathLike[str]) -> Tokenizer:
    """The tokenizer in a folder, or in a file.

    A folder: its tokenizer.json (Hugging Face's or this package's), else vocab.json and merges.txt or encoder.json and
    vocab.bpe (GPT-2's), else tokenizer.bin (llama2.c's). Where there is a tokenizer_config.json, it says which special
    tokens are BOS, EOS, padding and unknown; add_bos_token and add_eos_token count beside GPT-2's two files only, as a
    tokenizer.json says itself what stands around a text.

    A file: a tokenizer.json, one that `Tokenizer.save` wrote, or one of llama2.c's.

    Raises TokenizerError that says what is missing, damaged, or not supported.
    """
    where = Path(path)
    if not where.is_dir():
        return _of_file(where)
    config = read_json(where / CONFIG) if (where / CONFIG).is_file() else {}
    if (where / "tokenizer.json").is_file():
        found = _of_file(where / "tokenizer.json")
    elif any((where / vocab).is_file() and (where / merges).is_file() for vocab, merges in NAMES):
        found = _of_two_files(where, config)
    elif (where / "tokenizer.bin").is_file():
        found = _of_file(where / "tokenizer.bin")
    else:
        raise TokenizerError(
            f"{where} has no tokenizer: neither tokenizer.json, nor vocab.json and merges.txt (encoder.json and "
            "vocab.bpe), nor tokenizer.bin"
        )
    _give_roles(found, config, where / CONFIG)
    return found


def _of_file(where: Path) -> Tokenizer:
    data = read_bytes(where)
    if data.lstrip()[:1] != b"{":
        return Llama2cTokenizer.from_file(where)
    document = parse_json(data, where)
    return made(document, where) if document.get("format") == FORMAT else from_document(document, where)


def _of_two_files(where: Path, config: dict[str, Any]) -> BPETokenizer:
    """GPT-2's vocabulary and merges. Others have such files too, with another pattern, which is in neither."""
    kind = config.get("tokenizer_class") or GPT2_CLASSES[0]
    if kind not in GPT2_CLASSES:
        raise TokenizerError(
            f"{where / CONFIG}: a vocabulary and merges do not say how a {kind} cuts text, or what it puts around it; "
            "its tokenizer.json does"
        )
    roles = {role: _content(config, role, where / CONFIG) for role in ROLES}
    special = dict.fromkeys(["<|endoftext|>", *filter(None, roles.values())])
    found = BPETokenizer.from_gpt2(
        where, special_tokens=special, add_prefix_space=bool(config.get("add_prefix_space"))
    )
    around: list[list[str]] = [[], []]
    for side, role in zip(around, ROLES, strict=False):
        if config.get(f"add_{role}"):
            token = roles[role] or getattr(found, role)
            if token not in found.added.special:
                raise TokenizerError(
                    f"{where / CONFIG}: add_{role} puts {token!r} around every text, and it is not in the vocabulary"
                )
            side.append(token)
    found.put_around(*around)
    return found


def _content(config: dict[str, Any], role: str, where: Path) -> str | None:
    """The special token that a configuration names for a role."""
    given = config.get(role)
    if isinstance(given, dict):  # a token with its flags
        given = given.get("content")
    if not isinstance(given, str | None):
        raise TokenizerError(f"{where}: {role} is a string, not {given!r}")
    return given


def _give_roles(tokenizer: Tokenizer, config: dict[str, Any], where: Path) -> None:
    for role in ROLES:
        given = _content(config, role, where)
        if given in tokenizer.added.special:  # configurations name tokens that a vocabulary need not have
            setattr(tokenizer, role, given)
