"""However a save ends, the checkpoints that were there stay whole and nothing is left behind."""

import contextlib
import errno
import os
import random
import shutil
import socket
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from tt_optim.training import aside
from tt_optim.training.store import CheckpointStore

posix = pytest.mark.skipif(os.name != "posix", reason="locks, limits and signals of POSIX")
KILLS = int(os.environ.get("TT_KILLS", "5"))


def state(step):
    """What is saved at a step: all of it depends on the step, so that a mixture of two would show."""
    return {"step": step, "x": np.full(1000 + step % 7, step), "list": [step] * 20}


def is_state(found, step):
    return found["step"] == step and found["list"] == [step] * 20 and bool((found["x"] == step).all())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


class Failing:
    """Stands for a function of `os`; the call with the given number (from 0) fails."""

    def __init__(self, function, at, halfway=False):
        self.function, self.left, self.halfway = function, at, halfway
        self.failed = False

    def __call__(self, *args, **options):
        self.left -= 1
        if self.left < 0:  # a full disk stays full
            if self.halfway and not self.failed:
                self.failed = True
                return self.function(args[0], args[1][: len(args[1]) // 2])
            self.failed = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.function(*args, **options)


@pytest.mark.parametrize(
    ("name", "halfway"),
    [
        ("open", False),
        ("write", False),
        ("write", True),
        ("fsync", False),
        ("fstat", False),
        ("replace", False),
    ],
)
@pytest.mark.parametrize("step", [1, 2], ids=["same step", "next step"])
def test_a_disk_that_is_full_at_any_moment(tmp_path, monkeypatch, name, halfway, step):
    store = CheckpointStore(tmp_path, keep_last=1)
    before = store.save(state(1), 1, 0.5).read_bytes()
    monkeypatch.setattr(aside, "PIECE", 400)
    real = getattr(os, name)
    for at in range(1000):
        failing = Failing(real, at, halfway)
        with monkeypatch.context() as patch:
            patch.setattr(aside.os, name, failing)
            with contextlib.suppress(OSError):
                store.save(state(step + 100), step, 0.1)
                assert not failing.failed, "the failure was swallowed"
        if not failing.failed:
            break
        if name in ("fsync", "open") and at == 1:  # the folder's: the new file is in place by then
            assert is_state(store.load(), step + 100)
            assert len(names(tmp_path)) == step
            break
        assert names(tmp_path) == ["step-00000001.safetensors"]
        assert store.newest().read_bytes() == before
        assert store.best() == store.newest()
    assert at >= {"open": 1, "write": 20, "fsync": 1, "fstat": 2, "replace": 1}[name]
    store.save(state(step + 200), step, 0.1)
    assert is_state(store.load(), step + 200)
    assert names(tmp_path) == [f"step-0000000{step}.safetensors"]


def test_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    store = CheckpointStore(tmp_path)
    store.save(state(1), 1)
    for name in ("write", "fsync", "replace"):
        with monkeypatch.context() as patch:

            def interrupt(*args):
                raise KeyboardInterrupt

            patch.setattr(aside.os, name, interrupt)
            with pytest.raises(KeyboardInterrupt):
                store.save(state(2), 2)
        assert names(tmp_path) == ["step-00000001.safetensors"]


def test_an_orphan_that_could_not_be_removed_goes_at_the_next_start(tmp_path, monkeypatch):
    store = CheckpointStore(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(aside.os, "fsync", Failing(os.fsync, 0))
        patch.setattr(aside.Path, "unlink", Failing(aside.Path.unlink, 0))
        with pytest.raises(OSError, match="No space"):
            store.save(state(1), 1)
    (orphan,) = names(tmp_path)
    assert orphan.startswith(".step-00000001.safetensors.") and orphan.endswith(".part")
    assert f"-{os.getpid()}-" in orphan  # our own number does not make it a live one
    CheckpointStore(tmp_path)
    assert names(tmp_path) == []


def run(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


LIMITED = """
import resource, signal, sys
import numpy as np
from tt_optim.training.store import CheckpointStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = CheckpointStore(sys.argv[1])
for step, size in enumerate([1000, 5000, 20_000, 20_000]):
    limit = 64 * 1024 if step < 3 else resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        store.save({"x": np.ones(size), "step": step}, step)
        print("saved", step)
    except OSError as error:
        print(error.strerror, sorted(path.name for path in store.folder.iterdir()))
"""


@posix
def test_a_file_that_may_not_grow(tmp_path):
    done = run(LIMITED, tmp_path)
    kept = ["step-00000000.safetensors", "step-00000001.safetensors"]
    assert done.stdout.splitlines() == ["saved 0", "saved 1", f"File too large {kept}", "saved 3"], (
        done.stderr
    )
    assert CheckpointStore(tmp_path).load()["step"] == 3


FULL = """
import pathlib, sys
import numpy as np
from tt_optim.training.store import CheckpointStore

folder = pathlib.Path(sys.argv[1], "run")
store = CheckpointStore(folder, keep_last=2)
filler = pathlib.Path(sys.argv[1], "filler")
refused = 0
for step in range(60):
    free = 4096 * (step % 30)
    filler.unlink(missing_ok=True)
    store.save({"x": np.full(5000, step), "step": step}, 2 * step)
    with open(filler, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)) == 4096:
                pass
        except OSError:
            pass
        file.truncate(max(0, file.tell() - free))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    try:
        store.save({"x": np.full(9000, step), "step": -step}, 2 * step + 1)
    except OSError as error:
        assert error.strerror == "No space left on device", error
        refused += 1
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
        assert store.load()["step"] == step
    else:
        assert store.load()["step"] == -step
print("refused", refused)
"""


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("unshare"), reason="needs Linux's unshare")
def test_a_disk_that_is_really_full(tmp_path):
    """On a file system of 1 MB in memory, filled up to n free pages: saves fit or do not."""
    script = tmp_path / "full.py"
    script.write_text(FULL)
    mount = f'mount -t tmpfs -o size=1m tmpfs "{tmp_path}/disk" && "{sys.executable}" "{script}" "{tmp_path}/disk"'
    (tmp_path / "disk").mkdir()
    if run_quietly("unshare", "-rm", "sh", "-c", mount.partition("&&")[0]).returncode:
        pytest.skip("this user may not mount")
    done = run_quietly("unshare", "-rm", "sh", "-c", mount)
    assert done.returncode == 0, done.stderr
    refused = int(done.stdout.removeprefix("refused "))
    assert 20 < refused < 60  # both happened


def run_quietly(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


LOOP = """
import sys
import numpy as np
from tt_optim.training.store import CheckpointStore

store = CheckpointStore(sys.argv[1], keep_last=2)
newest = store.newest()
step = int(newest.stem[5:]) + 1 if newest else 0
while True:
    store.save({"step": step, "x": np.full(1000 + step % 7, step), "list": [step] * 20}, step, score=-step)
    print(step, flush=True)
    step += 1
"""


@posix
def test_killed_at_any_moment(tmp_path):
    """kill -9 in a tight loop of saves: what was saved is there, the newest is whole, orphans go."""
    chance = random.Random(0)
    last = -1
    for _ in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout.readline()
        time.sleep(chance.uniform(0, 0.1))
        writer.kill()
        saved = [int(line) for line in writer.stdout.read().split("\n")[:-1]]
        writer.stdout.close()
        writer.wait()
        last = max([last + 1, *saved])
        store = CheckpointStore(tmp_path, keep_last=2)
        found = store.load()
        assert found["step"] >= last
        assert is_state(found, found["step"])
        assert 1 <= len(names(tmp_path)) <= 3 and all(name.startswith("step-") for name in names(tmp_path))
        for path in store.checkpoints():
            assert is_state(store.load(path), int(path.stem[5:]))
        last = found["step"]


def test_a_live_writer_of_this_process_is_left_alone(tmp_path, monkeypatch):
    store = CheckpointStore(tmp_path)
    seen = []
    fsync = os.fsync

    def meanwhile(descriptor):
        CheckpointStore(tmp_path)
        seen.append(names(tmp_path))
        fsync(descriptor)

    monkeypatch.setattr(aside.os, "fsync", meanwhile)
    store.save(state(3), 3)
    assert seen[0][0].endswith(".part")
    assert is_state(store.load(), 3)


SLOW = """
import os, sys, time
from tt_optim.training.store import CheckpointStore

def wait(descriptor):
    print("writing", flush=True)
    time.sleep(60)

os.fsync = wait
CheckpointStore(sys.argv[1]).save({"x": 1}, 1)
"""


@posix
def test_a_live_writer_of_another_process_is_left_alone_and_a_dead_one_is_not(tmp_path):
    writer = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "writing\n"
    CheckpointStore(tmp_path)
    (aside_name,) = names(tmp_path)
    assert aside_name.endswith(".part")
    writer.kill()
    writer.wait()
    writer.stdout.close()
    CheckpointStore(tmp_path)
    assert names(tmp_path) == []


def orphan(folder, host, pid):
    path = folder / f".step-00000001.safetensors.{host}-{pid}-0123abcd.part"
    path.write_bytes(b"half")
    return path


@posix
def test_another_machines_file_stays_for_a_day(tmp_path):
    path = orphan(tmp_path, "some-other-host", 1)
    CheckpointStore(tmp_path)
    assert path.exists()
    yesterday = time.time() - 25 * 3600
    os.utime(path, (yesterday, yesterday))
    CheckpointStore(tmp_path)
    assert not path.exists()


@posix
def test_where_there_are_no_locks_the_process_number_tells(tmp_path, monkeypatch):
    def unsupported(*args):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(aside.fcntl, "flock", unsupported)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = aside._host()
    live, dead, odd = (
        orphan(tmp_path, host, os.getpid()),
        orphan(tmp_path, host, gone.pid),
        orphan(tmp_path, host, 10**30),
    )
    store = CheckpointStore(tmp_path)
    assert live.exists() and odd.exists() and not dead.exists()
    store.save(state(1), 1)
    assert is_state(store.load(), 1)


def test_host_names_of_any_kind_give_names_that_are_cleaned(tmp_path, monkeypatch):
    for host in ("plain", "with-dash.and.dots", "Ünï cödé/..", "", "x" * 300):
        monkeypatch.setattr(socket, "gethostname", lambda host=host: host)
        path = orphan(tmp_path, aside._host(), 999_999_999)
        CheckpointStore(tmp_path).save(state(1), 1)
        assert names(tmp_path) == ["step-00000001.safetensors"]
        assert not path.exists()


@posix
def test_a_writer_that_was_cleaned_before_it_had_its_lock_begins_again(tmp_path, monkeypatch):
    lock, calls = aside._lock, []

    def late(descriptor):
        calls.append(descriptor)
        if len(calls) == 1:
            (path,) = tmp_path.iterdir()
            path.unlink()
        return lock(descriptor) if len(calls) != 2 else False

    store = CheckpointStore(tmp_path)
    monkeypatch.setattr(aside, "_lock", late)
    store.save(state(1), 1)
    assert len(calls) == 3
    assert names(tmp_path) == ["step-00000001.safetensors"]


@posix
def test_others_may_read_it_as_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    path = CheckpointStore(tmp_path / "run").save({}, 0)
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
