"""On CIFAR-10 itself: what the first steps must bring, in a band that a regression leaves."""

from __future__ import annotations

import io

import numpy as np

from milestone_cifar10.images import Images
from milestone_cifar10.recipe import SHORT
from milestone_cifar10.training import convolutional, train
from milestone_kit.progress import Progress
from milestone_kit.screen import Screen
from tt_vision.datasets import ImageDataset


def part(images: ImageDataset, count: int) -> ImageDataset:
    return ImageDataset(images.data[:count], images.targets[:count], images.classes)


def test_the_first_steps_bring_the_accuracy_that_they_should(real):
    assert (len(real.train), len(real.test)) == (50_000, 10_000)
    assert np.bincount(real.train.targets).tolist() == [5000] * 10
    few = Images(part(real.train, 50_000), part(real.test, 1000))
    with Progress(Screen(io.StringIO(), quiet=True), 20, "first steps") as bar:
        result = train(convolutional(SHORT, few, 0), few, SHORT, 0, bar, steps=20)
    # Measured over seeds 0 to 9: see the README.
    assert 20 < result.accuracy < 48
