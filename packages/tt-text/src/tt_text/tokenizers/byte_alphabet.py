"""GPT-2's alphabet: a visible character for each of the 256 bytes, so that byte strings can stand in JSON.

    33 … 126, 161 … 172, 174 … 255    the character of that code point
    the other 68, in order            the characters 256, 257, … 323

So the space is Ġ (32 is the 33rd of the others: 256 + 32) and the newline Ċ.

Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, and its code (`bytes_to_unicode`).
"""

from __future__ import annotations

__all__ = ["ALPHABET", "bytes_of", "written"]


def _alphabet() -> str:
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    characters, others = [], 0
    for byte in range(256):
        characters.append(chr(byte if byte in visible else 256 + others))
        others += byte not in visible
    return "".join(characters)


ALPHABET = _alphabet()
"""ALPHABET[b] is the character of byte b."""

BYTES = {ord(character): byte for byte, character in enumerate(ALPHABET)}


def written(data: bytes) -> str:
    """Bytes in the alphabet.

    >>> written(" the".encode())
    'Ġthe'
    """
    return "".join(map(ALPHABET.__getitem__, data))


def bytes_of(text: str) -> bytes | None:
    """The bytes that are written so; None if a character is not of the alphabet.

    >>> bytes_of("Ġthe")
    b' the'
    """
    try:
        return bytes([BYTES[ord(character)] for character in text])
    except KeyError:
        return None
