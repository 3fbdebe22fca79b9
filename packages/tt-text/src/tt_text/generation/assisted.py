"""Assisted generation: a quick draft proposes tokens, the model reads all of them in one forward and corrects the first
that it would not say.

    x ~ q, the draft's distribution, is taken with probability min(1, p(x) / q(x)), where p is the model's;
    else the token is drawn from max(p - q, 0) / Σ max(p - q, 0)

So a token has the probability min(p, q) + max(p - q, 0) = p, whatever q is; greedily, it is the model's likeliest. A
forward over a few tokens reads each weight once, as one over a single token does, and a large model spends its time on
reading weights: what the draft gets right costs little more than the draft.

Sources: Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", 2023, arXiv:2211.17192; Chen et
al., "Accelerating Large Language Model Decoding with Speculative Sampling", 2023, arXiv:2302.01318; tokens that are
looked up: A. Saxena, "Prompt Lookup Decoding", 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from tt_tensor.errors import ArgumentError, DTypeError
from tt_text.generation.arguments import count as checked_count
from tt_text.generation.decoding import Decoding

__all__ = ["AssistedDecoding", "Choose", "Draft", "Proposal", "draft_of"]

PROPOSED = 5
"""Tokens that a model proposes at a time, if the caller does not say how many."""

LONGEST = 3
"""So many tokens are looked up together, at most."""

Proposal = tuple[int, Any]
"""A token, and the probabilities (V,) that it was drawn from; None where it was not drawn."""

Choose = Callable[[Any, list[int]], Proposal]
"""choose(logits (V,), tokens proposed before them): the call's sampler, for the logits of a draft."""


class Draft(Protocol):
    """What proposes tokens: quickly, and right in most cases. What is wrong is corrected."""

    def propose(self, text: Any, count: int, choose: Choose) -> list[Proposal]:
        """At most `count` tokens that may come after `text`, integers (T,); none is an answer, too."""
        ...


class ModelDraft:
    """A model that is quicker: smaller, or with weights of fewer bits. It has a cache of its own."""

    def __init__(self, where: str, model: Any) -> None:
        self._where, self._model = where, model
        self._decoding: Decoding | None = None

    def propose(self, text: Any, count: int, choose: Choose) -> list[Proposal]:
        """What the model says after `text`, as far as its context reaches."""
        decoding = self._decoding
        if decoding is None:
            decoding = self._decoding = Decoding(self._where, self._model, text[None].copy(), None)
            check_cache(self._where, decoding.cache)
        decoding.follow(text)
        proposals: list[Proposal] = []
        for _ in range(min(count, decoding.context + 1 - len(text))):
            proposals.append(choose(decoding.logits()[0], [token for token, _ in proposals]))
            decoding.append(proposals[-1][0])
        return proposals


class LookupDraft:
    """What followed when the last tokens stood in the text before: the longest run of them, at its first place."""

    def propose(self, text: Any, count: int, choose: Choose) -> list[Proposal]:
        """The tokens after that place."""
        for length in range(min(LONGEST, len(text) - 1), 0, -1):
            runs = np.lib.stride_tricks.sliding_window_view(text[:-1], length)
            found = (runs == text[-length:]).all(1).nonzero()[0]
            if len(found):
                start = found[0] + length
                return [(token, None) for token in text[start : start + count].tolist()]
        return []


class AssistedDecoding(Decoding):
    """One text. The model reads proposed tokens together with the last one that is certain.

    Args:
        draft: what proposes.
        ahead: how many tokens are proposed at a time, at most.
        most: how many are wanted in all, or None.
        choose: the sampler, for the draft.

    Raises ArgumentError for several texts, and for no cache or one that cannot forget.
    """

    def __init__(
        self,
        where: str,
        model: Any,
        tokens: Any,
        cache: Any,
        draft: Draft,
        ahead: int,
        most: int | None,
        choose: Choose,
    ) -> None:
        if len(tokens) > 1:
            raise ArgumentError(
                f"{where}: an assistant helps one text at a time, not {len(tokens)}; generate them one by one, or "
                "without it"
            )
        super().__init__(where, model, tokens, None, cache)
        if cache is False or cache is None:
            raise ArgumentError(
                f"{where}: without a cache, each forward reads the whole text, and an assistant saves little; leave "
                "one of them out"
            )
        check_cache(where, self.cache)
        self._draft, self._ahead, self._choose = draft, ahead, choose
        self._end = None if most is None else self.width + most
        self._proposals: list[Proposal] = []
        self._rows: Any = None  # (1, V) each: the logits after the text, and after each of the proposals
        self._taken = 0  # how many proposals have become text

    def logits(self) -> Any:
        """The logits (1, V) of the token that comes next. Afterwards `proposal` is what is proposed for it."""
        if self._rows is None:
            self._look_ahead()
        if self._taken < len(self._proposals):
            self.proposal = self._proposals[self._taken]
        return self._rows[self._taken]

    def _look_ahead(self) -> None:
        """Ask for proposals and read them. A prompt is read alone: of its logits only the last are wanted."""
        self._taken, self._proposals, width = 0, [], self.width
        ahead = min(self._ahead, self.context - width, (self._end or self.context) - width)
        if ahead > 0 and self.cache is not None and self.read == width - 1:
            self._proposals = self._draft.propose(self.tokens[0, :width], ahead, self._choose)
        for token, _ in self._proposals:
            super().append(token)
        self._rows = self.unread(last=not self._proposals).swapaxes(0, 1)
        self.width = width

    def append(self, tokens: Any) -> None:
        """The next token. If it is another than the proposed one, what was read beyond is forgotten."""
        if self.proposal is not None and self.proposal[0] == int(tokens):
            self._taken += 1
        else:
            self._rows = None
            self.rewind(self.width)
        self.proposal = None
        super().append(tokens)

    def finish(self) -> None:
        """There will be no more: the cache keeps nothing that is not in the text."""
        self.rewind(self.width)


def check_cache(where: str, cache: Any) -> None:
    """Raises ArgumentError for a cache that cannot forget."""
    if cache is not None and not hasattr(cache, "truncate"):
        raise ArgumentError(
            f"{where}: {type(cache).__name__} has no truncate(length), with which a cache forgets the tokens of an "
            "assistant that were wrong; pass another cache, or generate without an assistant"
        )


def draft_of(
    where: str, model: Any, assistant_model: Any, num_assistant_tokens: Any, prompt_lookup_num_tokens: Any
) -> tuple[Draft, int] | None:
    """The draft that the arguments of `generate` speak of, and how many tokens it is asked for; None for none."""
    if prompt_lookup_num_tokens is not None:
        if assistant_model is not None or num_assistant_tokens is not None:
            raise ArgumentError(
                f"{where}: prompt_lookup_num_tokens is for tokens that are looked up in the text, in the place of an "
                "assistant_model's; pass one of the two"
            )
        return LookupDraft(), checked_count(where, "prompt_lookup_num_tokens", prompt_lookup_num_tokens, 1)
    if assistant_model is None:
        if num_assistant_tokens is not None:
            raise ArgumentError(
                f"{where}: num_assistant_tokens={num_assistant_tokens!r} without an assistant_model that proposes them"
            )
        return None
    ahead = (
        PROPOSED
        if num_assistant_tokens is None
        else checked_count(where, "num_assistant_tokens", num_assistant_tokens, 1)
    )
    if hasattr(assistant_model, "propose"):
        return assistant_model, ahead
    size = getattr(assistant_model, "vocab_size", None)
    if size is None:
        raise DTypeError(
            f"{where}: assistant_model is a LanguageModel, or has a method `propose`, not {assistant_model!r:.60}"
        )
    if size != model.vocab_size:
        raise ArgumentError(
            f"{where}: the assistant {type(assistant_model).__name__} has {size} tokens, the model "
            f"{type(model).__name__} {model.vocab_size}; a token must mean the same to both, so use one tokenizer"
        )
    return ModelDraft(where, assistant_model), ahead
