"""Digits: the right bytes, and a split that is always the same."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest

from tt_vision.datasets import DatasetError, Digits, digits

# Of the images of scikit-learn's load_digits() as uint8 (1797, 8, 8), each with its label as a first byte, sorted.
SORTED_SHA256 = "1b6a09f730bfe751d1f30985598ff7efda82a45af4d78e296c3c508586c103ad"


def both():
    return Digits(train=True), Digits(train=False)


def test_every_image_is_in_one_part_once():
    train, test = both()
    assert (train.data.shape, test.data.shape) == ((1347, 1, 8, 8), (450, 1, 8, 8))
    assert (train.data.dtype, train.targets.dtype) == (np.uint8, np.int64)
    lines = sorted(
        bytes([label]) + image.tobytes()
        for part in (train, test)
        for image, label in zip(part.data, part.targets, strict=True)
    )
    assert hashlib.sha256(b"".join(lines)).hexdigest() == SORTED_SHA256
    assert train.data.max() == 16


def test_a_quarter_of_each_class_is_held_out():
    train, test = (np.bincount(part.targets, minlength=10) for part in both())
    np.testing.assert_array_equal(test, np.round((train + test) / 4))
    for part in both():
        assert np.any(np.diff(part.targets) < 0)  # shuffled


def test_mean_and_std_are_those_of_the_training_images():
    scaled = Digits().data / 255
    np.testing.assert_allclose((scaled.mean(), scaled.std()), (Digits.mean[0], Digits.std[0]), atol=5e-5)


def test_it_can_stand_where_mnist_stands():
    data = Digits("anywhere", False, lambda images: images / np.float32(16), None, False)
    image, label = data[0]
    assert (image.shape, image.dtype, float(image.array.max()), data.classes[label]) == (
        (1, 8, 8), np.float32, 1.0, str(label))  # fmt: skip


def test_its_licence_is_beside_it():
    folder = digits.resources.files("tt_vision.datasets")
    licence = (folder / "DIGITS-LICENSE").read_text(encoding="utf-8")
    for word in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0", "What was changed"):
        assert word in licence


@pytest.mark.parametrize("damage", ["one bit", "cut short", "another file", "missing"])
def test_a_damaged_file_is_named_with_both_digests(damage, tmp_path, monkeypatch):
    data = bytearray((digits.resources.files("tt_vision.datasets") / digits.FILE).read_bytes())
    if damage == "one bit":
        data[1000] ^= 1
    elif damage == "cut short":
        del data[-10:]
    elif damage == "another file":
        data = bytearray(gzip.compress(bytes(1797)))
    if damage != "missing":
        (tmp_path / digits.FILE).write_bytes(data)
    monkeypatch.setattr(digits.resources, "files", lambda package: tmp_path)
    with pytest.raises(DatasetError, match="reinstall tt-vision") as caught:
        Digits()
    if damage != "missing":
        assert digits.SHA256 in str(caught.value)
        assert hashlib.sha256(data).hexdigest() in str(caught.value)
