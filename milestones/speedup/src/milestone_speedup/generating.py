"""Writing 256 tokens: each by a forward over the whole text, or over the new token alone, with a KV cache."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from milestone_speedup.rung import Ladder, Rung, median_time
from tt_autograd import no_grad
from tt_perf import KVCache, accelerate
from tt_tensor import manual_seed
from tt_text import GPT, AppendCache, GPTConfig, LanguageModel

__all__ = ["TOKENS", "climb"]

TOKENS = 256
VOCABULARY = 65


def climb(budget: float, seed: int, say: Callable[[Ladder, Rung], None]) -> Ladder:
    """Time each way. A way's logits at every position of one text are compared with those of the forward over all."""
    manual_seed(seed)
    model = GPT(GPTConfig(VOCABULARY, TOKENS + 1, 4, 4, 128, 0.0, bias=False))
    model.eval()
    text = np.random.default_rng(seed).integers(0, VOCABULARY, (1, TOKENS))
    with no_grad():
        expected = model(text).numpy()[0]
    ladder = Ladder(f"writing {TOKENS} tokens", "token", tolerance=1e-4)
    ways: list[tuple[str, Callable[[], Any] | None, bool]] = [
        ("no cache: a forward over all the text", None, False),
        ("a cache that grows", AppendCache, False),
        ("a cache of fixed size, compiled kernels", lambda: KVCache.for_model(model, 1, TOKENS + 1), True),
    ]
    for name, new_cache, compiled in ways:

        def write(new_cache: Callable[[], Any] | None = new_cache) -> None:
            model.generate(
                np.zeros(1, np.int64), TOKENS, temperature=0.0, cache=new_cache() if new_cache else False
            )

        with accelerate(malloc=False) if compiled else nullcontext():
            error = None if new_cache is None else _difference(model, new_cache(), text, expected)
            seconds = median_time(write, budget, fewest=3)
        ladder.rungs.append(Rung(name, seconds / TOKENS, error))
        say(ladder, ladder.rungs[-1])
    return ladder


def _difference(model: LanguageModel, cache: Any, text: Any, expected: Any) -> float:
    """Prefill half of the text, then token by token: logits against those of the forward over all of it."""
    half = TOKENS // 2
    with no_grad():
        found = [model(text[:, :half], cache=cache).numpy()[0]]
        found += [model(text[:, at : at + 1], cache=cache).numpy()[0] for at in range(half, TOKENS)]
    return float(np.abs(np.concatenate(found) - expected).max() / np.abs(expected).max())
