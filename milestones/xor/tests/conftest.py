"""A finished run to look at, and what all tests here need."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from milestone_xor import main


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path, dict]:
    """Exit code, directory and figures.json of one quick run."""
    out = tmp_path_factory.mktemp("xor")
    code = main(["--quick", "--seed", "3", "--out", str(out), "--quiet"])
    return code, out, json.loads((out / "figures.json").read_text(encoding="utf-8"))
