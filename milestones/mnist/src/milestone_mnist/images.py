"""The images: to learn from, to choose the weights by, and to test on; and how they are delivered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from milestone_kit import KitError
from tt_data import DataLoader, Subset, TransformedDataset
from tt_tensor import Generator
from tt_tensor.errors import TTError
from tt_vision.datasets import MNIST, Digits, ImageDataset
from tt_vision.transforms import Compose, Normalize, RandomCrop

__all__ = ["EVALUATED", "Problem", "batches", "digits", "mnist", "shifted"]

Images = npt.NDArray[np.uint8]

EVALUATED = 250
"""Images in a batch where nothing is learned."""


@dataclass(frozen=True)
class Problem:
    """Images (N, 1, side, side) of ten digits, in three parts.

    `train` and `choose` are parts of the training images; `test` is the test set, which nothing but the final figures
    looks at.
    """

    name: str
    train: TransformedDataset
    """Moved by up to `reach` pixels, another way each time, and normalised."""
    choose: TransformedDataset
    """Normalised."""
    test: ImageDataset
    """As they are: uint8 from 0 (paper) to `ink`."""
    normalise: Normalize
    reach: int
    ink: int

    @property
    def side(self) -> int:
        """Height and width of an image."""
        return int(self.test.data.shape[-1])

    @property
    def pixels(self) -> int:
        """Numbers in an image."""
        return int(self.test.data[0].size)


def digits(seed: int) -> Problem:
    """The 8×8 digits that come with tt-vision: 1,147 to learn from, 200 to choose by, 450 to test on."""
    return _problem("digits", Digits(train=True), Digits(train=False), seed, choose=200, reach=1, ink=16)


def mnist(seed: int) -> Problem:
    """MNIST: 55,000 to learn from, 5,000 to choose by, 10,000 to test on.

    From TT_DATA_HOME or the cache, else downloaded. Raises KitError where it is not here and cannot be had.
    """
    try:
        train, test = MNIST(train=True), MNIST(train=False)
    except (TTError, OSError) as error:
        raise KitError(f"MNIST cannot be had: {error}") from error
    return _problem("mnist", train, test, seed, choose=5000, reach=2, ink=255)


def _problem(
    name: str, train: ImageDataset, test: ImageDataset, seed: int, choose: int, reach: int, ink: int
) -> Problem:
    """Which of the training images are only chosen by is drawn with `seed`."""
    normalise = Normalize(train.mean, train.std)
    moved = Compose([RandomCrop(train.data.shape[-1], padding=reach), normalise])
    order = np.random.default_rng(seed).permutation(len(train)).tolist()
    return Problem(
        name,
        Subset(train, order[choose:]).with_transform(moved),
        Subset(train, order[:choose]).with_transform(normalise),
        test,
        normalise,
        reach,
        ink,
    )


def batches(dataset: Any, size: int = EVALUATED, seed: int | None = None) -> DataLoader:
    """Batches of `size`; with a seed, in a new order each epoch, which can be gone on with in the middle."""
    if seed is None:
        return DataLoader(dataset, batch_size=size)
    return DataLoader(dataset, batch_size=size, shuffle=True, generator=Generator(seed))


def shifted(images: Images, by: int) -> Images:
    """Each of (N, C, H, W) moved by `by` pixels, the first one up, the next down, left, right, up …; 0 comes in."""
    outer = np.pad(images, ((0, 0), (0, 0), (by, by), (by, by)))
    height, width = images.shape[2:]
    moved = np.empty_like(images)
    for way, (top, left) in enumerate([(2 * by, by), (0, by), (by, 2 * by), (by, 0)]):
        moved[way::4] = outer[way::4, :, top : top + height, left : left + width]
    return moved
