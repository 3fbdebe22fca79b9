"""Patterns as the `tokenizers` library reads them, by Oniguruma in Ruby's syntax; the regex module has Perl's.

    Ruby       Perl            what it is
    ^, $       (?m:^), (?m:$)  where a line begins, and ends
    \\A, \\Z     ^, $            where the text begins, and ends (maybe before a last newline)
    \\z         \\Z             where it ends
    X{1,3}+    X+              "1 to 3, once or more"; in Perl's syntax: 1 to 3, and none is given back
    (?>X{2,3}) X{2,3}+         2 to 3, and none is given back
    \\w         \\w              letters, marks, digits, connectors; Ruby's has ² ³ ¹ ¼ ½ ¾, too (but not inside of
                               [...]), Perl's the two joiners

What else has two meanings is refused. Both know X?+, X*+ and X++, which give nothing back.
"""

from __future__ import annotations

import re
from typing import Any

from tt_text.errors import TokenizerError

__all__ = ["from_ruby", "to_ruby"]

PARTS = re.compile(
    r"""\(\?m:[\^$]\)                                                     # a line's begin or end, in Perl's syntax
    | \(\?[a-z]*-?[a-z]*[:)]                                              # options
    | \\(?:[pPxu]\{[^}]*\}|.)                                             # an escape
    | \[\^?\]?(?:\[:\^?\w+:\]|\\(?:[pPxu]\{[^}]*\}|.)|[^\]\\])*\]         # a class of characters
    | \{(?:\d+,?\d*|,\d+)\}[+?]?                                          # how often
    | .""",
    re.VERBOSE | re.DOTALL,
)
PLAIN_CLASS = re.compile(r"\[\^?(?:\[:\^?\w+:\]|\\(?:[pPxu]\{[^}]*\}|.)|(?!&&)[^\[\]\\])*\]", re.DOTALL)
ELEMENT = r"(?:\[:\^?\w+:\]|\\(?:[pPxu]\{[^}]*\}|.)|(?!&&)[^\[\]\\])"
INNER_CLASS = re.compile(rf"\[(?!:)((?!\^){ELEMENT}+)\]", re.DOTALL)
"""A class that may stand in another: what it has is then among what that has."""

NESTED_CLASS = re.compile(
    rf"(?<!\\)\[(\^?)((?:{ELEMENT})*(?:\[(?!\^|:){ELEMENT}+\](?:{ELEMENT})*)+)\]", re.DOTALL
)
ONCE_OR_MORE = re.compile(r"\{([01]?),\d*\}\+")
LINES = {"^": "(?m:^)", "$": "(?m:$)", r"\Z": "$", r"\z": r"\Z"}
PERLS = {"(?m:^)": "^", "(?m:$)": "$", "$": r"\Z", "^": r"\A", r"\Z": r"\z"}
OTHERS = {rf"\{letter}" for letter in "hHKGNOXyYRgkbB"}
OTHERS_INSIDE = re.compile(r"\\[hHRW]|\[:\^?(?:digit|alnum|word|punct|xdigit):\]")
WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}"
RUBYS_WORD, PERLS_WORD = (rf"{WORD}²³¹¼½¾", WORD), (rf"{WORD}\u200c\u200d",) * 2
"""The characters of \\w by itself, and of one in a class."""

ESCAPE = re.compile(r"\\.", re.DOTALL)


def from_ruby(pattern: str, where: Any) -> str:
    """The same pattern in Perl's syntax. Raises TokenizerError that names the part that cannot be."""
    parts = []
    for part in PARTS.findall(NESTED_CLASS.sub(_flat, pattern)):
        often = ONCE_OR_MORE.fullmatch(part)
        if often:
            part = "+" if often[1] == "1" else "*"
        elif (
            part in OTHERS
            or (part[0] == "{" and part[-1] in "+?" and (part[-1] == "+" or "," not in part))
            or (part.startswith("(?") and "m" in part)
            or _is_other_class(part)
        ):
            raise TokenizerError(f"{where}: {part!r} in the pattern {pattern[:200]!r} is not supported")
        parts.append(LINES.get(part) or _with_words(part, RUBYS_WORD))
    return "".join(parts)


def _flat(found: re.Match[str]) -> str:
    """A class with classes in it, as one; where a hyphen would then make a range, as it is."""
    if any(hyphen in found[2] for hyphen in ("-[", "]-", "[-", "-]")):
        return found[0]
    return "[" + found[1] + INNER_CLASS.sub(lambda inner: inner[1], found[2]) + "]"


def to_ruby(pattern: str) -> str:
    """The same pattern in Ruby's syntax. Raises TokenizerError that names the part that cannot be."""
    parts: list[str] = []
    begins: list[int] = []  # of groups that are open
    last = 0  # where the part that a quantifier belongs to begins
    for part in PARTS.findall(pattern):
        if part[0] == "{" and part[-1] == "+":
            parts[last:] = ["(?>", *parts[last:], part[:-1], ")"]
            continue
        if (
            part in OTHERS
            or (part[0] == "{" and part[-1] == "?" and "," not in part)
            or (part not in PERLS and re.match(r"\(\?[a-z]*[ms]", part))
            or _is_other_class(part)
        ):
            raise TokenizerError(
                f"save_tokenizer_json: {part!r} in the pattern {pattern[:200]!r} is nothing that a tokenizer.json can "
                "say; save() keeps it"
            )
        if part == ")":
            last = begins.pop() if begins else 0
        elif part[0] != "{":
            last = len(parts)
        if part[0] == "(" and part[-1] != ")":
            begins.append(len(parts))
        parts.append(PERLS.get(part) or _with_words(part, PERLS_WORD))
    return "".join(parts)


def _is_other_class(part: str) -> bool:
    """A class of characters that has classes in it, or what else is another one elsewhere."""
    return part[0] == "[" and not (PLAIN_CLASS.fullmatch(part) and not OTHERS_INSIDE.search(part))


def _with_words(part: str, words: tuple[str, str]) -> str:
    """A part with the characters of \\w spelled out."""
    alone, inside = words
    if part == r"\w":
        return f"[{alone}]"
    if part == r"\W":
        return f"[^{alone}]"
    return (
        ESCAPE.sub(lambda found: inside if found[0] == r"\w" else found[0], part) if part[0] == "[" else part
    )
