"""Programs to run in the tests: as a call, and as a process of their own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from milestone_kit import Milestone, Session


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


@pytest.fixture
def milestone() -> Callable[..., Milestone]:
    """A small milestone around a given `run`."""

    def make(run: Callable[[Session], None], **more: object) -> Milestone:
        return Milestone("toy", year=1958, about="a toy", run=run, **more)

    return make


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a program, given as text, in `tmp_path`; it is killed when the test is over."""
    started: list[subprocess.Popen[str]] = []

    def run(program: str, *arguments: str) -> subprocess.Popen[str]:
        file = tmp_path / "program.py"
        file.write_text(program, encoding="utf-8")
        child = subprocess.Popen(
            [sys.executable, "-u", str(file), *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        started.append(child)
        return child

    yield run
    for child in started:
        if child.poll() is None:
            child.kill()
        child.communicate()
