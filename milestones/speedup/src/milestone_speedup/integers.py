"""Weights in 8 bits: a larger transformer writes token by token, where reading the weights is what takes the time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from milestone_speedup.rung import Ladder, Rung, median_time
from tt_autograd import no_grad
from tt_perf import KVCache, accelerate, quantize
from tt_tensor import manual_seed
from tt_text import GPT, GPTConfig

__all__ = ["climb"]

PROMPT = 8


def climb(
    layers: int, width: int, tokens: int, budget: float, seed: int, say: Callable[[Ladder, Rung], None]
) -> Ladder:
    """Float32 in NumPy, float32 compiled, int8 compiled; the int8 model's logits are those of rounded weights."""
    manual_seed(seed)
    model = GPT(GPTConfig(4096, 128, layers, width // 64, width, 0.0))
    model.eval()
    text = np.random.default_rng(seed).integers(0, 4096, (1, 32))
    ladder = Ladder(f"writing with {layers} layers of {width}", "token", tolerance=0.05)
    expected: Any = None
    ways: list[tuple[str, bool, Callable[[], Any]]] = [
        ("float32 in NumPy", False, lambda: model),
        ("float32, compiled kernels", True, lambda: model),
        ("int8 weights, compiled kernels", True, lambda: quantize(model, "int8").eval()),
    ]
    for name, compiled, make in ways:
        with accelerate(malloc=False) if compiled else nullcontext():
            one = make()
            with no_grad():
                logits = one(text).numpy()
            error = None
            if expected is None:
                expected = logits
            else:
                error = float(np.abs(logits - expected).max() / np.abs(expected).max())
            cache = KVCache.for_model(one, 1, PROMPT + tokens)

            def write(one: Any = one, cache: Any = cache) -> None:
                cache.reset()
                one.generate(np.zeros(PROMPT, np.int64), tokens, temperature=0.0, cache=cache)

            seconds = median_time(write, budget, fewest=3)
        ladder.rungs.append(Rung(name, seconds / tokens, error))
        say(ladder, ladder.rungs[-1])
    return ladder
