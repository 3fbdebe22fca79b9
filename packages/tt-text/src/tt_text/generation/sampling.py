"""From logits to the next token: filters on plain arrays, and the draw.

    p = softmax(filtered logits / temperature),  token = the first i with p₀ + … + pᵢ > u, u uniform in [0, 1)

Filters take logits (…, V) and return new ones, -inf where a token is ruled out. Their meaning and their order are
Hugging Face's: repetition penalty, temperature, top-k, top-p, min-p.

Sources: Keskar et al., "CTRL", 2019, arXiv:1909.05858 (repetition penalty); Fan et al., "Hierarchical Neural Story
Generation", 2018, arXiv:1805.04833 (top-k); Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020,
arXiv:1904.09751 (top-p); Nguyen et al., "Turning Up the Heat: Min-p Sampling", 2024, arXiv:2407.01082.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_tensor.errors import ArgumentError
from tt_text.generation.arguments import count, number

__all__ = [
    "Sampler",
    "apply_temperature",
    "keep_min_p",
    "keep_top_k",
    "keep_top_p",
    "penalise_frequency",
    "penalise_repetition",
]

CLOSE = 1e-6
"""A sum of probabilities that misses top_p by this part, which is rounding, has reached it."""

LARGE = 1e6
"""A temperature below 1 / LARGE is applied in float64, where it overflows nothing."""

running_sum = np.add.accumulate


def penalise_repetition(logits: Any, seen: Any, penalty: float) -> Any:
    """Where a token was `seen` (bools, …, V): a positive logit / penalty, a negative one · penalty."""
    return np.where(seen, np.where(logits < 0, logits * penalty, logits / penalty), logits)


def penalise_frequency(logits: Any, counts: Any, frequency: float, presence: float) -> Any:
    """logits - frequency · counts - presence · [counts > 0], for how often each token was generated, (…, V)."""
    return logits - (frequency * counts + presence * (counts > 0)).astype(logits.dtype)


def apply_temperature(logits: Any, temperature: float) -> Any:
    """(logits - the largest of each row) / temperature: the softmax of logits / temperature, without overflow."""
    inverse = _inverse(temperature)
    x = logits - _largest(logits)
    return x.astype(np.float64) * inverse if inverse > LARGE else x * np.asarray(inverse, x.dtype)


def keep_top_k(logits: Any, k: int) -> Any:
    """The k largest of each row, and what equals the k-th."""
    size = logits.shape[-1]
    if k >= size:
        return logits.copy()
    least = np.partition(logits, size - k, axis=-1)[..., size - k : size - k + 1]
    return np.where(logits < least, np.asarray(-np.inf, logits.dtype), logits)


def keep_top_p(logits: Any, p: float) -> Any:
    """The smallest set of the likeliest tokens whose probabilities sum to at least p, and at least one.

    The token that crosses p belongs to it. Of equally likely ones those with higher ids come first.
    """
    if not logits.size:
        return logits.copy()
    e = np.exp(logits - _largest(logits))
    ordered = np.sort(e, axis=-1)
    sums = running_sum(ordered, -1, np.float64)
    # How many are ruled out, the unlikeliest first; their sum is at most 1 - p of all.
    out = np.minimum((sums <= (1 - p) * (1 + CLOSE) * sums[..., -1:]).sum(-1, keepdims=True), e.shape[-1] - 1)
    least = np.take_along_axis(ordered, out, -1)
    equal = e == least
    room = (ordered == least).sum(-1, keepdims=True) - (out - (ordered < least).sum(-1, keepdims=True))
    last = np.flip(np.cumsum(np.flip(equal, -1), -1), -1) <= room  # so many of the equal ones, from the end
    return np.where((e > least) | (equal & last), logits, np.asarray(-np.inf, logits.dtype))


def keep_min_p(logits: Any, p: float) -> Any:
    """The tokens that are at least p times as likely as the likeliest of the row."""
    e = np.exp(logits - _largest(logits))
    return np.where(e < np.asarray(p, e.dtype), np.asarray(-np.inf, logits.dtype), logits)


def drawn(p: Any, u: float) -> int:
    """The token that a uniform number draws from p (V,), which need not sum to 1."""
    sums = running_sum(p, 0, np.float64)
    return int(sums.searchsorted(u * sums.item(-1), "right"))


def _inverse(temperature: float) -> float:
    """1 / temperature, so that neither a difference of logits times it overflows in float64, nor it is 0 in float32."""
    return min(max(1 / temperature, 1e-30), 1e200)


def _largest(logits: Any) -> Any:
    top = np.max(logits, axis=-1, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(top), top, np.asarray(0, logits.dtype))


class Sampler:
    """The way from logits to tokens, with its settings; None or a neutral value leaves a filter out.

    Args:
        temperature: what logits are divided by; 0 takes the largest logit, always.
        top_k: keep the k likeliest tokens.
        top_p: keep the likeliest that sum to this probability.
        min_p: keep those at least so likely, in parts of the likeliest.
        repetition_penalty: above 1, what has been in the text becomes less likely.
        frequency_penalty, presence_penalty: taken off the logit for each time a token was generated; if it ever was.
        do_sample: False takes the largest logit, whatever the temperature.

    Raises ArgumentError, or DTypeError, that names the argument and its value.
    """

    def __init__(
        self,
        where: str = "Sampler",
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        frequency_penalty: float = 0.0,
        presence_penalty: float = 0.0,
        do_sample: bool | None = None,
    ) -> None:
        self.temperature = number(where, "temperature", temperature, 0.0)
        self.top_k = 0 if top_k is None else count(where, "top_k", top_k, 1)
        self.top_p = 1.0 if top_p is None else number(where, "top_p", top_p, 0.0, 1.0)
        self.min_p = 0.0 if min_p is None else number(where, "min_p", min_p, 0.0, 1.0)
        self.repetition = number(where, "repetition_penalty", repetition_penalty, 1e-6, 1e6)
        self.frequency = number(where, "frequency_penalty", frequency_penalty)
        self.presence = number(where, "presence_penalty", presence_penalty)
        if do_sample not in (None, True, False):
            raise ArgumentError(f"{where}: do_sample is True, False or None, not {do_sample!r}")
        if do_sample and not self.temperature:
            raise ArgumentError(
                f"{where}: do_sample=True contradicts temperature=0, which always takes the likeliest"
            )
        self.greedy = not self.temperature or do_sample is False
        self._inverse = 1.0 if self.greedy else _inverse(self.temperature)
        self.remembers = self.repetition != 1.0 or bool(self.frequency or self.presence)
        """Whether it needs to know what has been in the text."""

    def penalised(self, logits: Any, seen: Any, counts: Any) -> Any:
        """The logits after the penalties."""
        if self.repetition != 1.0:
            logits = penalise_repetition(logits, seen, self.repetition)
        if self.frequency or self.presence:
            logits = penalise_frequency(logits, counts, self.frequency, self.presence)
        return logits

    def filtered(self, logits: Any) -> Any:
        """Logits (…, V) after temperature, top-k, top-p and min-p: their softmax is what tokens are drawn from."""
        # Temperature changes no order; top-k comes first here, so that rounding makes no more equal to the k-th.
        x = apply_temperature(keep_top_k(logits, self.top_k) if self.top_k else logits, self.temperature)
        if self.top_p < 1.0:
            x = keep_top_p(x, self.top_p)
        if self.min_p:
            x = keep_min_p(x, self.min_p)
        return x

    def probabilities(self, logits: Any) -> Any:
        """softmax(filtered(logits)) of logits (V,), in float64: what a token is drawn from."""
        if not np.isfinite(logits.max()):
            raise no_token(logits)
        p = np.exp(self.filtered(logits).astype(np.float64))  # the largest is 1
        p /= p.sum()
        return p

    def corrected(self, logits: Any, proposed: int, q: Any, draw: Any) -> int:
        """A token of one row of logits (V,), given one that was drawn from q (V,), or not drawn where q is None.

        It is that one, if it may be: see tt_text.generation.assisted.
        """
        p = self.probabilities(logits)
        if draw() * (1.0 if q is None else q[proposed]) < p[proposed]:
            return proposed
        if q is None:
            p[proposed] = 0
            return drawn(p, draw())
        rest = np.maximum(p - q, 0)
        return drawn(rest if rest.any() else p, draw())  # none is left where p and q differ by rounding

    def rows(self, logits: Any, u: Any) -> Any:
        """The token of each row of logits (N, V), for uniform numbers u (N,): integers (N,)."""
        best = logits.argmax(-1)
        if logits.size:
            top = np.take_along_axis(logits, best[:, None], -1)
            if not np.isfinite(top).all():
                raise no_token(logits[int((~np.isfinite(top[:, 0])).argmax())])
        if self.greedy:
            return best
        x = self.filtered(logits)
        sums = running_sum(np.exp(x, x), -1, np.float64)  # the largest of x is 0
        return (sums <= (u * sums[:, -1])[:, None]).sum(-1)

    def row(self, logits: Any, u: float) -> int:
        """The token of one row of logits (V,): what `rows` gives, in a few microseconds where V is small."""
        if self.greedy:
            best = int(logits.argmax())
            if not math.isfinite(logits.item(best)):
                raise no_token(logits)
            return best
        kept = None
        if 0 < self.top_k < len(logits):
            ordered = logits.copy()
            at = len(logits) - self.top_k
            if len(logits) <= 1024:
                ordered.sort()  # sooner done than a partition
                top = ordered.item(-1)
            else:
                ordered.partition(at)
                top = logits.item(logits.argmax())
            if not math.isfinite(top):
                raise no_token(logits)
            kept = (logits >= ordered[at]).nonzero()[0]
            x = logits[kept]
        else:
            top, x = logits.item(logits.argmax()), logits
            if not math.isfinite(top):
                raise no_token(logits)
        x = x - top
        if self._inverse != 1.0:
            if self._inverse > LARGE:
                x = x.astype(np.float64)
            x *= self._inverse
        e = np.exp(x, x)  # the largest is 1
        if self.top_p < 1.0:
            likely = _nucleus(e, self.top_p)
            e, kept = e[likely], likely if kept is None else kept[likely]
        if self.min_p:
            likely = (e >= self.min_p).nonzero()[0]
            e, kept = e[likely], likely if kept is None else kept[likely]
        sums = running_sum(e, 0, np.float64)
        # u · total is below the total, as rounding goes, and what has no probability adds no step to the sums.
        found = int(sums.searchsorted(u * sums.item(-1), "right"))
        return found if kept is None else kept.item(found)


def _nucleus(e: Any, p: float) -> Any:
    """The indices of what `keep_top_p` keeps of one row, ascending."""
    total = float(np.add.reduce(e, None, np.float64))
    # All that are fainter than this sum to less than 1 - p, so they are out, and need not be sorted.
    bright = (e >= (1 - p) * total / len(e)).nonzero()[0]
    e = e[bright]
    ordered = e.copy()
    ordered.sort()
    sums = running_sum(ordered, 0, np.float64)
    sums += total - sums.item(-1)  # the faint ones
    out = min(int(sums.searchsorted((1 - p) * (1 + CLOSE) * total, "right")), len(e) - 1)
    least = ordered[out]
    keep = e >= least
    surplus = out - int(ordered.searchsorted(least, "left"))
    if surplus:
        keep[(e == least).nonzero()[0][:surplus]] = False
    return bright[keep]


def no_token(logits: Any) -> ArgumentError:
    """The error for logits that no token can be drawn from."""
    kinds = [
        f"{amount} {name}"
        for name, amount in (
            ("NaN", int(np.isnan(logits).sum())),
            ("+inf", int(np.isposinf(logits).sum())),
            ("-inf", int(np.isneginf(logits).sum())),
        )
        if amount
    ]
    return ArgumentError(
        f"generate: the model's logits leave no token to draw: {', '.join(kinds)} among {logits.size}; "
        "weights that are not finite, or a training that diverged, do this"
    )
