"""Beam search: the likeliest continuations, of which the best few are followed at every step.

    score = Σ log p(token | tokens before) / length^length_penalty,   length in new tokens, an end token included

Source: Hugging Face's `generate(num_beams=…)`, whose results these are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError
from tt_text.generation.arguments import count, number
from tt_text.generation.decoding import Decoding
from tt_text.generation.ending import Stops, Text
from tt_text.generation.forbidden import Forbidden
from tt_text.generation.prompts import Prompts
from tt_text.generation.quiet import Quiet
from tt_text.generation.run import end_tokens
from tt_text.generation.sampling import no_token

__all__ = ["Beam", "beam_search"]


@dataclass(frozen=True)
class Beam:
    """A continuation that beam search found."""

    tokens: list[int]
    """The new tokens, an end token included."""
    score: float
    """What beams are ranked by."""
    log_probability: float
    """Of the new tokens, in nats."""
    text: str | None = None
    """The new tokens as text, where the prompt is text."""


def beam_search(
    model: Any,
    prompt: Any,
    max_new_tokens: int = 100,
    *,
    num_beams: int = 4,
    length_penalty: float = 1.0,
    early_stopping: bool | str = False,
    no_repeat_ngram_size: int = 0,
    min_new_tokens: int = 0,
    eos_token_id: Any = None,
    tokenizer: Any = None,
    cache: bool = True,
) -> Any:
    """The best `num_beams` continuations that a search finds, the best first.

    Args:
        model: a LanguageModel; see `generate`.
        prompt: text (with a tokenizer) or tokens, one or many; many are searched one after the other.
        max_new_tokens: the most tokens of a continuation, at least 1.
        num_beams: how many are followed. With 1 it is greedy.
        length_penalty: what the length's power is; above 0 favours long ones, below 0 short ones.
        early_stopping: True ends with as many finished ones as beams. False ends when the best that goes on is, at its
            length of now, no better than the worst that finished. "never" (for length_penalty above 0) ends only when
            nothing better can come.
        no_repeat_ngram_size, min_new_tokens: see `generate`.
        eos_token_id: a token that ends a text, or several; by default the tokenizer's; () for none.
        tokenizer: turns text into tokens and back.
        cache: whether to use the model's cache.

    Returns a list of Beams, or a list of lists for many prompts.

    Raises as `generate` does.
    """
    where = "beam_search"
    most, beams = (
        count(where, "max_new_tokens", max_new_tokens, 1),
        count(where, "num_beams", num_beams, 1),
    )
    power = number(where, "length_penalty", length_penalty, -16.0, 16.0)
    if early_stopping not in (True, False, "never"):
        raise ArgumentError(f'{where}: early_stopping is True, False or "never", not {early_stopping!r}')
    if not isinstance(cache, bool):
        raise ArgumentError(f"{where}: cache is True or False, not {cache!r}: each prompt needs a new one")
    prompts = Prompts(where, prompt, tokenizer, model.vocab_size)
    ends = frozenset(end_tokens(where, eos_token_id, tokenizer, model.vocab_size))
    forbidden = Forbidden(where, no_repeat_ngram_size, min_new_tokens, ends)
    with Quiet(model):
        found = [
            _search(where, model, tokens, most, beams, power, early_stopping, forbidden, ends, cache)
            for tokens in prompts.rows
        ]
    results = [
        [
            Beam(tokens, score, log_p, _text(tokenizer, before, tokens) if prompts.text else None)
            for score, log_p, tokens in finished
        ]
        for before, finished in zip(prompts.rows, found, strict=True)
    ]
    return results[0] if prompts.single else results


Finished = tuple[float, float, list[int]]


def _search(
    where: str,
    model: Any,
    prompt: list[int],
    most: int,
    beams: int,
    power: float,
    early: bool | str,
    forbidden: Forbidden,
    ends: frozenset[int],
    cache: bool,
) -> list[Finished]:
    """(score, log probability, new tokens) of the best continuations of one prompt."""
    decoding = Decoding(where, model, np.array([prompt], np.int64), None, cache)
    running = np.zeros(1)  # log probabilities of those that go on, the likeliest first; at first there is one
    finished: list[Finished] = []
    # So many that, if the best all end, as many are left to go on.
    width = max(2, 1 + len(ends)) * beams
    for length in range(1, most + 1):
        log_p = log_softmax(decoding.logits())
        if forbidden:  # the rest keeps the probabilities that it has
            log_p = forbidden.out(log_p, decoding.tokens[:, : decoding.width], length - 1)
        sums = (running[:, None] + log_p).ravel()
        size = sums.size // len(running)
        best = _largest(sums, width)
        hits = [length == most or int(index % size) in ends for index in best]
        # One that ends counts only if it is among the first `beams`; the others are there to go on.
        for index, hit in zip(best[:beams], hits[:beams], strict=True):
            if hit:
                row, token = divmod(int(index), size)
                tokens = [*decoding.tokens[row, len(prompt) : decoding.width].tolist(), token]
                finished.append((float(sums[index]) / length**power, float(sums[index]), tokens))
        finished.sort(key=lambda one: -one[0])
        del finished[beams:]
        going = np.array([index for index, hit in zip(best, hits, strict=True) if not hit][:beams], np.int64)
        if not going.size or (early is True and len(finished) == beams):
            break
        running = sums[going]
        reach = most if early == "never" and power > 0 else length
        if len(finished) == beams and running[0] / reach**power <= finished[-1][0]:
            break
        decoding.select(going // size)
        decoding.append(going % size)
    return finished


def log_softmax(logits: Any) -> Any:
    """log softmax of each row, in float64. Raises ArgumentError for logits that are not finite."""
    x = logits.astype(np.float64)
    top = x.max(-1, keepdims=True)
    if not np.isfinite(top).all():
        raise no_token(logits)
    x -= top
    x -= np.log(np.exp(x).sum(-1, keepdims=True))
    return x


def _largest(values: Any, k: int) -> Any:
    """The indices of the k largest that are above -inf, the largest first, of equal ones the first."""
    if k < len(values):
        least = np.partition(values, len(values) - k)[len(values) - k]
        near = (values >= least).nonzero()[0]
    else:
        near = np.arange(len(values))
    near = near[values[near] > -np.inf]
    return near[np.argsort(-values[near], kind="stable")][:k]


def _text(tokenizer: Any, prompt: list[int], tokens: list[int]) -> str:
    """New tokens as text, in their place after the prompt."""
    text = Text(Stops("beam_search", None, tokenizer, 0), tokenizer, prompt)
    return "".join([text.push(token) for token in tokens]) + text.flush()
