"""What generation costs beside the model: microseconds a token, with a model that only hands over logits it has.

    python benchmarks/generation_overhead.py

Bars: at most 25 µs a token, for one text, greedily; and a draw of one row over 65 tokens at most 15 µs.
The best of many short runs: the machine has other things to do.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

from tt_text import generate, stream
from tt_text.generation import Sampler

TOKENS = 200
RUNS = 200
SETTINGS: dict[str, dict[str, Any]] = {
    "greedy": {"temperature": 0.0},
    "all tokens": {},
    "temperature 0.8, top-k 10": {"temperature": 0.8, "top_k": 10},
    "top-p 0.9": {"top_p": 0.9},
    "min-p 0.05": {"min_p": 0.05},
    "top-k 40, top-p 0.9, min-p 0.02": {"top_k": 40, "top_p": 0.9, "min_p": 0.02},
}


class Logits:
    """A model that has the same logits for everything."""

    context = 1 << 30

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self.logits = np.random.default_rng(0).normal(0, 2, (1, 1, vocab_size)).astype(np.float32)

    def __call__(self, tokens: Any, **options: Any) -> Any:
        return self.logits


def microseconds(run: Callable[[], Any], times: int) -> float:
    """The time of one of `times` things that `run` does."""
    return min(timeit.repeat(run, number=1, repeat=RUNS)) / times * 1e6


def draws(vocab_size: int, setting: dict[str, Any]) -> float:
    """The time of one draw."""
    sampler, row = Sampler(**setting), Logits(vocab_size).logits[0, 0]
    times = TOKENS if vocab_size < 1000 else 5
    points = np.random.default_rng(0).random(times).tolist()
    return microseconds(lambda: [sampler.row(row, u) for u in points], times)


def main() -> None:
    print("one draw, µs                        V = 65   V = 50,257")
    for name, setting in SETTINGS.items():
        print(f"  {name:32} {draws(65, setting):7.1f} {draws(50_257, setting):12.1f}")
    model = Logits(65)
    print("a token beside the model, µs      generate       stream")
    for name in ("greedy", "temperature 0.8, top-k 10"):
        options = {**SETTINGS[name], "seed": 0, "cache": False}
        whole = microseconds(lambda: generate(model, [1], TOKENS, **options), TOKENS)  # noqa: B023
        pieces = microseconds(lambda: list(stream(model, [1], TOKENS, **options)), TOKENS)  # noqa: B023
        print(f"  {name:32} {whole:7.1f} {pieces:12.1f}")


if __name__ == "__main__":
    main()
