"""The digits: the right bytes, and splits that keep their promises."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milestone_kit import DigitsError, digits
from milestone_kit.digits import folds, load_digits, split

# Of the images as uint8 (1797, 8, 8) and of the labels as uint8, computed from scikit-learn's own
# load_digits() with sha256(array.astype("uint8").tobytes()).
IMAGES_SHA256 = "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
LABELS_SHA256 = "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0"


def test_every_pixel_and_label_is_scikit_learns():
    images, labels = load_digits()
    assert (images.shape, images.dtype) == ((1797, 8, 8), np.uint8)
    assert (labels.shape, labels.dtype) == ((1797,), np.int64)
    assert hashlib.sha256(images.tobytes()).hexdigest() == IMAGES_SHA256
    assert hashlib.sha256(labels.astype(np.uint8).tobytes()).hexdigest() == LABELS_SHA256
    assert images.max() == 16


def test_the_counts_are_those_of_the_description():
    _, labels = load_digits()
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_what_is_loaded_is_ones_own():
    images, labels = load_digits()
    images[:], labels[:] = 0, 0
    again, _ = load_digits()
    assert again.max() == 16


def test_the_file_is_small_and_its_licence_is_beside_it():
    folder = digits.resources.files("milestone_kit")
    assert len((folder / "digits.bin.gz").read_bytes()) < 40_000
    licence = (folder / "DIGITS-LICENSE").read_text(encoding="utf-8")
    for word in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0", "What was changed", "scikit-learn"):
        assert word in licence


@pytest.mark.parametrize("damage", ["one bit", "cut short", "another file", "missing"])
def test_a_damaged_file_is_named_with_both_digests(damage, tmp_path, monkeypatch):
    data = bytearray((digits.resources.files("milestone_kit") / "digits.bin.gz").read_bytes())
    if damage == "one bit":
        data[1000] ^= 1
    elif damage == "cut short":
        del data[-10:]
    elif damage == "another file":
        data = bytearray(gzip.compress(bytes(1797)))
    path = tmp_path / "digits.bin.gz"
    if damage != "missing":
        path.write_bytes(data)
    monkeypatch.setattr(digits.resources, "files", lambda package: tmp_path)
    with pytest.raises(DigitsError, match="reinstall milestone-kit") as caught:
        load_digits()
    assert "digits.bin.gz" in str(caught.value)
    if damage != "missing":
        assert digits.SHA256 in str(caught.value)
        assert hashlib.sha256(data).hexdigest() in str(caught.value)


labelled = st.lists(st.integers(2, 30), min_size=1, max_size=5).map(
    lambda counts: np.repeat(np.arange(len(counts)), counts)
)


def numbered(labels):
    """Images that carry their own number, so that each can be recognised."""
    numbers = np.arange(len(labels), dtype=np.uint16)
    return np.stack([numbers >> 8, numbers & 255], axis=-1).astype(np.uint8).reshape(-1, 1, 2)


def number_of(images):
    return images[:, 0, 0].astype(int) * 256 + images[:, 0, 1]


@settings(max_examples=50)
@given(labelled, st.floats(0.05, 0.95), st.integers(0, 2**32 - 1))
def test_a_split_is_disjoint_whole_and_stratified(labels, held_out, seed):
    part = split(numbered(labels), labels, held_out, seed)
    train, test = number_of(part.train_images), number_of(part.test_images)
    assert sorted([*train, *test]) == list(range(len(labels)))
    np.testing.assert_array_equal(labels[train], part.train_labels)
    np.testing.assert_array_equal(labels[test], part.test_labels)
    for label, count in enumerate(np.bincount(labels)):
        held = int((part.test_labels == label).sum())
        assert 1 <= held < count
        assert abs(held - held_out * count) <= 1


@settings(max_examples=50)
@given(labelled, st.integers(2, 2), st.integers(0, 2**32 - 1))
def test_folds_hold_every_image_out_exactly_once(labels, count, seed):
    parts = folds(numbered(labels), labels, count, seed)
    held = np.concatenate([number_of(part.test_images) for part in parts])
    assert sorted(held) == list(range(len(labels)))
    for part in parts:
        train, test = number_of(part.train_images), number_of(part.test_images)
        assert sorted([*train, *test]) == list(range(len(labels)))
        np.testing.assert_array_equal(labels[test], part.test_labels)
        of_each = np.bincount(part.test_labels, minlength=labels.max() + 1)
        assert np.all(np.abs(of_each - np.bincount(labels) / count) < 1)


def test_the_seed_is_all_there_is_to_a_split():
    images, labels = load_digits()
    one, same, other = (split(images, labels, seed=seed).test_labels for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    first, again, another = (folds(images, labels, seed=seed)[0].test_labels for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, another)


def test_a_split_is_shuffled():
    images, labels = load_digits()
    part = split(images, labels)
    for found in (part.train_labels, part.test_labels):
        assert np.any(np.diff(found) < 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda i, n: split(i, n, held_out=0.0), "between 0 and 1"),
        (lambda i, n: split(i, n, held_out=1.0), "between 0 and 1"),
        (lambda i, n: split(i, n, held_out=float("nan")), "between 0 and 1"),
        (lambda i, n: split(i, n[:-1]), "one label an image"),
        (lambda i, n: split(i[:1], n[:1]), "class 0 has too few images"),
        (lambda i, n: folds(i, n, 1), "2 or more"),
        (lambda i, n: folds(i, n, 200), "class 0 has too few images"),
    ],
)
def test_an_impossible_split_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(*load_digits())
