"""CIFAR-10 and CIFAR-100: the images of the rows, and the real ones where they are."""

from __future__ import annotations

import numpy as np
import pytest

from tt_data.archive import iter_members
from tt_data.cache import cache_home
from tt_vision.datasets import CIFAR10, CIFAR100, DatasetError
from tt_vision.datasets.cifar100_names import COARSE, FINE


def lay(small, folder):
    folder.mkdir(parents=True)
    for name, content in small.files.items():
        (folder / name.rpartition("/")[2]).write_bytes(content)


@pytest.mark.parametrize("train", [True, False])
def test_cifar10_is_its_rows(train, small_cifar10, homes):
    lay(small_cifar10, homes[0] / "cifar-10-batches-bin")
    data = small_cifar10.kind(train=train)
    part = slice(50) if train else slice(50, 60)
    np.testing.assert_array_equal(data.data, small_cifar10.images[part])
    np.testing.assert_array_equal(data.targets, small_cifar10.labels[part, 0])
    assert (data.data.dtype, data.targets.dtype) == (np.uint8, np.int64)
    assert data.data.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("train", [True, False])
def test_cifar100_is_its_rows_with_two_labels(train, coarse, small_cifar100, homes):
    lay(small_cifar100, homes[0] / "cifar-100-binary")
    data = small_cifar100.kind(train=train, coarse=coarse)
    part = slice(10) if train else slice(10, 20)
    np.testing.assert_array_equal(data.data, small_cifar100.images[part])
    np.testing.assert_array_equal(data.coarse_targets, small_cifar100.labels[part, 0])
    np.testing.assert_array_equal(data.fine_targets, small_cifar100.labels[part, 1])
    assert data.targets is (data.coarse_targets if coarse else data.fine_targets)
    assert data.classes == (COARSE if coarse else FINE)


def test_the_names_are_as_many_as_the_labels_and_in_their_order():
    for names, count in ((COARSE, 20), (FINE, 100)):
        assert len(set(names)) == count
        assert list(names) == sorted(names)


def test_rows_of_another_length_are_refused(small_cifar10, homes):
    lay(small_cifar10, homes[0] / "cifar-10-batches-bin")
    wrong = type("Wrong", (small_cifar10.kind,), {"label_bytes": 2})
    with pytest.raises(DatasetError, match=r"30,730 bytes; 9 rows of 3,074"):
        wrong(download=False)


def test_the_first_real_batch(real):
    path = real("cifar-10-binary.tar.xz")
    members = iter_members(path, CIFAR10.published.members)
    member, stream = next(members)
    rows = np.frombuffer(stream.read(), np.uint8).reshape(10000, 3073)
    members.close()
    assert member.name.endswith("data_batch_1.bin")
    assert stream.verified
    # Known from the dataset's page: frog, truck, truck, deer, automobile come first.
    assert [CIFAR10.names[label] for label in rows[:5, 0]] == ["frog", "truck", "truck", "deer", "automobile"]


@pytest.mark.parametrize(("train", "count"), [(True, 50000), (False, 10000)])
def test_the_real_one(train, count, real):
    real("cifar-10-binary.tar.xz")
    if not (cache_home() / "cifar-10-batches-bin").is_dir():
        pytest.skip(
            "decoding the archive takes 14 s; it is tested once CIFAR10() has left its files in the cache"
        )
    data = CIFAR10(train=train, download=False)
    assert data.data.shape == (count, 3, 32, 32)
    assert np.bincount(data.targets).tolist() == [count // 10] * 10
    if train:
        flat = data.data.transpose(0, 2, 3, 1).reshape(-1, 3)
        squares = np.einsum("ij,ij->j", flat, flat, dtype=np.float64)
        mean = flat.mean(axis=0, dtype=np.float64)
        np.testing.assert_allclose(mean / 255, CIFAR10.mean, atol=5e-5)
        np.testing.assert_allclose(np.sqrt(squares / len(flat) - mean**2) / 255, CIFAR10.std, atol=5e-5)


def test_cifar100_is_published_as_cifar10_is():
    assert sum(member.size for member in CIFAR100.published.members) == 60000 * 3074
    assert sum(member.size for member in CIFAR10.published.members) == 60000 * 3073
