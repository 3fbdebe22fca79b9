"""One call of `generate` or `stream`: its arguments, checked, and its rows, which grow by a token at each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tt_tensor import Generator, default_generator
from tt_tensor.errors import ArgumentError, DTypeError
from tt_text.generation.arguments import token_set
from tt_text.generation.assisted import AssistedDecoding, Proposal, draft_of
from tt_text.generation.decoding import Decoding
from tt_text.generation.ending import Stops, Text, Tokens
from tt_text.generation.forbidden import Forbidden
from tt_text.generation.prompts import Prompts
from tt_text.generation.sampling import Sampler, drawn

__all__ = ["Row", "Run", "end_tokens", "row_streams"]


class Row:
    """One text of the batch.

    Args:
        ending: what knows its stops.
        draw: its own stream of uniform numbers.
        start: its first token's place, after the padding.
    """

    __slots__ = ("done", "draw", "ending", "pieces", "start")

    def __init__(self, ending: Tokens | Text, draw: Callable[[], float] | None, start: int) -> None:
        self.ending, self.draw, self.start = ending, draw, start
        self.pieces: list[Any] = []
        """What was generated: tokens, or pieces of text."""
        self.done = False


class Run:
    """Rows that are generated together. `step()` until `active` is empty, or there is enough; then `finish()`."""

    def __init__(
        self,
        where: str,
        model: Any,
        prompt: Any,
        *,
        stop: Any,
        eos_token_id: Any,
        seed: Any,
        generator: Any,
        tokenizer: Any,
        cache: Any,
        most: int | None,
        no_repeat_ngram_size: Any,
        min_new_tokens: Any,
        assistant_model: Any,
        num_assistant_tokens: Any,
        prompt_lookup_num_tokens: Any,
        **settings: Any,
    ) -> None:
        vocab_size = model.vocab_size
        self.sampler = Sampler(where, **settings)
        self.stops = Stops(where, stop, tokenizer, vocab_size)
        self.eos = end_tokens(where, eos_token_id, tokenizer, vocab_size)
        self.forbidden = Forbidden(where, no_repeat_ngram_size, min_new_tokens, self.eos)
        self.prompts = Prompts(where, prompt, tokenizer, vocab_size)
        tokens, mask = self.prompts.arrays()
        draft = draft_of(where, model, assistant_model, num_assistant_tokens, prompt_lookup_num_tokens)
        self.decoding = (
            Decoding(where, model, tokens, mask, cache)
            if draft is None
            else AssistedDecoding(where, model, tokens, cache, *draft, most, self._chosen)
        )
        kind = Text if self.prompts.text else Tokens
        endings = [kind(self.stops, tokenizer, one) for one in self.prompts.rows]
        draws = (
            [None] * len(endings)
            if self.sampler.greedy
            else row_streams(where, seed, generator, len(endings))
        )
        self.begin = tokens.shape[1]  # where new tokens begin
        starts = [self.begin - len(one) for one in self.prompts.rows]
        self.rows = [Row(*parts) for parts in zip(endings, draws, starts, strict=True)]
        self.active = list(self.rows)
        self._ends = frozenset(self.eos)
        self._seen: Any = None
        self._counts: Any = None
        self._key: int | None = None

    def step(self) -> None:
        """One more token for each active row."""
        logits = self.decoding.logits()
        sampler, active = self.sampler, self.active
        if sampler.remembers:
            if self._seen is None:
                self._remember(logits.shape[1])
            logits = sampler.penalised(logits, self._seen, self._counts)
        if self.forbidden:
            tokens, width = self.decoding.tokens, self.decoding.width
            texts = (line[row.start : width] for line, row in zip(tokens, active, strict=True))
            logits = self.forbidden.out(logits, texts, width - self.begin)
        if len(active) == 1:
            row = active[0]
            proposal = self.decoding.proposal
            if proposal is None or sampler.greedy:
                token = sampler.row(logits[0], 0.0 if row.draw is None else row.draw())
            else:
                token = sampler.corrected(logits[0], *proposal, row.draw)
            self.decoding.append(token)
            if sampler.remembers:
                self._seen[0, token] = True
                self._counts[0, token] += 1
            if self._push(row, token):
                self.active = []
            return
        tokens = sampler.rows(logits, np.array([0.0 if row.draw is None else row.draw() for row in active]))
        self.decoding.append(tokens)
        if sampler.remembers:
            order = np.arange(len(tokens))
            self._seen[order, tokens] = True
            self._counts[order, tokens] += 1
        ended = [self._push(row, token) for row, token in zip(active, tokens.tolist(), strict=True)]
        if True in ended:
            # What has ended costs no more forwards.
            left = [index for index, done in enumerate(ended) if not done]
            self.active = [active[index] for index in left]
            if left:
                self.decoding.select(left)
                if sampler.remembers:
                    self._seen, self._counts = self._seen[left], self._counts[left]

    def _push(self, row: Row, token: int) -> bool:
        """Give a row its token; True if that was its last."""
        ending = row.ending
        piece = ending.push(token)
        if piece:
            row.pieces += piece if piece.__class__ is list else (piece,)
        if ending.ended:
            row.done = True
        elif token in self._ends:
            self._flush(row)
        return row.done

    def _flush(self, row: Row) -> None:
        piece = row.ending.flush()
        if piece:
            row.pieces += piece if isinstance(piece, list) else (piece,)
        row.done = True

    def finish(self) -> None:
        """There are enough tokens: the rows that are active end here."""
        for row in self.active:
            self._flush(row)
        self.active = []
        self.decoding.finish()

    def _chosen(self, logits: Any, before: list[int]) -> Proposal:
        """A token for the logits (V,) of a draft that has proposed `before`, and what it is drawn from.

        Each place of the text has a number of its own to draw with, so that it does not matter how much was proposed.
        """
        sampler, draw = self.sampler, self.rows[0].draw
        if sampler.remembers:
            if self._seen is None:
                self._remember(len(logits))
            seen, counts = self._seen[0].copy(), self._counts[0].copy()
            seen[before] = True
            np.add.at(counts, before, 1)
            logits = sampler.penalised(logits, seen, counts)
        if draw is None:
            return sampler.row(logits, 0.0), None
        if self._key is None:
            self._key = int(draw() * 2**53)
        place = self.decoding.width - len(self.prompts.rows[0]) + len(before)
        q = sampler.probabilities(logits)
        return drawn(q, np.random.default_rng((self._key, place)).random()), q

    def _remember(self, vocab_size: int) -> None:
        """Which tokens are in each text, and how often each was generated: (N, V)."""
        self._seen = np.zeros((len(self.rows), vocab_size), bool)
        self._counts = np.zeros((len(self.rows), vocab_size), np.int64)
        for seen, prompt in zip(self._seen, self.prompts.rows, strict=True):
            seen[prompt] = True


def end_tokens(where: str, eos_token_id: Any, tokenizer: Any, vocab_size: int) -> tuple[int, ...]:
    """The tokens that end a text: those given, else the tokenizer's, if one is given and has one."""
    if eos_token_id is None:
        eos_token_id = getattr(tokenizer, "eos_id", None)
    return () if eos_token_id is None else token_set(where, "eos_token_id", eos_token_id, vocab_size)


def row_streams(where: str, seed: Any, generator: Any, n: int) -> list[Any]:
    """A source of uniform numbers for each of `n` rows, independent of each other and of how many there are."""
    if seed is not None and generator is not None:
        raise ArgumentError(f"{where}: seed={seed!r} and a generator exclude each other; pass one of them")
    if isinstance(seed, Sequence | np.ndarray) and not isinstance(seed, str | bytes):
        if len(seed) != n:
            raise ArgumentError(
                f"{where}: {len(seed)} seeds for {n} prompts; pass one for each, or one for all"
            )
        return [Generator(one).spawn(1)[0].rng.random for one in seed]
    if seed is not None:
        generator = Generator(seed)
    elif generator is None:
        generator = default_generator()
    if not isinstance(generator, Generator | np.random.Generator):
        raise DTypeError(
            f"{where}: generator is a Generator, not {type(generator).__name__}; use tt_tensor.Generator(seed)"
        )
    return [
        child.rng.random if isinstance(child, Generator) else child.random for child in generator.spawn(n)
    ]
