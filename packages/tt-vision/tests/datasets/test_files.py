"""Where a dataset's files are found, what is kept of an archive, and what is said when nothing can be used."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest

from tt_vision.datasets import CIFAR10, DatasetError


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def archive(files, kind="tar.gz", link=False):
    made = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
            for name, content in files.items():
                target.writestr(name, content)
        return made.getvalue()
    mode = {"tar.gz": "w:gz", "tar.xz": "w:xz", "tar.bz2": "w:bz2", "tar": "w"}[kind]
    with tarfile.open(fileobj=made, mode=mode) as target:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            target.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo("link")
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            target.addfile(info)
    return made.getvalue()


def is_right(data, small, part):
    return np.array_equal(data.data, small.images[part])


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("folder", ["mnist", "MNIST/raw", "."])
@pytest.mark.parametrize("as_root", [True, False])
def test_files_are_found_unpacked_or_packed_in_the_usual_folders(
    folder, end, as_root, small_mnist, homes, tmp_path
):
    place = tmp_path / "elsewhere" if as_root else homes[0]
    (place / folder).mkdir(parents=True, exist_ok=True)
    for name, content in small_mnist.files.items():
        (place / folder / (name + end)).write_bytes(gzip.compress(content) if end else content)
    assert is_right(small_mnist.kind(place if as_root else None), small_mnist, slice(40))
    assert not homes[1].exists()  # nothing is kept of what is read quickly


@pytest.mark.parametrize("kind", ["tar.gz", "tar.xz", "tar.bz2", "tar", "zip"])
def test_an_equivalent_archive_is_as_good(kind, small_cifar10, homes):
    (homes[0] / f"cifar-10-binary.{kind}").write_bytes(archive(small_cifar10.files, kind))
    assert is_right(small_cifar10.kind(), small_cifar10, slice(50))
    assert is_right(small_cifar10.kind(train=False), small_cifar10, slice(50, 60))


def test_mnist_may_be_in_an_archive_too(small_mnist, homes):
    (homes[0] / "mnist.zip").write_bytes(archive(small_mnist.files, "zip"))
    assert is_right(small_mnist.kind(), small_mnist, slice(40))


def test_an_archive_may_be_given_as_root(small_cifar10, tmp_path):
    path = tmp_path / "whatever"
    path.write_bytes(archive(small_cifar10.files))
    assert is_right(small_cifar10.kind(path), small_cifar10, slice(50))


def test_an_archive_is_decoded_once(small_cifar10, homes):
    data, cache = homes
    path = data / "cifar-10-binary.tar.gz"
    path.write_bytes(archive(small_cifar10.files))
    small_cifar10.kind()
    kept = sorted(small_cifar10.files)
    assert names(cache) == kept  # those of the test set too, and no lock or part
    for name in kept:
        assert (cache / name).read_bytes() == small_cifar10.files[name]
    assert names(data) == [path.name]
    path.write_bytes(b"not looked into any more")
    assert is_right(small_cifar10.kind(train=False), small_cifar10, slice(50, 60))


def test_what_the_cache_kept_is_checked_and_made_again(small_cifar10, homes):
    data, cache = homes
    path = data / "cifar-10-binary.tar.gz"
    path.write_bytes(archive(small_cifar10.files))
    small_cifar10.kind()
    name = "cifar-10-batches-bin/data_batch_3.bin"
    (cache / name).write_bytes(bytes(30730))
    assert is_right(small_cifar10.kind(), small_cifar10, slice(50))
    assert (cache / name).read_bytes() == small_cifar10.files[name]


@pytest.mark.parametrize("why", ["no write bits", "a file in its place", "full"])
def test_without_a_cache_the_archive_is_decoded_each_time(why, small_cifar10, homes, monkeypatch):
    data, cache = homes
    (data / "cifar-10-binary.tar.gz").write_bytes(archive(small_cifar10.files))
    if why == "no write bits":
        cache.mkdir(mode=0o555)
    elif why == "a file in its place":
        cache.write_bytes(b"")
    else:

        def full(*args):
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr("tt_data.cache_aside.Aside.write", full)
    try:
        for _ in range(2):
            assert is_right(small_cifar10.kind(), small_cifar10, slice(50))
        assert cache.is_file() or names(cache) == []
    finally:
        cache.chmod(0o755)


@pytest.mark.parametrize("damage", ["a member", "a link", "cut", "nothing there"])
def test_of_an_archive_that_is_refused_nothing_is_kept(damage, small_cifar10, homes):
    data, cache = homes
    files = dict(small_cifar10.files)
    if damage == "a member":
        files["cifar-10-batches-bin/test_batch.bin"] = bytes(30730)
    made = archive(files, link=damage == "a link")
    made = {"cut": made[:-1000], "nothing there": b""}.get(damage, made)
    path = data / "cifar-10-binary.tar.gz"
    path.write_bytes(made)
    with pytest.raises(DatasetError) as caught:
        small_cifar10.kind()
    assert f"found, but {path}" in str(caught.value)
    assert names(cache) == []
    assert names(data) == [path.name]


def test_the_next_place_is_tried_after_a_damaged_one(small_mnist, homes):
    for folder in ("mnist", "MNIST/raw"):
        (homes[0] / folder).mkdir(parents=True)
        for name, content in small_mnist.files.items():
            (homes[0] / folder / name).write_bytes(content[:-1] if folder == "mnist" else content)
    assert is_right(small_mnist.kind(), small_mnist, slice(40))


def test_a_packed_copy_stands_in_for_a_damaged_unpacked_one(small_mnist, homes):
    for name, content in small_mnist.files.items():
        (homes[0] / name).write_bytes(content[::-1])
        (homes[0] / f"{name}.gz").write_bytes(gzip.compress(content))
    assert is_right(small_mnist.kind(), small_mnist, slice(40))


@pytest.mark.parametrize("download", [True, False])
def test_it_says_which_files_to_put_where(download, small_mnist, homes):
    with pytest.raises(DatasetError) as caught:
        small_mnist.kind(train=False, download=download)
    text = str(caught.value)
    for file in small_mnist.kind.published.downloads[2:]:
        for part in (str(homes[0] / file.name), file.sha256, file.urls[0]):
            assert part in text
    assert small_mnist.kind.published.downloads[0].sha256 not in text
    assert isinstance(caught.value, RuntimeError)


PROGRAM = """
import sys
from tt_vision.datasets import CIFAR10
from tt_vision.datasets.files import Published
from tt_data.archive import Member
folders, archives = CIFAR10.published.folders, CIFAR10.published.archives
members = tuple(Member(*line.split()[:1], int(line.split()[1]), line.split()[2]) for line in sys.stdin)
CIFAR10.published = Published("small", members, folders, archives, ())
print(int(CIFAR10(download=False).data.sum()))
"""


def test_processes_that_ask_at_once_all_get_it(small_cifar10, homes):
    data, cache = homes
    (data / "cifar-10-binary.tar.xz").write_bytes(archive(small_cifar10.files, "tar.xz"))
    lines = "".join(f"{m.name} {m.size} {m.checksum}\n" for m in small_cifar10.kind.published.members)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    outputs = [process.communicate(lines, timeout=60)[0] for process in processes]
    assert outputs == [f"{int(small_cifar10.images[:50].sum())}\n"] * 3
    assert names(cache) == sorted(small_cifar10.files)


def test_progress_of_decoding_is_shown_when_asked(small_cifar10, homes, capsys):
    (homes[0] / "cifar-10-binary.tar.gz").write_bytes(archive(small_cifar10.files))
    small_cifar10.kind(progress=True)
    assert "reading cifar-10-binary.tar.gz" in capsys.readouterr().err


def test_the_official_archive_is_what_is_fetched():
    (file,) = CIFAR10.published.downloads
    assert file.md5 == "c32a1d4ab5d03f1284b67883e8d87530"
    assert file.urls[0].startswith("https://")
