"""A submission that was really measured, once for all tests; and ways to change its files."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tt_perf.competition import Figures


@pytest.fixture(scope="session")
def small_gpt():
    """A language model of a task that needs no data from anywhere: the text ships with tt-text."""
    text = pytest.importorskip("tt_text", reason="tt-perf[compete] is not installed")
    from tt_tensor import manual_seed

    manual_seed(0)
    return text.GPT(text.GPTConfig(65, 64, 1, 2, 16))


@pytest.fixture(scope="session")
def prepared(small_gpt, tmp_path_factory) -> Path:
    """What prepare_submission wrote for it, by the real judge. Not to be changed: `folder` is a copy."""
    from tt_perf import prepare_submission

    path = tmp_path_factory.mktemp("prepared") / "small"
    prepare_submission(small_gpt, "tinygpt", path, name="small", author="Ada")
    return path


@pytest.fixture
def folder(prepared, tmp_path) -> Path:
    """A copy."""
    return Path(shutil.copytree(prepared, tmp_path / "submission"))


@pytest.fixture
def edit(folder) -> Callable[..., None]:
    """Change fields of one of the JSON files."""

    def change(name: str, /, **fields: Any) -> None:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps(found | fields), encoding="utf-8")

    return change


@pytest.fixture
def reseal(folder) -> Callable[..., None]:
    """What a forger does who knows how seals are made: change figures, fit all digests, seal again."""

    def change(**fields: Any) -> None:
        import hashlib

        found = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
        del found["seal"], found["format"]
        digests = {
            f"{name.partition('.')[0]}_sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in ("weights.safetensors", "submission.json")
        }
        figures = Figures(**(found | digests | fields))
        (folder / "figures.json").write_text(json.dumps(figures.to_dict()), encoding="utf-8")

    return change


@pytest.fixture
def figures(prepared) -> Figures:
    """As the judge measured them."""
    return Figures.from_dict(json.loads((prepared / "figures.json").read_text(encoding="utf-8")))


@pytest.fixture
def remembered(figures, monkeypatch) -> Callable[..., None]:
    """Let the judge say what it said before, or with changes, instead of running again."""

    def answer(**changes: Any) -> None:
        found = asdict(replace(figures, **changes))
        for name in ("task", "size", "kernels", "how", "when", "weights_sha256", "submission_sha256"):
            del found[name]
        monkeypatch.setattr("tt_perf.competition.verification.judged", lambda files, **limits: found)

    return answer
