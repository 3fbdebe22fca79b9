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


def load_tokenizer(path: str | PathLike[str]) -> Tokenizer:
    """The tokenizer in a folder, or in a file.

    A folder: its tokenizer.json (Hugging Face's or this package's), else vocab.json and merges.txt or encoder.json and
    vocab.bpe (GPT-2's), else tokenizer.bin (llama2.c's). Where there is a tokenizer_config.json, it says which special
    tokens are BOS, EOS, padding and unknown.

    A file: a tokenizer.json, one that `Tokenizer.save` wrote, or one of llama2.c's.

    Raises TokenizerError that says what is missing, damaged, or not supported.
    """
    where = Path(path)
    if not where.is_dir():
        return _of_file(where)
    if (where / "tokenizer.json").is_file():
        found = _of_file(where / "tokenizer.json")
    elif any((where / vocab).is_file() and (where / merges).is_file() for vocab, merges in NAMES):
        found = BPETokenizer.from_gpt2(where)
    elif (where / "tokenizer.bin").is_file():
        found = _of_file(where / "tokenizer.bin")
    else:
        raise TokenizerError(
            f"{where} has no tokenizer: neither tokenizer.json, nor vocab.json and merges.txt (encoder.json and "
            "vocab.bpe), nor tokenizer.bin"
        )
    if (where / CONFIG).is_file():
        _give_roles(found, read_json(where / CONFIG), where / CONFIG)
    return found


def _of_file(where: Path) -> Tokenizer:
    data = read_bytes(where)
    if data.lstrip()[:1] != b"{":
        return Llama2cTokenizer.from_file(where)
    document = parse_json(data, where)
    return made(document, where) if document.get("format") == FORMAT else from_document(document, where)


def _give_roles(tokenizer: Tokenizer, config: dict[str, Any], where: Path) -> None:
    for role in ROLES:
        given = config.get(role)
        if isinstance(given, dict):  # a token with its flags
            given = given.get("content")
        if given is None:
            continue
        if not isinstance(given, str):
            raise TokenizerError(f"{where}: {role} is a string, not {given!r}")
        if given in tokenizer.added.special:  # configurations name tokens that a vocabulary need not have
            setattr(tokenizer, role, given)
