"""Which images are in which part, and what is done to them."""

from __future__ import annotations

import numpy as np
import pytest

from milestone_kit import KitError
from milestone_mnist import images
from milestone_mnist.images import batches, digits, shifted
from tt_vision.datasets import DatasetError, Digits


def rows(part):
    return part.dataset.indices


def test_each_training_image_is_in_one_part(problem):
    assert (len(problem.train), len(problem.choose), len(problem.test)) == (1147, 200, 450)
    assert sorted(rows(problem.train) + rows(problem.choose)) == list(range(1347))


def test_no_test_image_is_among_those_that_are_shown(problem):
    """Two writers may have drawn the same 8×8 pixels; more than a few would mean that the parts are mixed up."""
    shown = {image.tobytes() for image in Digits(train=True).data}
    assert sum(image.tobytes() in shown for image in problem.test.data) <= 2
    np.testing.assert_array_equal(problem.test.data, Digits(train=False).data)


def test_a_seed_is_a_division(problem):
    assert rows(problem.choose) == rows(digits(0).choose) != rows(digits(1).choose)


def test_images_are_normalised(problem):
    (x, y), *_ = batches(problem.choose, 200)
    found = Digits(train=True).data[rows(problem.choose)].astype(np.float64) / 255
    np.testing.assert_allclose(x.numpy(), (found - Digits.mean[0]) / Digits.std[0], atol=1e-5)
    np.testing.assert_array_equal(y.numpy(), Digits(train=True).targets[rows(problem.choose)])
    assert abs(x.numpy().mean()) < 0.1
    assert abs(x.numpy().std() - 1) < 0.1


def test_images_to_learn_from_are_moved_by_up_to_the_reach(problem):
    """Each is one of the nine windows of its original with a border of paper, and all nine are used."""
    x = np.asarray(problem.train.__getitems__(range(400))[0])
    paper = problem.normalise(np.zeros((1, 1, 1, 1), np.uint8)).item()
    originals = problem.normalise(Digits(train=True).data[rows(problem.train)[:400]])
    outer = np.pad(originals, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=paper)
    used = np.zeros(9, int)
    for image, original in zip(x, outer, strict=True):
        windows = [original[:, i : i + 8, j : j + 8] for i in range(3) for j in range(3)]
        same = [np.allclose(image, window, atol=1e-5) for window in windows]
        assert any(same)
        used += same
    assert used.min() > 400 / 9 / 3


def test_batches_come_in_another_order_each_epoch_and_the_same_for_a_seed(small):
    one, same, other = (batches(small.train, 24, seed) for seed in (5, 5, 6))
    first, again, second, others = (
        [y.numpy().tolist() for _, y in loader] for loader in (one, same, one, other)
    )
    assert [len(batch) for batch in first] == [24, 24, 12]
    assert first == again != second != others != first
    assert sorted(y for batch in first for y in batch) == sorted(y for batch in second for y in batch)


@pytest.mark.parametrize("by", [0, 1, 3])
def test_shifted_is_the_loop(by):
    found = np.random.default_rng(0).integers(1, 256, (6, 1, 5, 7), dtype=np.uint8)
    expected = np.zeros_like(found)
    for n, image in enumerate(found):
        down, right = [(-by, 0), (by, 0), (0, -by), (0, by)][n % 4]
        for i in range(5):
            for j in range(7):
                if 0 <= i + down < 5 and 0 <= j + right < 7:
                    expected[n, 0, i + down, j + right] = image[0, i, j]
    np.testing.assert_array_equal(shifted(found, by), expected)


def test_mnist_that_cannot_be_had_is_a_clear_error(monkeypatch):
    def nowhere(**arguments):
        raise DatasetError("train-images is not here; put it there")

    monkeypatch.setattr(images, "MNIST", nowhere)
    with pytest.raises(KitError, match="MNIST cannot be had: train-images is not here; put it there"):
        images.mnist(0)
