"""kept: what is found on disk was compiled from these very sources, in whatever folder, and from all of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="compiled kernels need the extra numba")

import tt_perf
from tt_perf.compiled import kept

ONE = "from tt_perf.compiled.jit import inline\n\n\n@inline\ndef one():\n    return {}\n"
USER = (
    "from tt_perf.compiled.jit import jit\nfrom tt_perf.compiled.one import one\n\n\n"
    "@jit('int64()')\ndef user():\n    return one()\n"
)
ANSWER = "from tt_perf.compiled.user import user; print(user())"


def copy(folder):
    """A copy of tt_perf with a kernel more, that is made of a piece in another file."""
    package = folder / "tt_perf" / "compiled"
    kernels = shutil.ignore_patterns("*.nbi", "*.nbc")
    shutil.copytree(Path(tt_perf.__file__).parent, package.parent, ignore=kernels)
    (package / "one.py").write_text(ONE.format(1))
    (package / "user.py").write_text(USER)
    return package


def run(folder, code, **environment):
    """A process that has the copy in `folder`: what it printed, and whether it compiled something.

    It writes no bytecode: Python takes that for up to date by time and size.
    """
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), "compiling kernels" in done.stderr


def rewrite(path, text):
    """Other contents of the same size, with the same time."""
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def test_in_one_folder_each_state_of_the_sources_finds_its_own(tmp_path):
    first, second, cache = (
        tmp_path / "first",
        tmp_path / "second",
        {"NUMBA_CACHE_DIR": str(tmp_path / "cache")},
    )
    copy(first)
    package = copy(second)
    os.utime(package / "user.py", ns=(10**18, 10**18))
    assert run(first, ANSWER, **cache) == ("1", True)
    assert run(second, ANSWER, **cache) == ("1", False)  # a copy, and of another time
    rewrite(package / "one.py", ONE.format(2))
    assert run(second, ANSWER, **cache) == ("2", True)  # nothing that looks alike
    assert run(first, ANSWER, **cache) == ("1", False)  # and the first is still there


def test_beside_the_source_a_kernel_is_as_new_as_its_file_and_its_pieces(tmp_path):
    program = USER.replace("one()\n", "one() + {}\n") + "\n\nprint(user())\n"
    package = copy(tmp_path)
    (tmp_path / "program.py").write_text(program.format(1000))
    assert run(tmp_path, "import program")[0] == "1001"
    rewrite(tmp_path / "program.py", program.format(2000))  # the bytecode is the same
    assert run(tmp_path, "import program")[0] == "2001"
    rewrite(package / "one.py", ONE.format(2))
    assert run(tmp_path, "import program")[0] == "2002"


def test_sources_that_change_meanwhile_leave_nothing_behind(tmp_path):
    copy(tmp_path)
    change = (
        "from pathlib import Path\nimport tt_perf.compiled.jit\n"
        f"Path('tt_perf/compiled/one.py').write_text({ONE.format(333)!r})\n"
    )
    assert run(tmp_path, change + ANSWER, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == ("333", True)
    assert not list(tmp_path.rglob("*.nb?"))


def test_the_stamp_holds_for_these_sources_and_settings(monkeypatch):
    assert kept.unchanged()
    again = kept.stamp.__wrapped__
    assert kept.stamp() == again()
    monkeypatch.setenv("NUMBA_OPT", "1")
    other = again()
    assert other != kept.stamp()
    monkeypatch.setenv("NUMBA_CACHE_DIR", "elsewhere")
    assert again() == other
    monkeypatch.setattr(kept.numba, "__version__", "0.0")
    assert again() != other
