"""A finished run to look at, and runs of a few seconds less."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from milestone_spirals import main, story
from milestone_spirals.spirals import Problem, draw, problem
from tt_tensor import recorder


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path, dict]:
    """Exit code, directory and figures.json of one quick run."""
    out = tmp_path_factory.mktemp("spirals")
    code = main(["--quick", "--seed", "3", "--out", str(out), "--quiet"])
    return code, out, json.loads((out / "figures.json").read_text(encoding="utf-8"))


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer to draw than a few epochs to train."""
    monkeypatch.setattr(story, "_draw", lambda *arguments: None)


@pytest.fixture
def run(no_pictures: None, tmp_path: Path) -> Callable[..., tuple[int, dict]]:
    """Run it with few epochs into a folder: the exit code, and what is in figures.json, by name."""

    def go(*arguments: str, out: Path = tmp_path) -> tuple[int, dict]:
        code = main(["--epochs", "4", "--quiet", "--out", str(out), *arguments])
        figures = json.loads((out / "figures.json").read_text(encoding="utf-8"))["figures"]
        return code, {figure["name"]: figure for figure in figures}

    return go


@pytest.fixture
def small() -> Problem:
    """A problem that is trained on in no time."""
    import numpy as np

    sizes = (40, 20, 30)
    return Problem(*(draw(each, np.random.default_rng([9, part])) for part, each in enumerate(sizes)))


@pytest.fixture(scope="session")
def points() -> Problem:
    return problem(0)


@pytest.fixture(autouse=True)
def tape() -> Iterator[None]:
    """The tape, though other wheels' tests in this process may run without one."""
    from tt_autograd.tape import Tape

    before = recorder.install(Tape())
    yield
    recorder.install(before)
