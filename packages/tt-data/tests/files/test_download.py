"""fetch: what it accepts, where it looks, and what it says when there is nothing to be had."""

from __future__ import annotations

import errno

import pytest

from tt_data.download import RemoteFile, fetch, find, is_verified
from tt_data.download_errors import DownloadError, MissingFileError


def test_a_file_is_fetched_once(server, remote, answers, homes, names):
    file = remote()
    path = fetch(file)
    assert path == homes[0] / "set" / "file.bin"
    assert path.read_bytes() == answers.content
    assert fetch(file) == path
    assert len(server.asked) == 1
    assert names(homes[0]) == ["set/file.bin"]  # no lock, no part, no note


@pytest.mark.parametrize("place", ["set/file.bin", "file.bin", "elsewhere/file.bin"])
def test_a_file_that_is_here_is_found_without_a_request(place, server, remote, answers, homes):
    path = homes[0] / place
    path.parent.mkdir(parents=True)
    path.write_bytes(answers.content)
    assert fetch(remote()) == path
    assert not server.asked


def test_the_cache_is_looked_into_after_the_data_folder(server, remote, answers, homes):
    path = homes[1] / "set" / "file.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(answers.content)
    assert fetch(remote()) == path
    assert not server.asked


def test_a_root_is_used_instead(remote, answers, homes, tmp_path):
    fetch(remote())
    elsewhere = tmp_path / "root"
    assert find(remote(), elsewhere) is None
    assert fetch(remote(), elsewhere) == elsewhere / "set" / "file.bin"


@pytest.mark.parametrize("damage", ["a bit", "cut short", "longer"])
def test_a_damaged_copy_is_not_taken_and_is_replaced(damage, remote, answers, homes):
    data = bytearray(answers.content)
    data[7] ^= damage == "a bit"
    data = data[:-1] if damage == "cut short" else data + b"\0" * (damage == "longer")
    path = homes[0] / "set" / "file.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    assert not is_verified(path, remote())
    assert find(remote()) is None
    with pytest.raises(MissingFileError) as caught:
        fetch(remote(), download=False)
    assert str(path) in str(caught.value)
    assert fetch(remote()).read_bytes() == answers.content


def test_without_a_network_it_says_which_file_to_put_where(homes):
    file = RemoteFile(
        "set/file.bin", "ab" * 32, 1234, ("http://127.0.0.1:9/file",), md5="cd" * 16, licence="free"
    )
    with pytest.raises(MissingFileError) as caught:
        fetch(file)
    text = str(caught.value)
    wanted = (
        str(homes[0] / "set" / "file.bin"),
        "ab" * 32,
        "cd" * 16,
        "http://127.0.0.1:9/file",
        "1,234",
        "free",
    )
    for part in (*wanted, "cannot be reached"):
        assert part in text
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize("mirrors", [(), None])
def test_without_leave_to_download_nothing_is_asked(mirrors, server, remote):
    file = remote()
    if mirrors == ():
        file = RemoteFile(file.name, file.sha256, file.size, ())
    with pytest.raises(MissingFileError, match=r"download=False|no mirror"):
        fetch(file, download=mirrors == ())
    assert not server.asked


def test_a_folder_without_write_bits_is_read_and_left_alone(server, remote, answers, homes, names):
    data, cache = homes
    data.mkdir()
    data.chmod(0o555)
    try:
        assert fetch(remote()) == cache / "set" / "file.bin"
        with pytest.raises(DownloadError, match="TT_DATA_HOME") as caught:
            fetch(remote(), data)
        assert caught.value.errno == errno.EACCES
        assert names(data) == []
    finally:
        data.chmod(0o755)
