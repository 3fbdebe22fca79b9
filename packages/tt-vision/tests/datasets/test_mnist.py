"""MNIST and Fashion-MNIST: the images of the files, and the real ones where they are."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from tt_vision.datasets import MNIST, DatasetError, FashionMNIST
from tt_vision.datasets.idx import parse_idx


@pytest.mark.parametrize("train", [True, False])
def test_the_images_and_labels_are_those_of_the_files(train, small_mnist, homes):
    for name, content in small_mnist.files.items():
        (homes[0] / f"{name}.gz").write_bytes(gzip.compress(content))
    data = small_mnist.kind(train=train)
    part = slice(40) if train else slice(40, 50)
    np.testing.assert_array_equal(data.data, small_mnist.images[part])
    np.testing.assert_array_equal(data.targets, small_mnist.labels[part])
    assert (data.data.dtype, data.targets.dtype, data.train) == (np.uint8, np.int64, train)
    assert data.classes[3] == "3 - three"


def test_images_of_another_size_are_refused(small_mnist, homes, as_idx, monkeypatch):
    """Checksums let nothing of that kind through; this is the check behind them."""
    for name, content in small_mnist.files.items():
        (homes[0] / name).write_bytes(content)
    monkeypatch.setattr(
        "tt_vision.datasets.mnist.parse_idx",
        lambda *args, **more: parse_idx(*args, **more).reshape(-1, 14, 56) if b"3" in args[0].member.name.encode()
        else parse_idx(*args, **more),
    )  # fmt: skip
    with pytest.raises(DatasetError, match=r"\(40, 14, 56\)"):
        small_mnist.kind()


@pytest.mark.parametrize(
    ("train", "count", "zeros", "first"), [(True, 60000, 5923, 5), (False, 10000, 980, 7)]
)
def test_the_real_one(train, count, zeros, first, real):
    real("mnist/train-images-idx3-ubyte.gz")
    data = MNIST(train=train, download=False)
    assert data.data.shape == (count, 1, 28, 28)
    assert (data.targets == 0).sum() == zeros
    assert data[0][1] == first
    if train:
        scaled = data.data / np.float32(255)
        np.testing.assert_allclose((scaled.mean(), scaled.std()), (MNIST.mean[0], MNIST.std[0]), atol=5e-5)


def test_fashion_mnist_does_not_take_mnists_files(real, tmp_path):
    """They have the same names; the checksums tell them apart."""
    folder = real("mnist/train-images-idx3-ubyte.gz").parent
    with pytest.raises(DatasetError, match="damaged or another file"):
        FashionMNIST(folder, download=False)
    assert FashionMNIST.published.folders[0] != MNIST.published.folders[0]
