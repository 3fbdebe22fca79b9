"""Folders of a test's own, small datasets in the official formats, and the real ones where they are."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from tt_data.archive import Member
from tt_data.cache import cache_home
from tt_data.download import RemoteFile
from tt_vision.datasets import CIFAR10, CIFAR100, MNIST
from tt_vision.datasets.files import Published

KEPT = cache_home()
REAL = Path(os.environ.get("TT_DATA_HOME") or Path(__file__).resolve().parents[4].parent / "shared" / "data")


@pytest.fixture(autouse=True)
def homes(tmp_path, monkeypatch):
    """Empty folders for the data and for the cache, and nobody to ask."""
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.mkdir()
    monkeypatch.setenv("TT_DATA_HOME", str(data))
    monkeypatch.setenv("TT_CACHE_HOME", str(cache))
    monkeypatch.setenv("NO_PROXY", "*")
    return data, cache


@pytest.fixture
def real(monkeypatch):
    """The folder of the real data, with what the cache keeps of it; skips where a file is not there."""

    def find(name):
        if not (REAL / name).exists():
            pytest.skip(f"the real data are not here: set TT_DATA_HOME to a folder with {name}")
        monkeypatch.setenv("TT_DATA_HOME", str(REAL))
        monkeypatch.setenv("TT_CACHE_HOME", str(KEPT))
        return REAL / name

    return find


def idx(array):
    """The bytes of an idx file."""
    kind = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}[array.dtype.str[1:]]
    header = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def rows(images, labels):
    """The bytes of a CIFAR file: labels (N, L), images (N, 3, 32, 32)."""
    return np.concatenate([labels, images.reshape(len(images), -1)], axis=1).astype(np.uint8).tobytes()


def member(name, content):
    return Member(name, len(content), hashlib.sha256(content).hexdigest())


def nowhere(name, content):
    """A published file whose mirror does not answer."""
    return RemoteFile(name, hashlib.sha256(content).hexdigest(), len(content), ("http://127.0.0.1:9/file",))


class Small:
    """A small dataset: its class, the content of its files, and what must come out."""

    def __init__(self, kind, files, images, labels):
        self.kind, self.files, self.images, self.labels = kind, files, images, labels


@pytest.fixture
def small_mnist():
    chance = np.random.default_rng(1)
    images = chance.integers(0, 256, (50, 28, 28), np.uint8)
    labels = chance.integers(0, 10, 50, np.uint8)
    parts = images[:40], labels[:40], images[40:], labels[40:]
    files = {name: idx(part) for name, part in zip(("train-images-idx3-ubyte", "train-labels-idx1-ubyte",
             "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"), parts, strict=True)}  # fmt: skip
    published = Published(
        "small MNIST",
        tuple(member(*item) for item in files.items()),
        MNIST.published.folders,
        MNIST.published.archives,
        tuple(nowhere(f"mnist/{name}.gz", content) for name, content in files.items()),
    )
    return Small(type("Small", (MNIST,), {"published": published}), files, images[:, None], labels)


def small_cifar(kind, names, label_bytes):
    chance = np.random.default_rng(2)
    images = chance.integers(0, 256, (10 * len(names), 3, 32, 32), np.uint8)
    labels = chance.integers(0, (20, 10)[label_bytes == 1], (len(images), label_bytes))
    files = {
        name: rows(images[at : at + 10], labels[at : at + 10])
        for name, at in zip(names, range(0, 100, 10), strict=False)
    }
    published = Published(
        "small CIFAR",
        tuple(member(*item) for item in files.items()),
        kind.published.folders,
        kind.published.archives,
        (nowhere(kind.published.downloads[0].name, b"nothing"),),
    )
    return Small(type("Small", (kind,), {"published": published}), files, images, labels)


@pytest.fixture
def small_cifar10():
    return small_cifar(CIFAR10, [member.name for member in CIFAR10.published.members], 1)


@pytest.fixture
def small_cifar100():
    return small_cifar(CIFAR100, [member.name for member in CIFAR100.published.members], 2)


@pytest.fixture(scope="session")
def as_idx():
    return idx
