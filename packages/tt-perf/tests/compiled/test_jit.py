"""jit: kernels take the types that they name, and run where nothing can be kept on disk."""

import subprocess
import sys

import pytest

pytest.importorskip("numba", reason="compiled kernels need the extra numba")

import numba
import numpy as np

from tt_perf.compiled import matmul


def test_other_types_are_refused_not_compiled():
    with pytest.raises(TypeError, match="No matching definition"):
        matmul.ikj(np.eye(2), np.eye(2), np.eye(2))


KERNEL = (
    "from tt_perf.compiled.jit import jit\n\n\n@jit('int64(int64)'{})\ndef twice(n):\n    return 2 * n\n\n\n"
    "@jit('int64(int64)'{})\ndef thrice(n):\n    return 3 * n\n\n\nprint(twice(4), thrice(4))\n"
)


def run(folder, options="", **environment):
    """A program with two kernels, in a process of its own."""
    program = folder / "program.py"
    program.write_text(KERNEL.format(options, options))
    return subprocess.run(
        [sys.executable, program],
        capture_output=True,
        text=True,
        env={"PATH": "", **environment},
        check=False,
    )


def test_a_kernel_need_not_be_kept(tmp_path):
    done = run(tmp_path, ", cache=False")
    assert (done.returncode, done.stdout) == (0, "8 12\n"), done.stderr


@pytest.mark.skipif(not hasattr(numba.config, "CACHE_LOCATOR_CLASSES"), reason="numba 0.61 tries all folders")
def test_where_no_folder_can_be_written_kernels_are_compiled_and_one_line_says_so(tmp_path):
    # Without NUMBA_CACHE_DIR this way of finding a folder finds none.
    done = run(tmp_path, NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator")
    assert (done.returncode, done.stdout) == (0, "8 12\n"), done.stderr
    assert done.stderr.count("set NUMBA_CACHE_DIR") == 1


# The limit is set when numba has been imported, which writes files of its own.
FULL = "import numba, resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100, -1))\n"


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX's")
def test_a_full_disk_stops_no_kernel(tmp_path):
    (tmp_path / "limited.py").write_text(FULL + "import program\n")
    (tmp_path / "program.py").write_text(KERNEL.format("", ""))
    cache = tmp_path / "cache"
    done = subprocess.run(
        [sys.executable, tmp_path / "limited.py"],
        capture_output=True,
        text=True,
        env={"PATH": "", "NUMBA_CACHE_DIR": str(cache)},
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "8 12\n"), done.stderr
    assert done.stderr.count("set NUMBA_CACHE_DIR") == 1
