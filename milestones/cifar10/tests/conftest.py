"""The real images where they are; and a small set of the same kind, whose classes can be told apart, anywhere."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from milestone_cifar10 import images, main, recipe, story, training
from tt_vision.datasets import CIFAR10, ImageDataset

BESIDE = Path(__file__).resolve().parents[4] / "shared" / "data"


def made(count: int, seed: int) -> ImageDataset:
    """Images (count, 3, 32, 32): each class has a colour and a stripe of its own, in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    data = rng.integers(0, 120, (count, 32, 32, 3))
    colours = np.random.default_rng(99).integers(0, 130, (10, 3))
    data += colours[labels][:, None, None]
    data[np.arange(count), 3 * labels] += 60
    return ImageDataset(data.clip(0, 255).astype(np.uint8).transpose(0, 3, 1, 2), labels, CIFAR10.names)


@pytest.fixture
def small(monkeypatch):
    """640 images to learn from and 200 to be tested on, in place of the real ones; a small network, and short looks."""
    both = images.Images(made(640, 0), made(200, 1))
    plan = dataclasses.replace(recipe.SHORT, stem=(4, 4, 0, 8), blocks=((16, True), (32, False)), batch=32)
    monkeypatch.setattr(images, "load", lambda root, download=True: both)
    monkeypatch.setattr(recipe, "SHORT", plan)
    monkeypatch.setattr(training, "HIDDEN", (16,))
    monkeypatch.setattr(training, "WHITENED_BY", 200)
    monkeypatch.setattr(story, "LOOK", 0.02)
    return both


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr(story, "_draw", lambda *args: None)


@pytest.fixture
def run(small, no_pictures, tmp_path):
    """Run the program on the small images; its exit code and figures by name."""

    def call(*arguments: str) -> tuple[int, dict]:
        code = main([*arguments, "--out", str(tmp_path), "--quiet"])
        document = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
        return code, {figure["name"]: figure for figure in document["figures"]}

    return call


@pytest.fixture(scope="session")
def real() -> images.Images:
    """CIFAR-10 itself."""
    root = os.environ.get("TT_DATA_HOME") or (str(BESIDE) if BESIDE.is_dir() else None)
    if root is None:
        pytest.skip("needs CIFAR-10: set TT_DATA_HOME to a folder with cifar-10-binary.tar.gz")
    return images.load(root, download=False)
