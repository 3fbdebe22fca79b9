"""The UCI handwritten digits: 1,797 real 8 by 8 images, with their labels, in 36 kB.

Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, 1998, https://doi.org/10.24432/C50P49, CC BY 4.0 (see DIGITS-LICENSE beside this file).
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt

from milestone_kit.errors import DigitsError

__all__ = ["Split", "folds", "load_digits", "split"]

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

FILE = "digits.bin.gz"
SHA256 = "048a9bd521864644fc90ba0fd31cb9b29b2ef23cf578fe832ee755a446ce5b73"
COUNT, SIDE = 1797, 8


def load_digits() -> tuple[Images, Labels]:
    """The images, uint8 of shape (1797, 8, 8) with values 0 (paper) to 16 (ink), and the labels 0 to 9.

    The labels are int64 of shape (1797,). Both arrays are new at each call. Raises
    :class:`DigitsError` if the file that came with the package is missing or is not the one shipped.

    >>> images, labels = load_digits()
    >>> images.shape, images.dtype, int(images.max()), labels[:10].tolist()
    ((1797, 8, 8), dtype('uint8'), 16, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    content = np.frombuffer(gzip.decompress(_verified()), np.uint8)
    bits = COUNT * SIDE * SIDE // 8
    labels, inked, nibbles = np.split(content, [COUNT, COUNT + bits])
    mask = np.unpackbits(inked).astype(bool)
    values = np.stack([nibbles >> 4, nibbles & 15], axis=1).ravel() + np.uint8(1)
    pixels = np.zeros(mask.size, np.uint8)
    pixels[mask] = values[: np.count_nonzero(mask)]
    return pixels.reshape(COUNT, SIDE, SIDE), labels.astype(np.int64)


@dataclass(frozen=True)
class Split:
    """Images and labels to learn from, and others that were held out."""

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels


def split(images: Images, labels: Labels, held_out: float = 0.25, seed: int = 0) -> Split:
    """Hold out ``round(held_out * n)`` of the n images of each class, drawn by `seed`.

    images (N, H, W), labels (N,). Both parts come shuffled; together they are all the images, each
    once. Each class keeps at least one image on either side. Raises ValueError if `held_out` is not
    between 0 and 1, if the lengths differ, or if a class has a single image.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must lie between 0 and 1, not {held_out}")
    generator = np.random.default_rng(seed)
    parts = np.empty(len(labels), np.int64)
    for _, members in _classes(images, labels, 2):
        count = min(max(round(held_out * members.size), 1), members.size - 1)
        parts[generator.permutation(members)] = np.arange(members.size) >= count
    return _held_out(images, labels, parts == 0, generator)


def folds(images: Images, labels: Labels, count: int = 5, seed: int = 0) -> list[Split]:
    """`count` splits, drawn by `seed`, in which every image is held out exactly once.

    Each class is dealt evenly over the folds. Accuracy over all of them rests on every image instead
    of on a few. Raises ValueError if `count` is below 2, if the lengths differ, or if a class has
    fewer images than folds.
    """
    if count < 2:
        raise ValueError(f"count must be 2 or more, not {count}")
    generator = np.random.default_rng(seed)
    parts = np.empty(len(labels), np.int64)
    for _, members in _classes(images, labels, count):
        parts[generator.permutation(members)] = np.arange(members.size) % count
    return [_held_out(images, labels, parts == part, generator) for part in range(count)]


def _classes(images: Images, labels: Labels, least: int) -> Iterator[tuple[int, Labels]]:
    """Each class and the places of its images; ValueError if there are fewer than `least`."""
    if len(images) != len(labels):
        raise ValueError(f"one label an image is needed, got {len(images)} images and {len(labels)} labels")
    for label in np.unique(labels).tolist():
        members = np.flatnonzero(labels == label)
        if members.size < least:
            raise ValueError(f"class {label} has too few images to be held out: {members.size}, not {least}")
        yield label, members


def _held_out(
    images: Images, labels: Labels, held: npt.NDArray[np.bool_], generator: np.random.Generator
) -> Split:
    train, test = generator.permutation(np.flatnonzero(~held)), generator.permutation(np.flatnonzero(held))
    return Split(images[train], labels[train], images[test], labels[test])


def _verified() -> bytes:
    file = resources.files("milestone_kit") / FILE
    advice = "reinstall milestone-kit"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DigitsError(f"cannot read {file}: {error.strerror or error}; {advice}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise DigitsError(f"{file} is damaged: expected sha256 {SHA256}, found {found}; {advice}")
    return data
