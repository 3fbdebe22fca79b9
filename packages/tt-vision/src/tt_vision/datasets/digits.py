"""Digits: 1,797 real handwritten digits, 8 by 8, in 36 kB that come with the package."""

from __future__ import annotations

import gzip
import hashlib
from importlib import resources
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tt_data.errors import DatasetError
from tt_vision.datasets.images import ImageDataset, Images, Labels, Transform

__all__ = ["Digits"]

FILE = "digits.bin.gz"
SHA256 = "048a9bd521864644fc90ba0fd31cb9b29b2ef23cf578fe832ee755a446ce5b73"
COUNT, SIDE = 1797, 8
HELD_OUT, SEED = 0.25, 0


class Digits(ImageDataset):
    """Handwritten digits, uint8 (N, 1, 8, 8) with values 0 (paper) to 16 (ink): 1,347 to learn from, 450 to test on.

    Args:
        root, download: taken so that Digits can stand where MNIST stands; nothing is looked for or fetched.
        train: the training images, or the test images.
        transform: what is done to each batch of images; see ImageDataset.
        target_transform: what is done to each batch of labels.

    The split is always the same: of the n images of each class round(n / 4), drawn once with seed 0, are the test
    images; both parts are shuffled. The images of one writer may be in both.

    Values go to 16 and not to 255: divide by 16 for 0 to 1. `mean` and `std` are, as with the other datasets, on
    the scale of `ToTensor`, which divides by 255.

    Raises DatasetError if the file that came with the package is missing or damaged.

    Source: Alpaydin, Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
    https://doi.org/10.24432/C50P49, CC BY 4.0 (see DIGITS-LICENSE beside this file).

    >>> digits = Digits(train=False)
    >>> image, label = digits[0]
    >>> len(digits), image.shape, label in digits.class_to_idx.values()
    (450, (1, 8, 8), True)
    """

    mean: ClassVar[tuple[float, ...]] = (0.01915,)
    std: ClassVar[tuple[float, ...]] = (0.02360,)

    def __init__(
        self,
        root: Any = None,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = True,
    ) -> None:
        self.train = train
        images, labels = _unpacked()
        rows = _split(labels)[0 if train else 1]
        names = [str(label) for label in range(10)]
        super().__init__(images[rows, None], labels[rows], names, transform, target_transform)


def _unpacked() -> tuple[Images, Labels]:
    """Labels, one bit a pixel that tells whether it is not 0, then value - 1 of each that is not, in four bits."""
    content = np.frombuffer(gzip.decompress(_verified()), np.uint8)
    labels, inked, nibbles = np.split(content, [COUNT, COUNT + COUNT * SIDE * SIDE // 8])
    mask = np.unpackbits(inked).astype(bool)
    values = np.stack([nibbles >> 4, nibbles & 15], axis=1).ravel() + np.uint8(1)
    pixels = np.zeros(mask.size, np.uint8)
    pixels[mask] = values[: np.count_nonzero(mask)]
    return pixels.reshape(COUNT, SIDE, SIDE), labels.astype(np.int64)


def _split(labels: Labels) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The places of the training and of the test images."""
    generator = np.random.default_rng(SEED)
    held = np.zeros(len(labels), bool)
    for label in range(10):
        members = np.flatnonzero(labels == label)
        held[generator.permutation(members)[: round(HELD_OUT * members.size)]] = True
    return generator.permutation(np.flatnonzero(~held)), generator.permutation(np.flatnonzero(held))


def _verified() -> bytes:
    file = resources.files("tt_vision.datasets") / FILE
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DatasetError(f"cannot read {file}: {error.strerror or error}; reinstall tt-vision") from error
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise DatasetError(f"{file} is damaged: expected sha256 {SHA256}, found {found}; reinstall tt-vision")
    return data
