"""Text as the model writes it, and how fast."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

from milestone_kit import Options, Session
from tt_nn.shards import one_blas_thread
from tt_text import LanguageModel, Tokenizer, generate

__all__ = ["Sampling", "above", "shown", "speed_of"]

RUNS = 3


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn."""

    temperature: float
    top_k: int | None
    top_p: float | None
    seed: int

    @classmethod
    def of(cls, options: Options) -> Sampling:
        """As the options say."""
        return cls(options.temperature, options.top_k, options.top_p, options.seed)

    @property
    def arguments(self) -> dict[str, Any]:
        """For `generate` and `stream`."""
        return vars(self)

    def text(self, model: LanguageModel, tokenizer: Tokenizer, prompt: str, count: int) -> str:
        """The prompt and what the model makes of it."""
        with one_blas_thread():  # the products are too small for two
            written: str = generate(model, prompt, count, tokenizer=tokenizer, **self.arguments)
        return written


def speed_of(model: LanguageModel) -> float:
    """Tokens a second, one at a time, with the cache, as many as the model reads at once; the best of a few runs."""
    count = model.context - 1
    took = []
    for _ in range(RUNS):
        started = time.perf_counter()
        with one_blas_thread():
            generate(model, [0], count, temperature=0.0)
        took.append(time.perf_counter() - started)
    return count / min(took)


def above(session: Session) -> Callable[[str], None]:
    """Prints a line above the bar that moves, where there is one."""
    screen = session.screen
    if screen.live:
        return lambda text: screen.console.print(shown(text, screen.stream), soft_wrap=True)
    return lambda text: screen.say(shown(text, screen.stream))


def shown(text: str, stream: TextIO) -> str:
    """`text` as the stream can print it: what it has no character for is a question mark."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
