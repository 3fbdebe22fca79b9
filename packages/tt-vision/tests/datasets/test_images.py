"""ImageDataset: a batch is its images, a transform runs once for all of them, and the data stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_data import DataLoader
from tt_data.dataset import Dataset, fetch_many
from tt_tensor import Tensor
from tt_tensor.errors import IndexingError
from tt_vision.channels import channels_last
from tt_vision.datasets import DatasetError, ImageDataset

CLASSES = ("cat", "dog", "ox")


def dataset(count=7, shape=(3, 5, 4), **more):
    chance = np.random.default_rng(count)
    images = chance.integers(0, 256, (count, *shape[1:], shape[0]), np.uint8).transpose(0, 3, 1, 2)
    return ImageDataset(images, chance.integers(0, 3, count), CLASSES, **more)


def test_an_item_is_an_image_and_an_int():
    data = dataset()
    image, label = data[2]
    assert isinstance(image, Tensor)
    assert (image.shape, image.dtype, type(label)) == ((3, 5, 4), np.uint8, int)
    np.testing.assert_array_equal(image.array, data.data[2])
    assert label == data.targets[2]
    assert isinstance(data, Dataset)
    assert (len(data), data.classes, data.class_to_idx) == (7, CLASSES, {"cat": 0, "dog": 1, "ox": 2})


@given(st.lists(st.integers(-7, 6), max_size=130))
def test_a_batch_is_its_items(indices):
    data = dataset()
    images, labels = data.__getitems__(indices)
    assert (images.shape, images.dtype, labels.dtype) == ((len(indices), 3, 5, 4), np.uint8, np.int64)
    for at, index in enumerate(indices):
        image, label = data[index]
        np.testing.assert_array_equal(images.array[at], image.array)
        assert labels.array[at] == label


def test_a_batch_is_stored_with_the_channels_last():
    """Without a copy, therefore, for a layer."""
    images, _ = dataset().__getitems__([3, 1])
    assert np.shares_memory(channels_last(images.array), images.array)


def test_a_transform_gets_a_whole_batch_once():
    seen = []

    def halved(images):
        seen.append((type(images), images.dtype, images.shape))
        return images.astype(np.float32) / 2

    def negated(labels):
        seen.append((type(labels), labels.dtype, labels.shape))
        return -labels

    data = dataset(transform=halved, target_transform=negated)
    images, labels = data.__getitems__([5, 0])
    assert seen == [(np.ndarray, np.uint8, (2, 3, 5, 4)), (np.ndarray, np.int64, (2,))]
    np.testing.assert_array_equal(images.array, data.data[[5, 0]] / np.float32(2))
    np.testing.assert_array_equal(labels.array, -data.targets[[5, 0]])
    image, label = data[5]
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image.array, images.array[0])
    assert label == -data.targets[5]
    assert seen[2:] == [(np.ndarray, np.uint8, (1, 3, 5, 4)), (np.ndarray, np.int64, (1,))]


def test_what_is_delivered_is_ones_own():
    data = dataset()
    before = data.data.copy(), data.targets.copy()
    for images, labels in (data.__getitems__([0, 1]), (data[0][0], data.__getitems__([0])[1])):
        images.array[...] = 0
        labels.array[...] = 0
    np.testing.assert_array_equal(data.data, before[0])
    np.testing.assert_array_equal(data.targets, before[1])


def test_fetch_many_takes_the_batch_as_it_is():
    images, labels = fetch_many(dataset(), [1, 2])
    assert (images.shape, labels.shape) == ((2, 3, 5, 4), (2,))


def test_a_loader_asks_for_whole_batches():
    data = dataset(transform=lambda images: images.astype(np.float32))
    batches = list(DataLoader(data, batch_size=3))
    assert [images.shape for images, _ in batches] == [(3, 3, 5, 4), (3, 3, 5, 4), (1, 3, 5, 4)]
    for at, (images, labels) in enumerate(batches):
        rows = slice(3 * at, 3 * at + 3)
        assert (images.dtype, labels.dtype) == (np.float32, np.int64)
        np.testing.assert_array_equal(images.array, data.data[rows])
        np.testing.assert_array_equal(labels.array, data.targets[rows])


@pytest.mark.parametrize("index", [7, -8, 1.5, "1", None, slice(2)])
def test_an_index_that_is_none_is_refused(index):
    with pytest.raises(IndexingError, match="7 images"):
        dataset()[index]


def test_labels_may_be_a_list():
    made = ImageDataset(Tensor(np.zeros((2, 3, 4, 4), np.uint8)), [1, 0], ["cat", "dog"])
    assert [made[at][1] for at in (0, 1)] == [1, 0] and made.targets.dtype == np.int64


def test_a_batch_that_goes_beyond_is_refused():
    with pytest.raises(IndexingError, match=r"\[0, 7\]"):
        dataset().__getitems__([0, 7])


@pytest.mark.parametrize(
    ("data", "targets", "message"),
    [
        (np.zeros((2, 3, 4), np.uint8), np.zeros(2, int), r"\(2, 3, 4\)"),
        (np.zeros((2, 3, 4, 4)), np.zeros(2, int), "float64"),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros(3, int), r"\(3,\)"),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros((2, 1), int), r"\(2, 1\)"),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros(2), "float64"),
        (np.zeros((2, 3, 4, 4), np.uint8), np.array([0, 3]), "0 to 3, but there are 3"),
        (np.zeros((2, 3, 4, 4), np.uint8), np.array([0, -1]), "-1 to 0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(data, targets, message):
    with pytest.raises(DatasetError, match=message):
        ImageDataset(data, targets, CLASSES)


def test_its_repr_tells_what_it_is():
    assert repr(dataset()) == "ImageDataset(7 images of (3, 5, 4))"
    assert "transform=<built-in function abs>" in repr(dataset(transform=abs))


def test_an_empty_dataset_is_one():
    data = dataset(0)
    assert len(data) == 0
    assert data.__getitems__([])[0].shape == (0, 3, 5, 4)
