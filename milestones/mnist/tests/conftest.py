"""A finished run to look at, and runs of a second on a few digits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from milestone_mnist import main, story
from milestone_mnist.images import Problem, digits
from milestone_mnist.training import Plan, Result, train
from tt_data import Subset
from tt_vision.datasets import ImageDataset


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path, dict]:
    """Exit code, directory and figures.json of one quick run."""
    out = tmp_path_factory.mktemp("mnist")
    code = main(["--quick", "--seed", "3", "--out", str(out), "--quiet"])
    return code, out, json.loads((out / "figures.json").read_text(encoding="utf-8"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, dict]]:
    """One epoch into a folder, without pictures: the exit code, and what is in figures.json, by name."""
    monkeypatch.setattr(story, "draw", lambda *arguments: None)
    monkeypatch.setattr(story, "MEASURED_SECONDS", 0.01)

    def go(*arguments: str, out: Path = tmp_path) -> tuple[int, dict]:
        code = main(["--epochs", "1", "--quiet", "--out", str(out), *arguments])
        figures = json.loads((out / "figures.json").read_text(encoding="utf-8"))["figures"]
        return code, {figure["name"]: figure for figure in figures}

    return go


@pytest.fixture(scope="session")
def problem() -> Problem:
    return digits(0)


@pytest.fixture
def small(problem: Problem) -> Problem:
    """Of each part a few images: two batches of 24 and one of 12 to learn from."""
    train, choose = (
        Subset(part.dataset.dataset, part.dataset.indices[:count]).with_transform(part.transform)
        for part, count in ((problem.train, 60), (problem.choose, 20))
    )
    test = ImageDataset(problem.test.data[:30], problem.test.targets[:30], problem.test.classes)
    return replace(problem, train=train, choose=choose, test=test)


@pytest.fixture
def trained(small: Problem) -> Callable[..., Result]:
    """Train on the small problem, into a folder."""
    import io

    from milestone_kit.progress import Progress
    from milestone_kit.screen import Screen
    from milestone_mnist.networks import cnn_of

    def go(
        folder: Path,
        plan: Plan = Plan(epochs=4, lr=0.01, batch=24),  # noqa: B008
        network=None,
        seed: int = 1,
        resume: bool = False,
        of: Problem = small,
    ) -> Result:
        with Progress(Screen(io.StringIO(), quiet=True), plan.steps(of), "training") as bar:
            return train(network or cnn_of(of), of, seed, plan, folder, bar, resume)

    return go
