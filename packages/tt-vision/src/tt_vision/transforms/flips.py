"""RandomHorizontalFlip and RandomVerticalFlip: a cat looks left as often as right."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_vision.transforms.arguments import share_of
from tt_vision.transforms.drawing import RandomTransform, checked_generator
from tt_vision.transforms.images import opened, seen, stored

__all__ = ["RandomHorizontalFlip", "RandomVerticalFlip", "horizontal_flip", "vertical_flip"]

FEW = 4
"""Up to so many channels that lie side by side, each is turned by itself: longer loops than over the pixels."""


def horizontal_flip(images: Any) -> Any:
    """y[n, c, i, j] = x[n, c, i, W - 1 - j]."""
    given = opened(images, "horizontal_flip")
    return given.close(flipped(given.pixels, 3, np.ones(len(given.pixels), bool)))


def vertical_flip(images: Any) -> Any:
    """y[n, c, i, j] = x[n, c, H - 1 - i, j]."""
    given = opened(images, "vertical_flip")
    return given.close(flipped(given.pixels, 2, np.ones(len(given.pixels), bool)))


def flipped(pixels: Any, axis: int, which: Any) -> Any:
    """A copy of (N, C, H, W) in which the images of the mask `which` (N,) are turned round along `axis`, 2 or 3."""
    memory, last = stored(pixels)
    out = memory.copy()
    some = memory[which]
    if last and axis == 3 and some.shape[-1] <= FEW:
        turned = np.empty_like(some)
        for channel in range(some.shape[-1]):
            turned[..., channel] = some[:, :, ::-1, channel]
        out[which] = turned
    else:
        out[which] = np.flip(some, axis - 1 if last else axis)
    return seen(out, last)


class _RandomFlip(RandomTransform):
    axis: int

    def __init__(self, p: float = 0.5, *, generator: Any = None) -> None:
        name = type(self).__name__
        self.p, self.generator = share_of(name, "p", p), checked_generator(name, generator)

    def draw(self, shape: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[Any, ...]:
        """Whether to flip: bools (N,)."""
        return (rng.random(shape[0]) < self.p,)

    def apply(self, pixels: Any, *draws: Any) -> Any:
        """The flipped ones flipped."""
        return flipped(pixels, self.axis, draws[0])


class RandomHorizontalFlip(_RandomFlip):
    """Each image, with probability `p`, with left and right exchanged. Raises ArgumentError for a p that is none."""

    axis = 3


class RandomVerticalFlip(_RandomFlip):
    """Each image, with probability `p`, upside down. Raises ArgumentError for a p that is none."""

    axis = 2
