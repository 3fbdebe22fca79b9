"""A file that is written whole: the new one or the old one, and nothing beside it."""

import os

import pytest

from tt_tensor.files import sync_folder, whole_file


def test_it_has_its_name_when_the_block_ends(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with whole_file(str(path)) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file.bin"]


def test_an_error_in_the_block_leaves_all_as_it_was(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), whole_file(path) as file:
        file.write("no bytes")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_all_as_it_was(tmp_path, monkeypatch, call):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space"), whole_file(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.bin"]


def test_the_contents_are_flushed_before_the_rename_and_the_folder_after_it(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, real=real: (calls.append(name), real(*a)))
    with whole_file(tmp_path / "file.bin") as file:
        file.write(b"new")
    assert calls == ["fsync", "replace", "fsync"]


def test_a_folder_that_cannot_be_flushed_is_no_error(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    sync_folder(tmp_path)
