"""The 60,000 images: loaders with and without augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from milestone_cifar10.recipe import Recipe
from milestone_kit import UsageError
from tt_data import DataLoader
from tt_data.download_errors import DownloadError
from tt_tensor import Generator
from tt_vision.datasets import CIFAR10, DatasetError, ImageDataset
from tt_vision.transforms import Compose, Normalize, RandomCrop, RandomHorizontalFlip

__all__ = ["Images", "load", "plain", "sample", "training_loader"]

SEEN_AT_ONCE = 500
"""Images of a batch that is only looked at."""


@dataclass(frozen=True)
class Images:
    """What to learn from, and what to be tested on."""

    train: ImageDataset
    test: ImageDataset


def load(root: str | None, download: bool = True) -> Images:
    """Both parts, verified. Raises UsageError, which says which file to put where, if they cannot be had."""
    try:
        return Images(
            CIFAR10(root, train=True, download=download), CIFAR10(root, train=False, download=download)
        )
    except (DatasetError, DownloadError) as error:
        raise UsageError(str(error)) from error


def training_loader(images: ImageDataset, recipe: Recipe, seed: int) -> DataLoader:
    """Full batches in a new order each epoch, each image moved by a few pixels and mirrored half the time."""
    augment = Compose(
        [
            RandomCrop(32, padding=recipe.shift, padding_mode="reflect"),
            RandomHorizontalFlip(),
            Normalize(CIFAR10.mean, CIFAR10.std),
        ]
    )
    augmented = ImageDataset(images.data, images.targets, images.classes, transform=augment)
    return DataLoader(
        augmented, batch_size=recipe.batch, shuffle=True, drop_last=True, generator=Generator(seed)
    )


def plain(images: ImageDataset, batch: int = SEEN_AT_ONCE) -> DataLoader:
    """All images as they are, in their order."""
    normalized = ImageDataset(
        images.data, images.targets, images.classes, transform=Normalize(CIFAR10.mean, CIFAR10.std)
    )
    return DataLoader(normalized, batch_size=batch)


def sample(images: ImageDataset, count: int, seed: int) -> Any:
    """`count` images as the network sees them, for the whitening: (count, 3, 32, 32) float32."""
    rows = np.random.default_rng(seed).choice(len(images), min(count, len(images)), replace=False)
    return Normalize(CIFAR10.mean, CIFAR10.std)(images.data[rows])
