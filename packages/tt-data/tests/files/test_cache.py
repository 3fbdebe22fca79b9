"""The folders, the lock, and files that are under their names whole or not at all."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from tt_data.cache import cache_home, data_home, home_for_writing, is_writable, places
from tt_data.cache_aside import Aside
from tt_data.cache_lock import exclusive
from tt_data.download_errors import DownloadError


def test_the_environment_names_the_folders(homes):
    assert (data_home(), cache_home()) == homes
    assert places() == list(homes)
    assert places("~/x") == [Path.home() / "x"]


@pytest.mark.parametrize("empty", [None, ""])
def test_without_it_both_are_the_platforms_cache(empty, monkeypatch, tmp_path):
    for name in ("TT_DATA_HOME", "TT_CACHE_HOME"):
        monkeypatch.delenv(name)
        if empty is not None:
            monkeypatch.setenv(name, empty)
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    assert data_home() == cache_home() == tmp_path / "tt"
    assert places() == [tmp_path / "tt"]


def test_new_files_go_where_they_can(homes):
    data, cache = homes
    assert home_for_writing() == data
    data.mkdir(mode=0o555)
    assert home_for_writing() == cache
    assert home_for_writing(data) == data  # asked for; whoever writes is told
    data.chmod(0o755)
    assert home_for_writing() == data


def test_a_folder_to_come_is_writable_if_the_one_above_is(tmp_path):
    assert is_writable(tmp_path / "a" / "b")
    (tmp_path / "file").write_bytes(b"")
    assert not is_writable(tmp_path / "file")
    assert not is_writable(tmp_path / "file" / "b")
    (tmp_path / "closed").mkdir(mode=0o555)
    assert not is_writable(tmp_path / "closed" / "b")


def test_a_lock_lets_one_in_at_a_time_and_leaves_no_file(tmp_path):
    path = tmp_path / "lock"
    inside, most, waited = [], [], []

    def enter(number):
        with exclusive(path, lambda: waited.append(number)):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.02)
            inside.remove(number)

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5
    assert len(waited) == len(set(waited)) >= 1
    assert not path.exists()


def test_a_lock_is_free_after_an_error(tmp_path):
    with pytest.raises(KeyError), exclusive(tmp_path / "lock"):
        raise KeyError
    with exclusive(tmp_path / "lock"):
        pass


@pytest.mark.skipif(os.name == "nt", reason="locks of POSIX")
def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(DownloadError, match="TT_DATA_HOME"), exclusive(tmp_path / "lock"):
        pass


def test_a_file_has_its_name_only_when_it_is_committed(tmp_path, names):
    target = tmp_path / "file"
    with Aside(target) as aside:
        aside.write(b"one")
        assert names(tmp_path) == ["file.part"]
        aside.commit()
    assert names(tmp_path) == ["file"]

    def stopped():
        with Aside(target) as aside:
            aside.write(b"two")
            raise KeyError

    with pytest.raises(KeyError):
        stopped()
    assert target.read_bytes() == b"one"
    assert names(tmp_path) == ["file"]


def test_what_a_killed_writer_left_is_written_over(tmp_path, names):
    target = tmp_path / "file"
    (tmp_path / "file.part").write_bytes(b"longer than what comes now")
    with Aside(target) as aside:
        aside.write(b"one")
        aside.commit()
    assert target.read_bytes() == b"one"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_commit_that_fails_leaves_nothing(call, tmp_path, names, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write():
        with Aside(tmp_path / "file") as aside:
            aside.write(b"one")
            aside.commit()

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OSError, match="space"):
        write()
    assert names(tmp_path) == []
