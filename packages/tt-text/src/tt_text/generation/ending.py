"""Where a text ends: end tokens and stops, and what is certain to stay of what came so far.

A stop is a sequence of tokens or of characters at which a text ends; it is no part of the text. So what may be the
beginning of a stop is held back until it is one, or cannot be one any more.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError, DTypeError
from tt_text.generation.arguments import token_set

__all__ = ["Stops", "Text", "Tokens"]


class Stops:
    """The stops of a call, sorted by kind.

    Args:
        stop: a str, a list of tokens, or a list of such.
        tokenizer: knows the bytes of tokens; needed for strings.

    Raises ArgumentError for an empty stop and for strings without a tokenizer, DTypeError for what is no stop.
    """

    def __init__(self, where: str, stop: Any, tokenizer: Any, vocab_size: int) -> None:
        self.strings: list[bytes] = []
        self.tokens: list[list[int]] = []
        if isinstance(stop, np.ndarray):
            stop = stop.tolist()
        if isinstance(stop, bytes) or not isinstance(stop, Iterable | None):
            raise DTypeError(f"{where}: stop is a string, a list of tokens, or a list of such, not {stop!r}")
        given = [stop] if isinstance(stop, str) else list(stop or ())
        if given and all(isinstance(one, int | np.integer) for one in given):
            given = [given]
        for one in given:
            if isinstance(one, str):
                if one and tokenizer is None:
                    raise ArgumentError(
                        f"{where}: stop={one!r} is text, which only a tokenizer sees in tokens; pass tokenizer=..., or "
                        "the stop's tokens"
                    )
                self.strings.append(one.encode("utf-8", "surrogatepass"))
            else:
                self.tokens.append(list(token_set(where, "stop", one, vocab_size)))
        if b"" in self.strings or [] in self.tokens:
            raise ArgumentError(
                f"{where}: stop={stop!r} has an empty stop, at which every text would end at once"
            )

    def __bool__(self) -> bool:
        return bool(self.strings or self.tokens)


class Tokens:
    """The tokens of one text as they are generated: `push` gives those that are certain to stay."""

    def __init__(self, stops: Stops, tokenizer: Any, prompt: list[int]) -> None:
        self.stops = stops
        self.ended = False
        self._held: list[int] = []  # may begin a stop of tokens
        self._bytes = Bytes(tokenizer, prompt) if stops.strings else None
        self._buffer = b""  # may begin a stop of characters
        self._waiting: list[tuple[int, int]] = []  # the tokens of the buffer, each with where it ends in it

    def push(self, token: int) -> list[int]:
        """One more token; afterwards `ended` says whether a stop is complete."""
        if not self.stops:
            return [token]
        sure = self._seen(self._past_tokens(token))
        return sure + self._rest() if self.ended else sure

    def flush(self) -> list[int]:
        """There will be no more: all that was held back."""
        held, self._held = self._held, []
        return self._seen(held) + self._rest()

    def _rest(self) -> list[int]:
        left, self._waiting = self._waiting, []
        return [token for token, _ in left]

    def _past_tokens(self, token: int) -> list[int]:
        """The tokens that belong to no stop of tokens."""
        stops = self.stops.tokens
        if not stops:
            return [token]
        held = [*self._held, token]
        # Of several that end here, the longest began first.
        length = max((len(stop) for stop in stops if held[-len(stop) :] == stop), default=0)
        if length:
            self.ended, self._held = True, []
            return held[:-length]
        sure = len(held) - max(overlap(held, stop) for stop in stops)
        self._held = held[sure:]
        return held[:sure]

    def _seen(self, tokens: list[int]) -> list[int]:
        """The tokens of those that belong to no stop of characters."""
        if self._bytes is None:
            return tokens
        out: list[int] = []
        for token in tokens:
            self._buffer += self._bytes.of(token)
            self._waiting.append((token, len(self._buffer)))
            at = first(self._buffer, self.stops.strings)
            if at is not None:
                out += [one for one, end in self._waiting if end <= at]
                self.ended, self._waiting = True, []
                return out
            sure = len(self._buffer) - max(overlap(self._buffer, stop) for stop in self.stops.strings)
            out += [one for one, end in self._waiting if end <= sure]
            self._waiting = [(one, end - sure) for one, end in self._waiting if end > sure]
            self._buffer = self._buffer[sure:]
        return out


class Text:
    """The text of tokens as they are generated: `push` gives the characters that are complete and certain to stay."""

    def __init__(self, stops: Stops, tokenizer: Any, prompt: list[int]) -> None:
        only = Stops("", None, None, 0)
        only.tokens = stops.tokens
        self._strings = stops.strings
        self._tokens = Tokens(only, None, prompt)
        self._bytes = Bytes(tokenizer, prompt)
        self._buffer = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.ended = False

    def push(self, token: int) -> str:
        """One more token; afterwards `ended` says whether a stop is complete."""
        text = self._read(self._tokens.push(token))
        if self._tokens.ended and not self.ended:
            text += self._finish()
            self.ended = True
        return text

    def flush(self) -> str:
        """There will be no more: all that was held back, half a character as U+FFFD."""
        if self.ended:
            return ""
        text = self._read(self._tokens.flush())
        return text if self.ended else text + self._finish()

    def _finish(self) -> str:
        left, self._buffer = self._buffer, b""
        return self._decoder.decode(left, final=True)

    def _read(self, tokens: list[int]) -> str:
        """The text of tokens, up to where a stop may begin."""
        text = ""
        for token in tokens:
            data = self._bytes.of(token)
            if not self._strings:
                text += self._decoder.decode(data)
                continue
            self._buffer += data
            at = first(self._buffer, self._strings)
            if at is not None:
                self.ended = True
                return text + self._decoder.decode(self._buffer[:at], final=True)
            sure = len(self._buffer) - max(overlap(self._buffer, stop) for stop in self._strings)
            text += self._decoder.decode(self._buffer[:sure])
            self._buffer = self._buffer[sure:]
        return text


class Bytes:
    """The bytes of each token, in the place where it stands.

    A tokenizer may write a token otherwise at the beginning of a text than inside (Llama's leave out the first space),
    so it decodes each together with those before, back to one that has bytes.
    """

    def __init__(self, tokenizer: Any, prompt: list[int]) -> None:
        self._decode = tokenizer.decode_bytes
        self._context: list[int] = []
        self._length = 0  # bytes of the context
        for token in reversed(prompt):
            self._context.insert(0, token)
            self._length = len(self._decode(self._context, skip_special_tokens=True))
            if self._length:
                break

    def of(self, token: int) -> bytes:
        """The bytes that this token adds."""
        both = [*self._context, token]
        data: bytes = self._decode(both, skip_special_tokens=True)[self._length :]
        if data:
            alone = self._decode([token], skip_special_tokens=True)
            if alone:
                self._context, self._length = [token], len(alone)
                return data
        self._context, self._length = both, self._length + len(data)
        return data


def first(data: bytes, stops: list[bytes]) -> int | None:
    """Where the first of the stops begins in `data`; None where there is none."""
    found = [at for at in map(data.find, stops) if at >= 0]
    return min(found, default=None)


def overlap(data: Any, stop: Any) -> int:
    """How long an end of `data` is that begins `stop`, and is not all of it."""
    for length in range(min(len(data), len(stop) - 1), 0, -1):
        if data[-length:] == stop[:length]:
            return length
    return 0
