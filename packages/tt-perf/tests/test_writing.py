"""write_whole: a file is whole or not there, links stay links, and what is no file is not replaced by one."""

import os

import pytest

from tt_perf.writing import write_whole


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "figures.json"
    write_whole(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["figures.json"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "figures.json", tmp_path / "link.json"
    link.symlink_to(target)
    write_whole(link, "é")
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "é"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
def test_what_is_no_file_is_written_to_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, "figures")
        assert os.read(reader, 100) == b"figures"
        assert pipe.is_fifo()
    finally:
        os.close(reader)


def test_folders_are_named_in_errors(tmp_path):
    with pytest.raises(IsADirectoryError, match="give the name of a file"):
        write_whole(tmp_path, "")
    with pytest.raises(FileNotFoundError, match="no such folder to write in"):
        write_whole(tmp_path / "nowhere" / "figures.json", "")
