"""What all language models here share: the forward's arguments, positions, masks, and the way to `generate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tt_nn import Module
from tt_nn.functional import cross_entropy
from tt_tensor import Tensor, recorder
from tt_tensor.errors import DTypeError, ShapeError
from tt_tensor.kernels import table
from tt_tensor.ops.plain import raw
from tt_text.attention import watching
from tt_text.cache import AppendCache, Cache
from tt_text.generation.generate import generate
from tt_text.generation.quiet import settled
from tt_text.generation.stream import stream
from tt_text.kernels.decode_layers import Plan

__all__ = ["LanguageModel"]


class LanguageModel(Module):
    """A network that gives, at every position of a text, the logits of the next token.

    model(tokens, positions=None, attention_mask=None, cache=None, last=False) -> logits:

        tokens: integers (N, T).
        positions: integers (T,) or (N, T); by default they go on after the cache, and where there is an
            attention_mask they count real tokens only.
        attention_mask: (N, S) with S = cache.length + T; 1 or True at a real token, 0 at padding.
        cache: keys and values of earlier tokens (see tt_text.cache); those of `tokens` are added to it.
        last: give the logits of the last position only, (N, 1, V).

    With tt-autograd, a cache goes inside no_grad(): no gradient could go back through it (GradientError).

    Returns (N, T, V). Padding goes to the left where generation shall go on at the right.
    """

    @property
    def context(self) -> int:
        """How many positions it can read at once."""
        raise NotImplementedError

    @property
    def vocab_size(self) -> int:
        """How many tokens there are."""
        raise NotImplementedError

    def loss(self, tokens: Any, targets: Any) -> Tensor:
        """The mean cross entropy, in nats, of the logits at `tokens` (N, T) against the tokens that follow.

        Args:
            tokens: integers (N, T).
            targets: integers (N, T), the same one token later; -100 counts nothing.

        Raises ShapeError where the two differ in shape, and what the forward and `cross_entropy` raise.
        """
        logits = self(tokens)
        wanted = raw(targets) if isinstance(targets, Tensor) else np.asarray(targets)
        if wanted.shape != logits.shape[:2]:
            raise ShapeError(
                f"{type(self).__name__}.loss: targets of shape {wanted.shape} for tokens of shape {logits.shape[:2]}; "
                "there is one for each token"
            )
        return cross_entropy(logits.reshape(-1, logits.shape[2]), wanted.reshape(-1))

    def new_cache(self) -> AppendCache:
        """An empty cache for this model."""
        return AppendCache()

    def generate(self, prompt: Any, max_new_tokens: int = 100, **options: Any) -> Any:
        """The prompt and what the model says next: see `tt_text.generate` for the options."""
        return generate(self, prompt, max_new_tokens, **options)

    def stream(self, prompt: Any, max_new_tokens: int | None = 100, **options: Any) -> Iterator[Any]:
        """What the model says next, as it comes: see `tt_text.stream` for the options."""
        return stream(self, prompt, max_new_tokens, **options)

    def _quick(self) -> bool:
        """May the layers work on plain arrays? Nothing is recorded, it is an evaluation, and kernels are the usual."""
        return not self.training and table.plain and not recorder.recording() and not watching()

    def _planned(self, layers: Any, make: Callable[[Any], Plan | None]) -> Plan | None:
        """`make(layers)`, for as long as the model is what it was; in one call of `generate` that is looked at once."""
        known = settled.get()
        if known is not None and self in known:
            found: Plan | None = known[self]
            return found
        plan: Plan | None = self.__dict__.get("_plan")
        if plan is None or not plan.holds(layers):
            plan = self.__dict__["_plan"] = make(layers)
        if known is not None:
            known[self] = plan
        return plan

    def _tokens(self, tokens: Any, cache: Cache | None) -> Any:
        """The plain array of tokens (N, T). Raises DTypeError, ShapeError."""
        array = raw(tokens) if isinstance(tokens, Tensor) else np.asarray(tokens)
        name = type(self).__name__
        if cache is not None and not (hasattr(cache, "update") and hasattr(cache, "length")):
            raise DTypeError(f"{name}: cache is None, or a cache as new_cache() makes, not {cache!r:.60}")
        if array.ndim != 2:
            raise ShapeError(
                f"{name}: tokens are of shape (N, T), not {array.shape}; for one text pass [tokens]"
            )
        if array.dtype.kind not in "iu":
            raise DTypeError(f"{name}: tokens are integers, not {array.dtype}")
        seen = 0 if cache is None else cache.length
        if seen + array.shape[1] > self.context:
            raise ShapeError(
                f"{name}: {seen + array.shape[1]} tokens ({seen} of them in the cache), but it reads at most "
                f"{self.context} at once; pass the last ones only"
            )
        return array

    def _positions(self, tokens: Any, positions: Any, mask: Any, cache: Cache | None) -> Any:
        """Integers (T,) or (N, T)."""
        seen, length = 0 if cache is None else cache.length, tokens.shape[1]
        if positions is not None:
            array = np.asarray(raw(positions) if isinstance(positions, Tensor) else positions)
            if array.dtype.kind not in "iu":
                raise DTypeError(f"{type(self).__name__}: positions are integers, not {array.dtype}")
            if array.shape not in ((length,), tokens.shape):
                raise ShapeError(
                    f"{type(self).__name__}: positions of shape {array.shape} for tokens of shape {tokens.shape}; "
                    "they are (T,) or (N, T)"
                )
            return array
        if mask is None:
            return np.arange(seen, seen + length)
        return np.maximum(np.cumsum(mask, axis=1) - 1, 0)[:, seen:]

    def _mask(self, tokens: Any, attention_mask: Any, cache: Cache | None) -> Any:
        """Bools (N, S), or None where there is no padding."""
        if attention_mask is None:
            return None
        mask = np.asarray(
            raw(attention_mask) if isinstance(attention_mask, Tensor) else attention_mask
        ).astype(bool)
        wanted = (len(tokens), (0 if cache is None else cache.length) + tokens.shape[1])
        if mask.shape != wanted:
            raise ShapeError(
                f"{type(self).__name__}: an attention_mask of shape {mask.shape}, but sequences, with what the cache "
                f"holds, are {wanted}"
            )
        return None if mask.all() else mask
