"""jit: kernels take the types that they name, and what is on disk is as new as every source."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="compiled kernels need the extra numba")

import numpy as np

import tt_perf
from tt_perf.compiled import matmul


def test_other_types_are_refused_not_compiled():
    with pytest.raises(TypeError, match="No matching definition"):
        matmul.ikj(np.eye(2), np.eye(2), np.eye(2))


ONE = "from tt_perf.compiled.jit import inline\n\n\n@inline\ndef one():\n    return {}\n"
USER = (
    "from tt_perf.compiled.jit import jit\nfrom tt_perf.compiled.one import one\n\n\n"
    "@jit('int64()')\ndef user():\n    return one()\n"
)


def test_a_changed_piece_makes_the_kernels_of_other_files_anew(tmp_path):
    package = tmp_path / "tt_perf"
    shutil.copytree(Path(tt_perf.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "compiled" / "user.py").write_text(USER)

    def answer():
        run = subprocess.run(
            [sys.executable, "-c", "from tt_perf.compiled.user import user; print(user())"],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        )
        return int(run.stdout)

    (package / "compiled" / "one.py").write_text(ONE.format(1))
    assert answer() == 1
    (package / "compiled" / "one.py").write_text(ONE.format(22))
    assert answer() == 22
