"""Mini-batches in a new order each epoch, which can stop anywhere and go on there."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from milestone_spirals.spirals import Points
from tt_optim.training import ReplayError
from tt_tensor import Tensor, tensor

__all__ = ["Shuffled", "whole"]


class Shuffled:
    """An epoch is every point once, in batches of `size` (the last one may be smaller).

    The order of an epoch depends on the seed and its number alone, so a position is two numbers:
    `state_dict` gives them, and after `load_state_dict` the next iteration goes on at the very next batch.
    """

    def __init__(self, points: Points, size: int, seed: int) -> None:
        self.points, self.size, self.seed = points, size, seed
        self.epoch = 0
        self.position = 0
        """How many batches of this epoch were given out."""
        self._skip = 0

    def __len__(self) -> int:
        return -(-len(self.points) // self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.points))
        self.position, self._skip = self._skip, 0
        while self.position < len(self):
            chosen = order[self.position * self.size : (self.position + 1) * self.size]
            self.position += 1
            yield tensor(self.points.places[chosen]), tensor(self.points.arms[chosen])  # (size, 2), (size,)
        self.epoch, self.position = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Where it stands, and of which points and orders that is true."""
        return {"epoch": self.epoch, "position": self.position, "data": self._fingerprint()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go there. Raises ReplayError where these are other points, or would come in another order."""
        if state_dict["data"] != self._fingerprint():
            raise ReplayError(
                "the points, their order or the size of a batch are not those of the checkpoint"
            )
        self.epoch, self._skip = int(state_dict["epoch"]), int(state_dict["position"])
        self.position = self._skip

    def _fingerprint(self) -> list[int]:
        content = zlib.crc32(self.points.arms.tobytes(), zlib.crc32(self.points.places.tobytes()))
        return [content, self.size, self.seed]


def whole(points: Points) -> list[tuple[Tensor, Tensor]]:
    """All points as one batch, for evaluation."""
    return [(tensor(points.places), tensor(points.arms))]
