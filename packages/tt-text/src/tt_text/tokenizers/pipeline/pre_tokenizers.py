"""Pre-tokenizers: text cut into words, that no token crosses.

    Split, Digits, Punctuation, Whitespace, WhitespaceSplit, CharDelimiterSplit, BertPreTokenizer, FixedLength
        cut at what they find, and keep it or not
    ByteLevel    GPT-2's pattern, then every word as bytes in GPT-2's alphabet
    Metaspace    ▁ for the space, one in front

What is found is kept as a word (Isolated), with its neighbours of the same kind (Contiguous), joined to the word before
it or after it (MergedWithPrevious, MergedWithNext), or left out (Removed).

Source: the `tokenizers` library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import regex  # type: ignore[import-untyped]

from tt_text.errors import TokenizerError
from tt_text.tokenizers.byte_alphabet import written
from tt_text.tokenizers.pipeline.parts import character, flag, pattern_of, refused, text_of
from tt_text.tokenizers.split_patterns import GPT2

__all__ = ["pre_tokenizer", "scheme_of"]

NAME = "pre_tokenizer"
SPACE = "▁"
WORDS = regex.compile(
    r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]+|[^\s\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]+"
)
WHITE, DIGIT, DIGITS = regex.compile(r"\s"), regex.compile(r"\p{N}"), regex.compile(r"\p{N}+")
SIGN = regex.compile(r"[\p{P}$+<=>^`|~]")
GPT2_WORDS = regex.compile(GPT2)

Cut = Callable[[str, bool], list[str]]
"""Text, and whether it is where the whole text begins, to words."""


def pre_tokenizer(parts: Sequence[dict[str, Any]], where: Any) -> Cut:
    """How the parts cut text, one after the other. Raises TokenizerError that names what is not supported."""
    cuts = [_cut(part, where) for part in parts]
    for part in parts[1:]:
        if part["type"] == "Metaspace" and scheme_of(part, NAME, where) == "first":
            raise TokenizerError(
                f"{where}: pre_tokenizer Metaspace with prepend_scheme='first' after another one is not supported"
            )

    def words(text: str, first: bool) -> list[str]:
        pieces = [text] if text else []
        for cut in cuts:
            pieces = [word for piece in pieces for word in cut(piece, first) if word]
        return pieces

    return words


def scheme_of(part: dict[str, Any], name: str, where: Any) -> str:
    """Where a Metaspace puts its ▁ in front. Old files say so with add_prefix_space."""
    scheme = part.get("prepend_scheme")
    if scheme is None:
        scheme = "always" if flag(part, "add_prefix_space", True, name, where) else "never"
    elif part.get("add_prefix_space") is False and scheme != "never":
        raise TokenizerError(
            f"{where}: {name} Metaspace has add_prefix_space=false and prepend_scheme={scheme!r}"
        )
    if scheme not in ("always", "first", "never"):
        raise TokenizerError(f"{where}: {name} Metaspace with prepend_scheme={scheme!r} is not known")
    return str(scheme)


def _cut(part: dict[str, Any], where: Any) -> Cut:
    kind = part["type"]
    if kind == "ByteLevel":
        space = flag(part, "add_prefix_space", True, NAME, where)
        return partial(_byte_level, space, flag(part, "use_regex", True, NAME, where))
    if kind == "Metaspace":
        sign = character(part, "replacement", NAME, where, SPACE)
        split = flag(part, "split", True, NAME, where)
        return partial(_metaspace, sign, scheme_of(part, NAME, where), split)
    if kind == "Split":
        behavior = text_of(part, "behavior", NAME, where)
        invert = flag(part, "invert", False, NAME, where)
        return _split(pattern_of(part, NAME, where), behavior, invert, part, where)
    if kind == "Digits":
        alone = flag(part, "individual_digits", False, NAME, where)
        return _split(DIGIT if alone else DIGITS, "Isolated", False, part, where)
    if kind == "Punctuation":
        return _split(SIGN, text_of(part, "behavior", NAME, where, "Isolated"), False, part, where)
    if kind == "Whitespace":
        return _split(WORDS, "Removed", True, part, where)
    if kind == "WhitespaceSplit":
        return _split(WHITE, "Removed", False, part, where)
    if kind == "CharDelimiterSplit":
        sign = character(part, "delimiter", NAME, where)
        return _split(regex.compile(regex.escape(sign)), "Removed", False, part, where)
    if kind == "BertPreTokenizer":
        spaces = _split(WHITE, "Removed", False, part, where)
        signs = _split(SIGN, "Isolated", False, part, where)
        return lambda text, first: [word for piece in spaces(text, first) for word in signs(piece, first)]
    if kind == "FixedLength":
        length = part.get("length")
        if type(length) is not int or length < 1:
            raise refused(NAME, part, where)
        return lambda text, _: [text[at : at + length] for at in range(0, len(text), length)]
    raise refused(NAME, part, where)


def _byte_level(space: bool, split: bool, text: str, first: bool) -> list[str]:
    if space and not text.startswith(" "):
        text = " " + text
    return [written(word.encode("utf-8")) for word in (GPT2_WORDS.findall(text) if split else [text])]


def _metaspace(sign: str, scheme: str, split: bool, text: str, first: bool) -> list[str]:
    text = text.replace(" ", sign)
    if not text.startswith(sign) and (scheme == "always" or (scheme == "first" and first)):
        text = sign + text
    return _pieces(text, regex.compile(regex.escape(sign)), False, _with_next) if split else [text]


# --- cutting at what is found -----------------------------------------------------------------------------------

Spans = list[tuple[int, int, bool]]
"""Where each piece begins and ends, and whether it was found."""


def _split(pattern: regex.Pattern[str], behavior: str, invert: bool, part: dict[str, Any], where: Any) -> Cut:
    # "mergedWithNext" in files of the library's first versions
    merge = BEHAVIORS.get(behavior[:1].upper() + behavior[1:])
    if merge is None:
        raise refused(NAME, part, where)
    return lambda text, _: _pieces(text, pattern, invert, merge)


def _pieces(
    text: str, pattern: regex.Pattern[str], invert: bool, merge: Callable[[Spans], Iterable[tuple[int, ...]]]
) -> list[str]:
    spans: Spans = []
    end = 0
    for found in pattern.finditer(text):
        start, stop = found.span()
        if start == stop == end and spans:
            continue  # Oniguruma finds nothing at the end of what it found
        if start > end:
            spans.append((end, start, invert))
        spans.append((start, stop, not invert))
        end = stop
    if end < len(text):
        spans.append((end, len(text), invert))
    return [text[span[0] : span[1]] for span in merge(spans)]


def _isolated(spans: Spans) -> Iterable[tuple[int, ...]]:
    return spans


def _removed(spans: Spans) -> Iterable[tuple[int, ...]]:
    return [span for span in spans if not span[2]]


def _contiguous(spans: Spans) -> Iterable[tuple[int, ...]]:
    made: list[tuple[int, ...]] = []
    before = False
    for start, end, found in spans:
        if made and found == before:
            made[-1] = (made[-1][0], end)
        else:
            made.append((start, end))
        before = found
    return made


def _with_previous(spans: Spans) -> Iterable[tuple[int, ...]]:
    made: list[tuple[int, ...]] = []
    before = False
    for start, end, found in spans:
        if made and found and not before:
            made[-1] = (made[-1][0], end)
        else:
            made.append((start, end))
        before = found
    return made


def _with_next(spans: Spans) -> Iterable[tuple[int, ...]]:
    made: list[tuple[int, ...]] = []
    before = False
    for start, end, found in reversed(spans):
        if made and found and not before:
            made[-1] = (start, made[-1][1])
        else:
            made.append((start, end))
        before = found
    return reversed(made)


BEHAVIORS: dict[str, Callable[[Spans], Iterable[tuple[int, ...]]]] = {
    "Isolated": _isolated,
    "Removed": _removed,
    "Contiguous": _contiguous,
    "MergedWithPrevious": _with_previous,
    "MergedWithNext": _with_next,
}
