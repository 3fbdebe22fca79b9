"""Tiny Shakespeare as tokens, in nanoGPT's split: what is learned from, and what is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from milestone_tinygpt.recipes import Recipe
from tt_data import DataLoader
from tt_tensor import Tensor, tensor
from tt_text import BPETokenizer, CharTokenizer, Tokenizer
from tt_text.datasets import RandomBlocks, TinyShakespeare, TokenDataset

__all__ = ["CHARACTERS", "Corpus", "batches", "estimate", "shakespeare", "whole"]

CHARACTERS = 65
"""Different characters of the text."""

AT_ONCE = 32
"""Blocks that are judged at once."""

ESTIMATED = 240
"""Blocks of the estimate while it learns: as many as nanoGPT draws, 20 batches of 12."""


@dataclass(frozen=True)
class Corpus:
    """A text in two parts, and the tokens that it becomes."""

    tokenizer: Tokenizer
    train: npt.NDArray[np.int64]
    val: npt.NDArray[np.int64]
    characters: int
    """Characters of the validation split that have to be predicted: all but those of its first token."""
    lines: tuple[str, ...]
    """The first lines of the validation split, to look at."""

    @property
    def vocab_size(self) -> int:
        """How many tokens there are."""
        return self.tokenizer.vocab_size

    @property
    def characters_per_token(self) -> float:
        """Of the validation split."""
        return self.characters / (len(self.val) - 1)


def shakespeare(tokenizer: str, vocab_size: int) -> Corpus:
    """The first 90 % to learn from, the rest to judge by.

    Args:
        tokenizer: "char": the 65 characters, sorted; "bpe": a BPE that is trained on the first part alone.
        vocab_size: tokens of the BPE.
    """
    train, val = TinyShakespeare("train").text, TinyShakespeare("val").text
    if tokenizer == "bpe":
        made: Tokenizer = BPETokenizer.train(train, vocab_size)
    else:
        made = CharTokenizer.from_text([train, val])
    ids = np.array(made.encode(val), np.int64)
    first = len(made.decode(ids[:1]))
    lines = tuple(line for line in val[:4000].splitlines() if line)
    return Corpus(made, np.array(made.encode(train), np.int64), ids, len(val) - first, lines)


def batches(corpus: Corpus, recipe: Recipe, seed: int) -> DataLoader:
    """Batches of random blocks (batch, block), `evaluate_every` in a pass; the next pass goes on in the stream.

    Args:
        corpus, recipe: whose first part is read, and in what blocks.
        seed: draws the blocks.
    """
    blocks = TokenDataset(corpus.train, recipe.block, stride=1)
    return DataLoader(blocks, batch_sampler=RandomBlocks(blocks, recipe.batch, recipe.evaluate_every, seed))


def whole(tokens: npt.NDArray[np.int64], block: int) -> list[tuple[Tensor, Tensor]]:
    """All of `tokens` but the first as targets, each once: blocks side by side, the shorter one at the end too."""
    blocks = TokenDataset(tokens, block)
    batches = list(DataLoader(blocks, AT_ONCE))
    rest = tokens[len(blocks) * block :]
    if len(rest) > 1:
        batches.append((tensor(rest[None, :-1]), tensor(rest[None, 1:])))
    return batches


def estimate(tokens: npt.NDArray[np.int64], block: int) -> list[tuple[Tensor, Tensor]]:
    """So many blocks of `tokens`, evenly spread and the same each time: an eighth of the price of `whole`."""
    blocks = TokenDataset(tokens, block)
    count = min(ESTIMATED, len(blocks))
    chosen = np.linspace(0, len(blocks) - 1, count).astype(int)
    cut = [chosen[at : at + AT_ONCE].tolist() for at in range(0, count, AT_ONCE)]
    return list(DataLoader(blocks, batch_sampler=cut))
