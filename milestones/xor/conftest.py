"""For the tests and the README alike: as in a process of its own, nothing records until `--autograd` asks for it."""

from __future__ import annotations

import pytest

from tt_tensor import recorder

BEFORE = pytest.StashKey[recorder.Recorder | None]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[BEFORE] = recorder.install(None)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    recorder.install(item.stash[BEFORE])
