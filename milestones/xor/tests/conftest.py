"""A finished run to look at, and who finds a tape here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from milestone_xor import main
from tt_tensor import recorder


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path, dict]:
    """Exit code, directory and figures.json of one quick run."""
    out = tmp_path_factory.mktemp("xor")
    code = main(["--quick", "--seed", "3", "--out", str(out), "--quiet"])
    return code, out, json.loads((out / "figures.json").read_text(encoding="utf-8"))


@pytest.fixture
def tape() -> Iterator[None]:
    """As in a process that has imported tt_autograd."""
    from tt_autograd.tape import Tape

    before = recorder.install(Tape())
    yield
    recorder.install(before)
