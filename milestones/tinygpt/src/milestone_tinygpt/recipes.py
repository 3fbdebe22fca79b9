"""Recipes: every number that a training depends on beside the text and the seed.

The learning rate of step t is the base times height(t):

    t < warm_up:   (t + 1) / (warm_up + 1)
    "cosine":      least + (1 - least) (1 + cos(π s)) / 2,    s = (t - warm_up) / (steps - warm_up)
    "linear":      least + (1 - least) (1 - s)
    "constant":    1
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

__all__ = ["FAST", "JUDGED", "NANOGPT", "RECIPES", "Height", "Recipe", "bits"]

JUDGED = 64
"""Tokens of a block in which the validation split is read: with more context each is easier to tell."""


@dataclass(frozen=True)
class Recipe:
    """A network and how to train it."""

    name: str
    steps: int
    lr: float
    """The highest learning rate, of AdamW."""
    bar: float
    """The most that the loss on the whole validation split may be, in nats per character."""
    quick_band: tuple[float, float]
    """Where it has to be after `quick_steps` steps, the schedule with it: what is far better has seen what comes."""

    architecture: str = "gpt"
    """"gpt": GPT-2's, with learned positions; "llama": rotary positions, RMS norms, gated MLPs."""
    layers: int = 4
    heads: int = 4
    width: int = 128
    hidden: int | None = None
    """Features inside an MLP; by default 4 · width, of a "llama" ⅔ of that, rounded up to a multiple of 32."""
    dropout: float = 0.0
    tied: bool = True
    """Whether the head is the table of embeddings."""
    embedding_std: float = 0.02
    """Of the numbers that the table begins with."""

    block: int = 64
    batch: int = 12
    judged_in: int = JUDGED
    """Tokens of a block in which it is judged."""

    optimizer: str = "adamw"
    """"adamw" for all, or "muon" for the matrices inside of the layers and AdamW for the rest."""
    betas: tuple[float, float] = (0.9, 0.99)
    decay: float = 0.1
    """Weight decay of matrices, tables of embeddings included; vectors have none."""
    muon_lr: float = 0.02
    """The highest learning rate of Muon."""
    momentum: float = 0.95
    muon_decay: float = 0.0
    clip: float | None = 1.0
    """The most that the gradient's norm may be."""
    ema: float | None = None
    """Judge an average of the weights along the way, with this decay."""

    schedule: str = "cosine"
    warm_up: int = 100
    least: float = 0.1
    """What is left of the learning rate at the end."""

    evaluate_every: int = 250
    quick_steps: int = 250

    def shortened(self, steps: int) -> Recipe:
        """The same in `steps` steps: warm-up and schedule keep their shares."""
        warm_up = self.warm_up * steps // self.steps
        return replace(
            self, steps=steps, warm_up=warm_up, evaluate_every=min(self.evaluate_every, -(-steps // 3))
        )

    @property
    def height(self) -> Height:
        """What the learning rates are multiplied by, step by step."""
        return Height(self.schedule, self.warm_up, self.steps, self.least)


@dataclass(frozen=True)
class Height:
    """height(t), as above."""

    schedule: str
    warm_up: int
    steps: int
    least: float

    def __call__(self, t: int) -> float:
        if t < self.warm_up:
            return (t + 1) / (self.warm_up + 1)
        if self.schedule == "constant":
            return 1.0
        s = min((t - self.warm_up) / max(self.steps - self.warm_up, 1), 1.0)
        left = 1 - s if self.schedule == "linear" else (1 + math.cos(math.pi * s)) / 2
        return self.least + (1 - self.least) * left


def bits(nats: float) -> float:
    """The same number of bits."""
    return nats / math.log(2)


NANOGPT = Recipe(name="nanogpt", steps=2000, lr=2e-3, bar=1.90, quick_band=(2.34, 2.47))
"""nanoGPT's for CPUs, but for twice its learning rate: A. Karpathy, https://github.com/karpathy/nanoGPT, README.

With 1e-3, as it stands there, PyTorch ends at 1.90 on the whole validation split and so does this; the 1.88 that its
author published is an estimate over 20 batches. With 2e-3 both end well below.
"""

FAST = Recipe(
    name="fast",
    steps=340,
    lr=3e-3,
    bar=1.88,
    quick_band=(1.87, 1.99),
    architecture="llama",
    layers=3,
    hidden=344,
    batch=16,
    optimizer="muon",
    betas=(0.9, 0.98),
    decay=0.0,
    schedule="linear",
    warm_up=40,
    least=0.0,
    evaluate_every=85,
)
"""The same data, split and number of parameters at most; all else is free.

What makes it fast: rotary positions and gated MLPs learn to look back in fewer steps, Muon moves every direction of a
matrix by the same amount, which halves their number once more, and three layers are enough for what a character needs.
"""

RECIPES = {recipe.name: recipe for recipe in (NANOGPT, FAST)}
