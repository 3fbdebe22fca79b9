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


def test_a_changed_piece_makes_the_kernels_of_other_files_anew(tmp_path):
    package = copy(tmp_path)
    assert run(tmp_path, ANSWER) == ("1", True)
    assert run(tmp_path, ANSWER) == ("1", False)
    times = (package / "one.py").stat()
    (package / "one.py").write_text(ONE.format(2))
    os.utime(
        package / "one.py", ns=(times.st_atime_ns, times.st_mtime_ns)
    )  # time and size are what they were
    assert run(tmp_path, ANSWER)[0] == "2"


def test_a_copy_of_the_same_sources_finds_what_the_first_compiled(tmp_path):
    first, second, cache = tmp_path / "first", tmp_path / "second", tmp_path / "cache"
    copy(first)
    package = copy(second)
    os.utime(package / "user.py", ns=(10**18, 10**18))
    shared = {"NUMBA_CACHE_DIR": str(cache)}
    assert run(first, ANSWER, **shared) == ("1", True)
    assert run(second, ANSWER, **shared) == ("1", False)
    # Another state of the sources neither takes these nor throws them out; nor do other settings of numba.
    (package / "one.py").write_text(ONE.format(22))
    assert run(second, ANSWER, **shared) == ("22", True)
    assert run(second, ANSWER, NUMBA_OPT="1", **shared) == ("22", True)
    assert run(first, ANSWER, **shared) == ("1", False)


def test_a_kernel_somewhere_else_is_as_new_as_its_own_file(tmp_path):
    text = "from tt_perf.compiled.jit import jit\n\n\n@jit('int64()')\ndef user():\n    return {}\n\n\nprint(user())\n"
    package = copy(tmp_path)
    for value in ("1000", "2000"):  # one bytecode, two constants
        (tmp_path / "program.py").write_text(text.format(value))
        assert run(tmp_path, "import program")[0] == value
    (index,) = (tmp_path / "__pycache__").glob("*.nbi")
    before = index.read_bytes()
    assert run(tmp_path, "import program")[0] == "2000" and index.read_bytes() == before
    (package / "one.py").write_text("")  # it might have been a piece of it
    assert run(tmp_path, "import program")[0] == "2000" and index.read_bytes() != before


def test_sources_that_change_meanwhile_leave_nothing_behind(tmp_path):
    package = copy(tmp_path)
    cache = tmp_path / "cache"
    change = (
        "from pathlib import Path\nimport tt_perf.compiled.jit\n"
        f"Path('tt_perf/compiled/one.py').write_text({ONE.format(333)!r})\n"
    )
    assert run(tmp_path, change + ANSWER, NUMBA_CACHE_DIR=str(cache)) == ("333", True)
    assert not list(cache.rglob("*.nb?"))
    (package / "one.py").write_text(ONE.format(1))
    assert run(tmp_path, ANSWER, NUMBA_CACHE_DIR=str(cache)) == ("1", True)


def test_this_process_has_the_sources_that_it_began_with():
    assert kept.unchanged()
    assert kept.stamp() == kept.stamp.__wrapped__()
