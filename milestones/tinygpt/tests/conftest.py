"""A network of a second, to look at all that is around it: in this process, and in ones of their own."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from milestone_kit.progress import Progress
from milestone_kit.screen import Screen
from milestone_tinygpt import main, story
from milestone_tinygpt.corpus import Corpus, shakespeare
from milestone_tinygpt.recipes import NANOGPT, RECIPES, Recipe
from milestone_tinygpt.training import Result, train

TINY = Recipe(
    "nanogpt",
    steps=40,
    lr=1e-2,
    bar=3.4,  # who knows how often each character comes has 3.3, who knows nothing 4.2
    quick_band=(2.5, 3.8),
    layers=1,
    heads=2,
    width=32,
    block=32,
    batch=8,
    judged_in=32,
    warm_up=4,
    evaluate_every=10,
    quick_steps=20,
)

PROGRAM = f"""
import sys
from milestone_tinygpt import main, story
from milestone_tinygpt.recipes import Recipe
story.RECIPES["nanogpt"] = {TINY!r}
story.draw = lambda *arguments: None
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def tiny() -> Recipe:
    return TINY


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """Characters."""
    return shakespeare("char", 512)


@pytest.fixture(scope="session")
def small(corpus: Corpus) -> Corpus:
    """The same, of each part the beginning."""
    val = corpus.val[:2001]
    return Corpus(corpus.tokenizer, corpus.train[:20_000], val, len(val) - 1, corpus.lines)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path, dict, str]:
    """Exit code, folder, figures.json and what was said of one run of the tiny recipe, pictures and all."""
    out = tmp_path_factory.mktemp("tinygpt")
    before, sys.stdout = sys.stdout, io.StringIO()
    RECIPES["nanogpt"] = TINY
    try:
        code = main(["--seed", "3", "--out", str(out), "--prompt", "ROMEO:", "--max-new-tokens", "80"])
        said = sys.stdout.getvalue()
    finally:
        sys.stdout = before
        RECIPES["nanogpt"] = NANOGPT
    return code, out, json.loads((out / "figures.json").read_text(encoding="utf-8")), said


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, dict]]:
    """The tiny recipe into a folder, without pictures: the exit code, and what is in figures.json, by name."""
    monkeypatch.setattr(story, "draw", lambda *arguments: None)
    monkeypatch.setattr(story, "speed_of", lambda model: 1000.0)
    monkeypatch.setitem(RECIPES, "nanogpt", TINY)

    def go(*arguments: str, out: Path = tmp_path) -> tuple[int, dict]:
        code = main(["--quiet", "--max-new-tokens", "20", "--out", str(out), *arguments])
        figures = json.loads((out / "figures.json").read_text(encoding="utf-8"))["figures"]
        return code, {figure["name"]: figure for figure in figures}

    return go


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """The tiny recipe in a process of its own; killed when the test is over."""
    started: list[subprocess.Popen[str]] = []

    def go(*arguments: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-u", "-c", PROGRAM, "--max-new-tokens", "20", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        started.append(child)
        return child

    yield go
    for child in started:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.fixture
def trained(small: Corpus) -> Callable[..., Result]:
    """Train on the small corpus, into a folder."""

    def go(
        folder: Path, recipe: Recipe = TINY, seed: int = 1, resume: bool = False, of: Corpus = small
    ) -> Result:
        with Progress(Screen(io.StringIO(), quiet=True), recipe.steps, "training") as bar:
            return train(recipe, of, seed, folder, bar, str, lambda model: "", 3.5, resume)

    return go


@pytest.fixture
def weights() -> Callable[[Result], list[np.ndarray]]:
    """Copies of all weights."""
    return lambda result: [tensor.numpy().copy() for tensor in result.model.state_dict().values()]
