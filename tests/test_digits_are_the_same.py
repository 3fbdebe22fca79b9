"""milestone-kit and tt-vision each bring the digits, since neither may import the other: the same bytes, one split."""

from importlib import resources

import numpy as np

from milestone_kit.digits import load_digits, split
from tt_vision.datasets import Digits


def test_both_packages_bring_the_same_file():
    kit, vision = (
        (resources.files(package) / "digits.bin.gz").read_bytes()
        for package in ("milestone_kit", "tt_vision.datasets")
    )
    assert kit == vision


def test_both_split_it_in_the_same_way():
    parts = split(*load_digits())
    for train, images, labels in (
        (True, parts.train_images, parts.train_labels),
        (False, parts.test_images, parts.test_labels),
    ):
        digits = Digits(train=train)
        np.testing.assert_array_equal(digits.data[:, 0], images)
        np.testing.assert_array_equal(digits.targets, labels)
