"""Ways to damage a checkpoint, or to edit it and compute a new digest: for checkpoint_mutations.py.

Each takes a random generator, a whole file, and another whole file to take pieces from.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from collections.abc import Callable
from typing import Any

DTYPES = (
    "BOOL", "U8", "I8", "F8_E5M2", "I16", "U16", "F16", "BF16", "I32", "U32", "F32", "F64", "I64", "U64",
    "X9",
)  # fmt: skip
SPELLED = (
    "|b1", "|u1", "<i2", "<f2", "<i4", "<u4", "<f4", ">f4", "<f8", "<i8", "<c8", "<c16", "<M8[s]", "|O",
    "",
)  # fmt: skip
NUMBERS = (
    0, 1, 2, 7, 31, 32, 2**16, 10**8, 2**31 - 1, 2**31, 2**32, 2**40, 2**53, 2**63 - 1, 2**63, 2**64 - 1,
)  # fmt: skip
JUNK = (
    None, True, -1, 0, 1.5, "", "x", "\ud800", [], [[]], {}, {"$tuple": 1}, {"$tuple": []}, {"$dict": [[[], 1]]},
    {"$dict": [[1, 2], [1, 3]]}, {"$int": "1f"}, {"$int": "z"}, {"$int": "-0x" + "f" * 5000}, {"$float": "7ff"},
    {"$float": "7ff0000000000001"}, {"$str": "ff"}, {"$str": "eda080"}, {"$scalar": ["<f4", ""]},
    {"$scalar": ["<f4", "00000000"]}, {"$scalar": 3}, {"$array": []}, {"$array": ["a", "<f4", [2**40, 2**40]]},
    {"$array": ["a", "<f4", [0, 2**80]]}, {"$tensor": ["a", "<c8", [1]]}, {"$tensor": ["a", "<f4", [-1]]}, {"$": 0},
    [2**70], 10**400, {"$array": ["a", "<f4", [1] * 99]},
)  # fmt: skip

Mutation = Callable[[random.Random, bytes, bytes], bytes]


# --- damage: the digest stays what it was ---------------------------------------------------------------------


def flipped_bits(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    damaged = bytearray(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def truncated(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    return whole[
        : chance.choice(
            (chance.randrange(len(whole)), len(whole) - chance.randrange(1, 64), chance.randrange(64))
        )
    ]


def grown(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    return whole + chance.randbytes(chance.randrange(1, 100))


def spliced(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """A block of this file or another over, into, or out of a place in it."""
    source = chance.choice((whole, other))
    start = chance.randrange(len(source))
    block = source[start : start + chance.choice((1, 8, 64, 512, 4096))]
    to = chance.randrange(len(whole))
    match chance.randrange(3):
        case 0:
            return whole[:to] + block + whole[to + len(block) :]
        case 1:
            return whole[:to] + block + whole[to:]
        case _:
            return whole[:to] + whole[to + len(block) :]


def swapped_blocks(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    size = chance.choice((8, 64, 512))
    first, second = sorted(chance.randrange(0, max(1, len(whole) - size), 8) for _ in range(2))
    end = min(first + size, second)
    a, b = whole[first:end], whole[second : second + end - first]
    return whole[:first] + b + whole[first + len(b) : second] + a + whole[second + len(b) :]


def zeroed(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """A block that never reached the disk, as after a power cut."""
    start = chance.randrange(0, len(whole), 512)
    hole = whole[start : start + chance.choice((512, 4096))]
    return whole[:start] + bytes(len(hole)) + whole[start + len(hole) :]


def header_length(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    length = int.from_bytes(whole[:8], "little")
    claimed = chance.choice((*NUMBERS, length + chance.randrange(-64, 64), len(whole) - 8, len(whole) - 40))
    return (claimed % 2**64).to_bytes(8, "little") + whole[8:]


# --- edits of the header: by `damage` without, by `sealed` with a new digest ------------------------------------


def split(whole: bytes) -> tuple[str, bytes]:
    """The text of the header, and what follows it."""
    length = int.from_bytes(whole[:8], "little")
    return whole[8 : 8 + length].decode(), whole[8 + length :]


def joined(header: str, rest: bytes) -> bytes:
    """A file with another header, its length and the size it claims made right."""
    text = header.encode("utf-8", "surrogatepass").rstrip(b" ")
    text = text.ljust(-(-len(text) // 8) * 8)
    size = b'"tt.bytes":"%020d"' % (8 + len(text) + len(rest))
    text = re.sub(rb'"tt\.bytes":"\d{20}"', size, text, count=1)
    return len(text).to_bytes(8, "little") + text + rest


def replaced(chance: random.Random, whole: bytes, pattern: str, new: Callable[[re.Match[str]], str]) -> bytes:
    """With one of the places in the header that match `pattern` replaced."""
    header, rest = split(whole)
    found = chance.choice(list(re.finditer(pattern, header)))
    return joined(header[: found.start()] + new(found) + header[found.end() :], rest)


def table_dtype(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    return replaced(chance, whole, r'(?<="dtype":")\w+', lambda found: chance.choice(DTYPES))


def document_dtype(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    return replaced(chance, whole, r'(?<=\\")[<>|][a-z]\d+(?=\\")', lambda found: chance.choice(SPELLED))


def shape(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """Another shape in the table or in the document; often of the same number of elements."""

    def another(found: re.Match[str]) -> str:
        sizes = [int(size) for size in found[0].split(",") if size]
        choices = (
            [math.prod(sizes)],
            [*sizes, 1],
            sizes[::-1],
            sizes[1:],
            [chance.choice(NUMBERS) for _ in sizes],
            [*sizes, chance.choice(NUMBERS)],
            [0, *sizes],
            [-1],
        )
        return ",".join(map(str, chance.choice(choices)))

    return replaced(chance, whole, r'(?:(?<="shape":\[)|(?<=\\",\[))[\d,]*(?=\])', another)


def swapped_lengths(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """Two arrays in each other's place, or one begins or ends elsewhere."""
    header, rest = split(whole)
    places = list(re.finditer(r'(?<="data_offsets":\[)(\d+),(\d+)', header))
    if chance.random() < 0.6:
        first, second = sorted(chance.sample(places, 2), key=lambda found: found.start())
        between = header[first.end() : second.start()]
        return joined(header[: first.start()] + second[0] + between + first[0] + header[second.end() :], rest)
    found = chance.choice(places)
    start, end = int(found[1]), int(found[2])
    one = chance.choice((chance.choice(NUMBERS), start + 8, max(0, start - 8)))
    two = chance.choice((chance.choice(NUMBERS), end + 8, max(0, end - 8)))
    place = chance.choice((f"{one},{end}", f"{start},{two}", f"{one},{two}"))
    return joined(header[: found.start()] + place + header[found.end() :], rest)


def header_bytes(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """A few characters of the header changed, taken out or put in."""
    header, rest = split(whole)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(header))
        new = chance.choice(
            ('"', "\\", "{", "}", "[", "]", ",", ":", " ", "0", "9", "-", "$", "é", "\0", "e", "")
        )
        header = header[:at] + new + header[at + chance.randrange(2) :]
    return joined(header, rest)


def nodes(tree: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything in a JSON tree."""
    found = []
    for key in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        found += [(tree, key), *nodes(tree[key])]
    return found


def structure(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """A node of the document, or of the header, replaced by junk, taken out, doubled, or taken from another file."""
    header, rest = split(whole)
    tree = json.loads(header)
    inside = chance.random() < 0.7
    target = json.loads(tree["__metadata__"]["tt.document"]) if inside else tree
    container, key = chance.choice(nodes(target))
    match chance.randrange(4):
        case 0:
            container[key] = chance.choice(JUNK)
        case 1:
            del container[key]
        case 2 if isinstance(container, list):
            container.insert(key, container[key])
        case 2:
            container[f"{key}'"] = container[key]
        case _:
            theirs = json.loads(split(other)[0])
            theirs = json.loads(theirs["__metadata__"]["tt.document"]) if inside else theirs
            container[key] = (lambda there: there[0][there[1]])(chance.choice(nodes(theirs)))
    if inside:
        tree["__metadata__"]["tt.document"] = json.dumps(target, separators=(",", ":"))
    return joined(json.dumps(tree, separators=(",", ":")), rest)


def nested(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """A document, or a header, that is nested without end."""
    levels = chance.choice((65, 100, 1000, 100_000))
    left, right = chance.choice((("[", "]"), ('{\\"$tuple\\":', "}"), ('{\\"a\\":', "}")))
    text = left * levels + "1" + right * levels
    if chance.random() < 0.3:
        text = text.replace("\\", "")
        return replaced(chance, whole, r'(?<="shape":)\[[\d,]*\]', lambda found: text)
    return replaced(chance, whole, r"(?<=\\\"state\\\":)", lambda found: f"{text},")


def added_or_taken(chance: random.Random, whole: bytes, other: bytes) -> bytes:
    """Bytes more or fewer among the data, the size that is claimed made right."""
    header, rest = split(whole)
    at, count = chance.randrange(len(rest) - 32), chance.choice((1, 4, 8, 32, 100))
    return joined(
        header, rest[:at] + chance.choice((chance.randbytes(count) + rest[at:], rest[at + count :]))
    )


def sealed(mutation: Mutation) -> Mutation:
    def edit(chance: random.Random, whole: bytes, other: bytes) -> bytes:
        mutant = mutation(chance, whole, other)
        contents = mutant[:-32] if len(mutant) >= 32 else mutant
        return contents + hashlib.sha256(contents).digest()

    return edit


HEADER_EDITS = (table_dtype, document_dtype, shape, swapped_lengths, header_bytes, structure, nested)
DAMAGE = (flipped_bits, truncated, grown, spliced, swapped_blocks, zeroed, header_length, *HEADER_EDITS)
EDITS = (truncated, grown, header_length, added_or_taken, *HEADER_EDITS)
KINDS: dict[str, Mutation] = {
    **{mutation.__name__: mutation for mutation in DAMAGE},
    **{f"{mutation.__name__}, new digest": sealed(mutation) for mutation in EDITS},
}
