"""A download that breaks off: what it leaves, and how the next one goes on with it."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time

import pytest

from tt_data.download import fetch
from tt_data.download_errors import DownloadError, MissingFileError
from tt_data.download_part import Part

HALF = 49_152  # whole pieces: the one in which an answer breaks off is lost


def test_a_download_that_broke_off_goes_on_where_it_was(server, remote, answers, homes):
    server.answers["/file"] = [answers.broken_off(HALF), answers.whole]
    assert fetch(remote()).read_bytes() == answers.content
    (_, first), (_, second) = server.asked
    assert "Range" not in first
    assert second["Range"] == "bytes=49152-"
    assert second["If-Range"] == '"one"'


def test_another_mirror_goes_on_with_it(server, remote, answers):
    server.answers["/first"] = [answers.broken_off(HALF), answers.says(404)]
    assert fetch(remote("/first", "/second")).read_bytes() == answers.content
    path, headers = server.asked[-1]
    assert path == "/second"
    assert headers["Range"] == "bytes=49152-"
    assert "If-Range" not in headers  # what the first mirror calls it says nothing about the second's


def interrupted(server, remote, answers, homes, names):
    """A fetch that got 49,152 bytes and failed."""
    server.answers["/file"] = [answers.broken_off(HALF), answers.says(404)]
    with pytest.raises(MissingFileError):
        fetch(remote())
    assert names(homes[0]) == ["set/file.bin.part", "set/file.bin.part.json"]
    assert (homes[0] / "set" / "file.bin.part").read_bytes() == answers.content[:HALF]
    server.asked.clear()


def test_the_next_fetch_goes_on_with_the_part(server, remote, answers, homes, names):
    interrupted(server, remote, answers, homes, names)
    server.answers["/file"] = [answers.whole]
    assert fetch(remote()).read_bytes() == answers.content
    assert [headers["Range"] for _, headers in server.asked] == ["bytes=49152-"]
    assert names(homes[0]) == ["set/file.bin"]


def test_a_server_without_ranges_begins_anew(server, remote, answers, homes, names):
    interrupted(server, remote, answers, homes, names)
    server.answers["/file"] = [answers.without_ranges]
    assert fetch(remote()).read_bytes() == answers.content


def test_a_file_that_changed_on_the_server_begins_anew(server, remote, answers, homes, names):
    interrupted(server, remote, answers, homes, names)
    server.answers["/file"] = [lambda handler: answers.whole(handler, etag='"two"')]
    assert fetch(remote()).read_bytes() == answers.content
    assert len(server.asked) == 1


@pytest.mark.parametrize("damage", ["bytes", "note", "no note", "of another file", "longer"])
def test_a_part_that_is_wrong_costs_a_second_download_at_most(damage, server, remote, answers, homes, names):
    interrupted(server, remote, answers, homes, names)
    part, note = (homes[0] / "set" / f"file.bin.part{end}" for end in ("", ".json"))
    if damage == "bytes":
        part.write_bytes(b"\0" * HALF)
    elif damage == "note":
        note.write_text("{]")
    elif damage == "no note":
        note.unlink()
    elif damage == "of another file":
        note.write_text('{"sha256": "00"}')
    else:
        part.write_bytes(answers.content + b"\0")
    server.answers["/file"] = [answers.whole]
    assert fetch(remote()).read_bytes() == answers.content
    assert len(server.asked) == (2 if damage == "bytes" else 1)


def test_a_whole_part_needs_no_request(server, remote, answers, homes, names):
    interrupted(server, remote, answers, homes, names)
    (homes[0] / "set" / "file.bin.part").write_bytes(answers.content)
    assert fetch(remote()).read_bytes() == answers.content
    assert not server.asked


@pytest.mark.parametrize("said", ["bytes 0-131071/131072", "bytes 49152-131071/999", "pages 1-2", None])
def test_a_range_that_was_not_asked_for_is_refused(said, server, remote, answers, homes, names):
    interrupted(server, remote, answers, homes, names)
    headers = {"Content_Range": said} if said else {}
    server.answers["/file"] = [lambda handler: handler.reply(206, answers.content[:100], **headers)]
    with pytest.raises(MissingFileError, match=r"range|999 bytes"):
        fetch(remote())
    assert not (homes[0] / "set" / "file.bin").exists()


@pytest.mark.parametrize("moment", ["writing", "renaming", "noting"])
def test_a_full_disk_is_a_typed_error_and_leaves_only_the_part(
    moment, remote, answers, homes, monkeypatch, names
):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def refuse(*args, **kwargs):
        raise full

    with monkeypatch.context() as patch:
        if moment == "writing":
            patch.setattr(Part, "write", refuse)
        elif moment == "noting":
            patch.setattr("pathlib.Path.write_text", refuse)
        else:
            patch.setattr("os.replace", refuse)
        with pytest.raises(DownloadError, match="free some space") as caught:
            fetch(remote())
    assert caught.value.errno == errno.ENOSPC
    assert not isinstance(caught.value, MissingFileError)
    assert set(names(homes[0])) <= {"set/file.bin.part", "set/file.bin.part.json"}
    assert fetch(remote()).read_bytes() == answers.content


PROGRAM = """
import signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the shell had it ignored
from tt_data.download import RemoteFile, fetch
name, sha256, size, url = sys.argv[1:]
print("asking", flush=True)
fetch(RemoteFile(name, sha256, int(size), (url,)))
"""


def start(file):
    arguments = [sys.executable, "-c", PROGRAM, file.name, file.sha256, str(file.size), file.urls[0]]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_fetch_that_is_interrupted_leaves_the_part_and_no_lock_that_holds(
    end, server, remote, answers, homes, names
):
    def half(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(answers.content)))
        handler.end_headers()
        handler.wfile.write(answers.content[:65536])
        handler.wfile.flush()
        time.sleep(2)

    server.answers["/file"] = [half, answers.whole]
    part = homes[0] / "set" / "file.bin.part"
    with start(remote()) as process:
        deadline = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(end)
        _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    if end == signal.SIGINT:
        assert "KeyboardInterrupt" in errors
    assert part.read_bytes() == answers.content[:65536]
    assert not (homes[0] / "set" / "file.bin").exists()
    assert fetch(remote()).read_bytes() == answers.content
    assert server.asked[-1][1]["Range"] == "bytes=65536-"
    assert names(homes[0]) == ["set/file.bin"]


def test_processes_that_ask_at_once_fetch_once(server, remote, answers, homes, names):
    def slowly(handler):
        time.sleep(1)
        answers.whole(handler)

    server.answers["/file"] = [slowly]
    processes = [start(remote()) for _ in range(3)]
    for process in processes:
        with process:
            _, errors = process.communicate(timeout=30)
            assert process.returncode == 0, errors
    assert len(server.asked) == 1
    assert names(homes[0]) == ["set/file.bin"]


def test_a_file_is_read_back_before_it_gets_its_name(remote, answers, homes):
    """What counts is what is on the disk, not what came over the wire."""
    file = remote()
    target = homes[0] / "file.bin"
    target.parent.mkdir(parents=True)
    with Part(target, file) as part:
        part.write(answers.content)
        with open(part.path, "r+b") as other:
            other.write(b"x")
        assert not part.commit()
        assert not target.exists()
        with open(part.path, "r+b") as other:
            other.write(answers.content[:1])
        assert part.commit()
    assert hashlib.sha256(target.read_bytes()).hexdigest() == file.sha256
