"""Results are written together or not at all, whatever the disk says."""

from __future__ import annotations

import errno
import os
import time

import pytest

from milestone_kit import WriteError
from milestone_kit.writing import write_together


@pytest.fixture
def results(tmp_path):
    """A directory with the results of the run before, and what is to replace them."""
    files = {tmp_path / "picture.png": b"new picture" * 500, tmp_path / "figures.json": b"new figures" * 500}
    for path in files:
        path.write_bytes(b"old")
    return files


def content(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_new_files_replace_the_old_ones(results, tmp_path):
    write_together(results)
    assert content(tmp_path) == {path.name: data for path, data in results.items()}


def test_short_writes_are_carried_on(results, tmp_path, monkeypatch):
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:7]))
    write_together(results)
    monkeypatch.undo()
    assert content(tmp_path) == {path.name: data for path, data in results.items()}


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_full_disk_changes_nothing(call, after, results, tmp_path, monkeypatch):
    real = getattr(os, call)
    left = [after if call == "write" else min(after, 1)]

    def full(descriptor, *data):
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= 1
        return real(descriptor, *(part[:4000] for part in data))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(WriteError, match=r"cannot write .*every file is as before.*--out") as caught:
        write_together(results)
    monkeypatch.undo()
    assert os.strerror(errno.ENOSPC) in str(caught.value)
    assert content(tmp_path) == {"picture.png": b"old", "figures.json": b"old"}


def test_a_rename_that_fails_leaves_each_file_whole(results, tmp_path, monkeypatch):
    real = os.replace

    def refuse(source, target):
        if target.name == "figures.json":
            raise PermissionError(errno.EACCES, "in use")
        real(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(WriteError, match="1 of 2 files are new"):
        write_together(results)
    assert content(tmp_path) == {"picture.png": results[tmp_path / "picture.png"], "figures.json": b"old"}


def test_an_interrupt_leaves_nothing_aside(results, tmp_path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_together(results)
    assert content(tmp_path) == {"picture.png": b"old", "figures.json": b"old"}


def test_the_program_exits_1_with_a_message_when_the_disk_is_full(milestone, tmp_path, monkeypatch, capsys):
    def full(descriptor, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    code = milestone(lambda session: session.figure("cases", 4, at_least=4)).main(
        ["--out", str(tmp_path / "out")]
    )
    monkeypatch.undo()
    assert code == 1
    err = capsys.readouterr().err
    assert err.startswith("milestone-toy: error: cannot write")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_real_limit_of_the_system_is_a_message_and_1(start, tmp_path):
    pytest.importorskip("resource", reason="RLIMIT_FSIZE is POSIX's")
    program = """
import resource, sys
from milestone_kit import Milestone
from milestone_kit.pictures import curves
def run(session):
    session.figure("cases", 4, at_least=4)
    session.picture("loss.png", curves({"loss": ([0, 1], [1, 0])}))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
sys.exit(Milestone("toy", year=1958, about="a toy", run=run).main(["--out", "out"]))
"""
    child = start(program)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1, err
    assert "milestone-toy: error: cannot write" in err
    assert "loss.png" in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_what_a_killed_run_left_aside_is_swept(milestone, tmp_path):
    old, fresh, other = (tmp_path / name for name in (f".{'a' * 16}.part", f".{'b' * 16}.part", ".mine.part"))
    for path in (old, fresh, other):
        path.write_bytes(b"half")
    an_hour_ago = time.time() - 3600
    os.utime(old, (an_hour_ago, an_hour_ago))
    os.utime(other, (an_hour_ago, an_hour_ago))
    run = milestone(lambda session: session.figure("cases", 4, at_least=4))
    assert run.main(["--out", str(tmp_path), "--quiet"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {fresh.name, other.name, "figures.json"}
