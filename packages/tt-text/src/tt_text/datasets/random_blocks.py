"""RandomBlocks: batches of random indices, an endless stream that can be resumed at any place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from typing import Any

import numpy as np

from tt_data import Sampler
from tt_data.arguments import count
from tt_data.errors import LoaderStateError
from tt_tensor.errors import ArgumentError

__all__ = ["RandomBlocks"]

PIECE = 256
"""Batches that are drawn at a time."""


class RandomBlocks(Sampler):
    """Batches of indices, each index uniform from all and independent: how language models are mostly trained.

        blocks = TokenDataset(tokens, block_size=64, stride=1)
        for x, y in DataLoader(blocks, batch_sampler=RandomBlocks(blocks, batch_size=12, batches=2000)): ...

    Args:
        data_source: what has the length to draw from; a TokenDataset with stride=1 has a block at every token.
        batch_size: indices of a batch.
        batches: how many batches one pass has. The next pass goes on in the stream.
        seed: the same seed gives the same stream, from 0 up.

    Batch b follows from the seed and b alone, so its state is a number: `state_dict` and `load_state_dict` go to any
    place at once.

    Raises ArgumentError for numbers that are none, or an empty data_source.
    """

    def __init__(self, data_source: Sized, batch_size: int, batches: int, seed: int = 0) -> None:
        self.data_source = data_source
        self.batch_size = count("RandomBlocks", "batch_size", batch_size, least=1)
        self.batches = count("RandomBlocks", "batches", batches)
        self.seed = count("RandomBlocks", "seed", seed)
        if not len(data_source):
            raise ArgumentError("RandomBlocks: there is nothing to draw from; the dataset is empty")
        self.batch = 0
        """The batch of the stream that comes next."""
        self._left: int | None = None  # in the pass that is under way
        self._resume: int | None = None  # in the pass that comes next, where it is none of full length
        self._newest: object = None

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        left, self._resume = self.batches if self._resume is None else self._resume, None
        return self._pass(left)

    def _pass(self, left: int) -> Iterator[list[int]]:
        number, drawn = -1, np.empty((0, 0), np.intp)
        this = self._newest = object()
        try:
            while left:
                piece, row = divmod(self.batch, PIECE)
                if piece != number:
                    rng = np.random.default_rng((self.seed, piece))
                    number = piece
                    drawn = rng.integers(0, len(self.data_source), (PIECE, self.batch_size))
                left -= 1
                self.batch, self._left = self.batch + 1, left
                yield drawn[row].tolist()
        finally:
            if self._newest is this:
                self._left = None  # also where the pass was broken off

    def state_dict(self) -> dict[str, Any]:
        """Which batch comes next, and how many are left in a pass that is under way."""
        left = self._left if self._resume is None else self._resume
        return {"batch": self.batch, "left": left, "made": self._made()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go there: the next pass begins with that batch, and is as long as what was left.

        Raises LoaderStateError for the state of other blocks, or none; then nothing has changed.
        """
        try:
            batch, left, made = state["batch"], state["left"], state["made"]
        except (KeyError, TypeError) as error:
            raise LoaderStateError("RandomBlocks: this is no state of random blocks") from error
        if made != self._made():
            raise LoaderStateError(
                f"RandomBlocks: the state is of other blocks: {made!r} then, {self._made()!r} now"
            )
        whole = all(type(number) is int and number >= 0 for number in (batch, left or 0))
        if not whole or (left or 0) > self.batches:
            raise LoaderStateError(f"RandomBlocks: batch {batch!r} with {left!r} left cannot be")
        self.batch, self._resume, self._left = batch, left or None, None

    def _made(self) -> dict[str, int]:
        """What the stream follows from."""
        return {"samples": len(self.data_source), "batch_size": self.batch_size, "seed": self.seed}
