"""fetch: what it accepts, where it looks, what it leaves, and what it says when there is nothing to be had."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import signal
import subprocess
import sys
import time

import pytest

from tt_data.download import RemoteFile, fetch, find, is_verified
from tt_data.download_errors import DownloadError, MissingFileError
from tt_data.download_part import Part
from tt_data.download_progress import Show
from tt_data.download_spec import is_safe
from tt_tensor.errors import ArgumentError

HALF = 49_152  # whole pieces: the one in which an answer breaks off is lost


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_file_is_fetched_once(server, remote, answers, homes):
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


def test_the_next_mirror_is_asked_and_each_reason_is_named(server, remote, answers):
    server.answers["/gone"] = [answers.says(404)]
    server.answers["/busy"] = [answers.says(503)]
    server.answers["/lies"] = [lambda handler: answers.whole(handler, b"\0" * len(answers.content))]
    server.answers["/short"] = [lambda handler: answers.whole(handler, answers.content[:-1])]
    assert fetch(remote("/gone", "/busy", "/lies", "/short", "/file")).read_bytes() == answers.content
    with pytest.raises(MissingFileError) as caught:
        fetch(remote("/gone", "/busy", "/lies", "/short", name="other.bin"))
    for reason in (
        "404 Not Found",
        "503 Service Unavailable",
        "another sha256",
        "131,071 bytes there instead",
    ):
        assert reason in str(caught.value)


def test_what_passes_is_asked_again_and_what_lasts_is_not(server, remote, answers):
    server.answers["/busy"] = [answers.says(503), answers.says(500), answers.whole]
    assert fetch(remote("/busy")).read_bytes() == answers.content
    server.asked.clear()
    server.answers["/gone"] = [answers.says(404)]
    with pytest.raises(MissingFileError):
        fetch(remote("/gone", name="other.bin"))
    assert len(server.asked) == 1


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


def interrupted(server, remote, answers, homes):
    """A fetch that got 49,152 bytes and failed."""
    server.answers["/file"] = [answers.broken_off(HALF), answers.says(404)]
    with pytest.raises(MissingFileError):
        fetch(remote())
    assert names(homes[0]) == ["set/file.bin.part", "set/file.bin.part.json"]
    assert (homes[0] / "set" / "file.bin.part").read_bytes() == answers.content[:HALF]
    server.asked.clear()


def test_the_next_fetch_goes_on_with_the_part(server, remote, answers, homes):
    interrupted(server, remote, answers, homes)
    server.answers["/file"] = [answers.whole]
    assert fetch(remote()).read_bytes() == answers.content
    assert [headers["Range"] for _, headers in server.asked] == ["bytes=49152-"]
    assert names(homes[0]) == ["set/file.bin"]


def test_a_server_without_ranges_begins_anew(server, remote, answers, homes):
    interrupted(server, remote, answers, homes)
    server.answers["/file"] = [answers.without_ranges]
    assert fetch(remote()).read_bytes() == answers.content


def test_a_file_that_changed_on_the_server_begins_anew(server, remote, answers, homes):
    interrupted(server, remote, answers, homes)
    server.answers["/file"] = [lambda handler: answers.whole(handler, etag='"two"')]
    assert fetch(remote()).read_bytes() == answers.content
    assert len(server.asked) == 1


@pytest.mark.parametrize("damage", ["bytes", "note", "no note", "of another file", "longer"])
def test_a_part_that_is_wrong_costs_a_second_download_at_most(damage, server, remote, answers, homes):
    interrupted(server, remote, answers, homes)
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


def test_a_whole_part_needs_no_request(server, remote, answers, homes):
    interrupted(server, remote, answers, homes)
    (homes[0] / "set" / "file.bin.part").write_bytes(answers.content)
    assert fetch(remote()).read_bytes() == answers.content
    assert not server.asked


@pytest.mark.parametrize("said", ["bytes 0-131071/131072", "bytes 49152-131071/999", "pages 1-2", None])
def test_a_range_that_was_not_asked_for_is_refused(said, server, remote, answers, homes):
    interrupted(server, remote, answers, homes)
    headers = {"Content_Range": said} if said else {}
    server.answers["/file"] = [lambda handler: handler.reply(206, answers.content[:100], **headers)]
    with pytest.raises(MissingFileError, match=r"range|999 bytes"):
        fetch(remote())
    assert not (homes[0] / "set" / "file.bin").exists()


def test_a_mirror_that_only_lies_is_dropped_after_two_downloads(server, remote, answers, homes):
    server.answers["/file"] = [lambda handler: answers.whole(handler, b"\0" * len(answers.content))]
    with pytest.raises(MissingFileError, match="another sha256"):
        fetch(remote())
    assert len(server.asked) <= 2
    assert names(homes[0]) == []


def test_a_server_that_never_ends_is_cut_at_the_declared_size(server, remote, answers, homes):
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(b"\0" * 65536)

    server.answers["/file"] = [endless]
    with pytest.raises(MissingFileError, match="another sha256"):
        fetch(remote())
    assert names(homes[0]) == []


def test_a_file_stays_packed_though_the_server_offers_to_unpack_it(server, remote, answers):
    server.answers["/file"] = [lambda handler: handler.reply(200, answers.content, Content_Encoding="gzip")]
    assert fetch(remote()).read_bytes() == answers.content
    assert server.asked[0][1]["Accept-Encoding"] == "identity"


def test_a_redirect_is_followed_and_a_circle_is_not(server, remote, answers):
    server.answers["/moved"] = [answers.says(302, Location="/file")]
    assert fetch(remote("/moved")).read_bytes() == answers.content
    server.answers["/circle"] = [answers.says(302, Location="/circle")]
    with pytest.raises(MissingFileError, match="circle"):
        fetch(remote("/circle", name="other.bin"))


def test_a_redirect_to_http_elsewhere_is_refused(server, remote, answers):
    server.answers["/moved"] = [answers.says(301, Location="http://example.invalid/file")]
    with pytest.raises(MissingFileError, match="not https"):
        fetch(remote("/moved"))


def test_https_never_leads_to_http(remote, server, monkeypatch):
    """The server's answer is made up here, since it would need a certificate."""
    requests = pytest.importorskip("requests")
    file = remote()
    asked = []

    def get(url, hooks, **kwargs):
        asked.append((url, kwargs["allow_redirects"]))
        response = requests.Response()
        response.status_code, response.headers["location"] = 302, server.url()
        response.raw = io.BytesIO()
        hooks["response"](response)
        raise AssertionError("the redirect was not refused")

    monkeypatch.setattr("requests.get", get)
    with pytest.raises(MissingFileError, match="not https"):
        fetch(RemoteFile(file.name, file.sha256, file.size, ("https://example.invalid/file",)))
    assert asked == [("https://example.invalid/file", False)]
    assert not server.asked


@pytest.mark.parametrize(
    ("url", "after", "safe"),
    [
        ("https://a/x", "", True),
        ("HTTPS://a/x", "https://b/", True),
        ("http://a/x", "", False),
        ("http://127.0.0.1:80/x", "", True),
        ("http://localhost/x", "http://127.0.0.1/", True),
        ("http://localhost/x", "https://a/", False),
        ("http://[::1]:8000/x", "", True),
        ("http://127.0.0.1.example.org/x", "", False),
        ("http://localhost@example.org/x", "", False),
        ("ftp://a/x", "", False),
        ("file:///etc/passwd", "", False),
        ("https:///x", "", False),
        ("", "", False),
        ("http://[::1/x", "", False),
    ],
)
def test_which_addresses_are_safe(url, after, safe):
    assert is_safe(url, after) is safe


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "../file"},
        {"name": "/file"},
        {"name": "a/../../file"},
        {"name": "a\\..\\file"},
        {"name": "C:file"},
        {"name": ""},
        {"name": "."},
        {"name": "a//b"},
        {"name": "a\0b"},
        {"sha256": "AB" * 32},
        {"sha256": "ab"},
        {"size": 0},
        {"md5": "ab"},
        {"urls": ("http://example.org/file",)},
    ],
)
def test_a_specification_that_cannot_be_meant_is_refused(wrong):
    right = {"name": "a/file", "sha256": "ab" * 32, "size": 3, "urls": ("https://example.org/file",)}
    RemoteFile(**right)
    with pytest.raises(ArgumentError, match="RemoteFile"):
        RemoteFile(**(right | wrong))


def test_a_folder_without_write_bits_is_read_and_left_alone(server, remote, answers, homes):
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


@pytest.mark.parametrize("moment", ["writing", "renaming", "noting"])
def test_a_full_disk_is_a_typed_error_and_leaves_only_the_part(moment, remote, answers, homes, monkeypatch):
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
import sys
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
    end, server, remote, answers, homes
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


def test_processes_that_ask_at_once_fetch_once(server, remote, answers, homes):
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


def test_progress_is_silent_where_nobody_looks_and_a_bar_when_asked(remote, answers, capsys):
    fetch(remote())
    assert capsys.readouterr() == ("", "")
    fetch(remote(name="b.bin"), progress=False)
    assert capsys.readouterr() == ("", "")
    fetch(remote(name="c.bin"), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "c.bin" in err
    assert "131.1/131.1 kB" in err


def test_notes_stand_above_the_bar(capsys):
    with Show("a.bin", 10, True) as show:
        show.note("[busy] waiting")
        show.at(5)
    assert "a.bin: [busy] waiting" in capsys.readouterr().err


def test_another_progress_is_refused(remote):
    with pytest.raises(ArgumentError, match="progress"):
        fetch(remote(), progress="yes")


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
