"""Random texts of every kind that a tokenizer meets: for the tokenizer_*.py benchmarks. Needs no package of ours."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

EMOJI = "😀😂🥲🤖🦄🍕🚀❤️✨👍🏽👩‍💻👨‍👩‍👧‍👦🇫🇷🏳️‍🌈☕️1️⃣🧑🏿‍🚒"
SPACES = (
    " ",
    "  ",
    "\n",
    "\t",
    "\r\n",
    "\u00a0",
    "\u3000",
    "\u2028",
    "\u0085",
    "\x0b",
    "\x1c",
    "\u200b",
    "\ufeff",
)
# fmt: off
WORDS = ("the", "don't", "I'll", "we're", "it's", "O'RLY", "naïve", "Straße", "привет", "世界", "नमस्ते", "مرحبا", "שלום",
         "ไทย", "한국어", "ひらがな", "x²", "½", "٣٤", "2024", "3.14159", "e\u0301", "ﬁ", "<|endoftext|>",
         "<s>")
CODE = ("def f(x):\n    return x ** 2\n", "for (int i = 0; i < n; ++i) {\n\t\ta[i] += b[i];\n}",
        "<div class='a'>&nbsp;</div>",
        "if __name__ == '__main__':", "SELECT * FROM t WHERE id != 3;", "\\frac{1}{2}", "https://example.org/?q=a+b%20c",
        "::std::vector<std::pair<int,int>>", "#!/bin/sh\n", "== != <= >= -> => ||", '{"a": [1, 2.5e-3, null]}',
        "\0\x01\x7f")
# fmt: on
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
PLANES = (
    (0, 0x80),
    (0x80, 0x800),
    (0x800, 0xD800),
    (0xE000, 0x10000),
    (0x10000, 0x20000),
    (0x20000, 0x110000),
)


def scalar(chance: random.Random) -> str:
    """Any Unicode scalar value; each length of UTF-8 is as likely."""
    return chr(chance.randrange(*chance.choice(PLANES)))


def random_text(chance: random.Random, corpus: str = "") -> str:
    """One text."""
    match chance.randrange(8):
        case 0:
            return "".join(scalar(chance) for _ in range(chance.randrange(40)))
        case 1:
            return "".join(
                chance.choice(CODE) + chance.choice(SPACES) * chance.randrange(4)
                for _ in range(chance.randrange(1, 5))
            )
        case 2:
            return "".join(
                chance.choice(EMOJI) + chance.choice(("", " ", "a")) for _ in range(chance.randrange(20))
            )
        case 3:
            return "".join(
                chance.choice(SPACES) * chance.randrange(1, 6) + chance.choice(("", "a", "1", "!"))
                for _ in range(chance.randrange(12))
            )
        case 4:
            return "".join(
                chance.choice(WORDS) + chance.choice(("", " ", "  ", "\n", ", "))
                for _ in range(chance.randrange(15))
            )
        case 5:
            return "".join(chance.choices(LETTERS, k=chance.randrange(1, 400)))
        case 6 if corpus:
            start = chance.randrange(len(corpus))
            return corpus[start : start + chance.randrange(1, 200)]
        case 6:
            return chance.choice(LETTERS) * chance.randrange(1, 400)
        case _:
            return "".join(
                chance.choice(
                    (scalar(chance), chance.choice(SPACES), chance.choice(WORDS), chance.choice("'.-09"))
                )
                for _ in range(chance.randrange(30))
            )


def texts(count: int, seed: int = 0, corpus: str = "") -> Iterator[str]:
    """`count` texts; the same for one seed."""
    chance = random.Random(seed)
    for _ in range(count):
        yield random_text(chance, corpus)


def scalars() -> str:
    """All 1,112,064 Unicode scalar values, in order."""
    return "".join(map(chr, (*range(0xD800), *range(0xE000, sys.maxunicode + 1))))
