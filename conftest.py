"""For every test of the workspace: documents are tests too, and hypothesis has time.

The ``python`` blocks of each README and of docs/ run, and so do the ``>>>`` examples in docstrings. With a
package's tests its own README and docstrings run, so each example must get by with that package alone.

``TT_ACCELERATE=1 pytest ...`` runs them on compiled kernels (tt-perf[numba] must be installed).
"""

import os
import sys
import tomllib
from collections.abc import Iterator
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).resolve().parent
FLAGS = ELLIPSIS | NORMALIZE_WHITESPACE

prose = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=FLAGS), SkipParser()],
    patterns=["*.md", "docs/**/*.md", "packages/*/*.md", "milestones/*/*.md"],
)
docstrings = Sybil(
    parsers=[DocTestParser(FLAGS)],
    # Each depth is named: before Python 3.13, ** is one folder here.
    patterns=[f"{top}/*/src/{'*/' * depth}*.py" for top in ("packages", "milestones") for depth in (1, 2, 3)],
    document_types={".py": PythonDocStringDocument},
)
pytest_collect_file = (prose + docstrings).pytest()

# A slow machine is not a bug. On CI the examples are the same each time, so that a red run can be repeated.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_configure() -> None:
    """The same suite on compiled kernels, where that is asked for."""
    if os.environ.get("TT_ACCELERATE", "0") not in ("", "0"):
        import tt_perf

        if not tt_perf.accelerate().kernels:
            raise pytest.UsageError(
                "TT_ACCELERATE is set, but numba is missing: pip install 'tt-perf[numba]'"
            )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Each package's tests see what its wheel sees: no tape, where the wheel does not depend on tt-autograd.

    Importing tt_autograd anywhere installs the tape for the process, and here all packages share one.
    """
    recorder = sys.modules.get("tt_tensor.recorder")
    if recorder is None or _may_record(item.path):
        return (yield)
    before = recorder.install(None)
    try:
        return (yield)
    finally:
        recorder.install(before)


@cache
def _may_record(path: Path) -> bool:
    inside = path.relative_to(ROOT).parts
    if inside[0] not in ("packages", "milestones") or "training" in inside:
        return True
    with open(ROOT / inside[0] / inside[1] / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    return project["name"] == "tt-autograd" or any("tt-autograd" in line for line in project["dependencies"])
