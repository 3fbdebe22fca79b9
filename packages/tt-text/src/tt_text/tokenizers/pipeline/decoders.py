"""Decoders: the names of tokens to the text that they stand for.

    ByteLevel       GPT-2's alphabet to bytes
    ByteFallback    <0xE2> <0x82> <0xAC> to the character of these bytes
    Metaspace       ▁ to a space; those of the first token are left out
    Replace, Strip  in each token; Fuse makes all tokens one
    WordPiece       ## is no space; BPEDecoder: </w> is one

Bytes that are no UTF-8 are kept here as Python keeps those of file names (surrogateescape), or marked by U+FFFD as the
library has it: for a run of <0x…> one for each byte.

Source: the `tokenizers` library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from typing import Any

from tt_text.errors import TokenizerError
from tt_text.tokenizers.byte_alphabet import bytes_of
from tt_text.tokenizers.pipeline.parts import character, flag, pattern_of, refused, text_of
from tt_text.tokenizers.pipeline.pre_tokenizers import SPACE, scheme_of

__all__ = ["decoder"]

NAME = "decoder"
BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
CONTRACTIONS = (
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
    (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
)  # fmt: skip

Step = Callable[[list[str], bool], list[str]]
"""Tokens, and whether bytes that are no UTF-8 are marked, to tokens."""


def decoder(parts: Iterable[dict[str, Any]], where: Any) -> Callable[[list[str], bool], str]:
    """What the parts make of the names of tokens. Raises TokenizerError that names what is not supported."""
    steps = [_step(part, where) for part in parts]

    def text(names: list[str], marked: bool) -> str:
        if not steps:
            return " ".join(names)
        for step in steps:
            names = step(names, marked)
        return "".join(names)

    return text


def _step(part: dict[str, Any], where: Any) -> Step:
    kind = part["type"]
    if kind == "ByteLevel":
        return _byte_level
    if kind == "ByteFallback":
        return _byte_fallback
    if kind == "Fuse":
        return lambda names, _: ["".join(names)]
    if kind == "Metaspace":
        sign = character(part, "replacement", NAME, where, SPACE)
        return partial(_metaspace, sign, scheme_of(part, NAME, where) != "never")
    if kind == "Replace":
        pattern, content = pattern_of(part, NAME, where), text_of(part, "content", NAME, where)
        return lambda names, _: [pattern.sub(lambda _: content, name) for name in names]
    if kind == "Strip":
        sign = character(part, "content", NAME, where)
        start, stop = part.get("start", 0), part.get("stop", 0)
        if any(type(one) is not int or one < 0 for one in (start, stop)):
            raise refused(NAME, part, where)
        return lambda names, _: [_stripped(name, sign, start, stop) for name in names]
    if kind == "WordPiece":
        prefix, cleanup = text_of(part, "prefix", NAME, where), flag(part, "cleanup", True, NAME, where)
        return partial(_word_piece, prefix, cleanup)
    if kind == "BPEDecoder":
        suffix = text_of(part, "suffix", NAME, where)
        if not suffix:
            raise TokenizerError(f"{where}: the decoder BPEDecoder has an empty suffix")
        return partial(_suffixes, suffix)
    raise refused(NAME, part, where)


def _text(data: bytes, marked: bool) -> str:
    return data.decode("utf-8", "replace" if marked else "surrogateescape")


def _byte_level(names: list[str], marked: bool) -> list[str]:
    data = []
    for name in names:
        spelled = bytes_of(name)
        # A token with other characters stands for itself.
        data.append(name.encode("utf-8", "surrogateescape") if spelled is None else spelled)
    return [_text(b"".join(data), marked)]


def _byte_fallback(names: list[str], marked: bool) -> list[str]:
    made: list[str] = []
    for spelled, run in groupby(names, lambda name: BYTE.fullmatch(name) is not None):
        if not spelled:
            made += run
            continue
        data = bytes([int(name[3:5], 16) for name in run])
        try:
            made.append(data.decode("utf-8"))
        except UnicodeDecodeError:
            made += ["\ufffd"] * len(data) if marked else [_text(data, False)]
    return made


def _metaspace(sign: str, strip: bool, names: list[str], marked: bool) -> list[str]:
    return [name.replace(sign, "" if strip and not at else " ") for at, name in enumerate(names)]


def _stripped(name: str, sign: str, start: int, stop: int) -> str:
    front = len(name) - len(name.lstrip(sign))
    back = len(name) - len(name.rstrip(sign))
    return name[min(front, start) : max(len(name) - min(back, stop), 0)]


def _word_piece(prefix: str, cleanup: bool, names: list[str], marked: bool) -> list[str]:
    made = []
    for at, name in enumerate(names):
        if at:
            inside = bool(prefix) and name.startswith(prefix)
            name = name[len(prefix) :] if inside else f" {name}"
        if cleanup:
            for old, new in CONTRACTIONS:
                name = name.replace(old, new)
        made.append(name)
    return made


def _suffixes(suffix: str, names: list[str], marked: bool) -> list[str]:
    last = len(names) - 1
    return [name.replace(suffix, " " if at < last else "") for at, name in enumerate(names)]
