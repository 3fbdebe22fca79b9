"""What the suites of worker processes share."""

import gc
import multiprocessing
import os
import time

import pytest

FORK = "fork" in multiprocessing.get_all_start_methods()


@pytest.fixture
def fork():
    """Arguments of a loader whose dataset is written in a test, and so cannot be pickled."""
    if not FORK:
        pytest.skip("datasets of tests reach workers by fork alone")
    return {"multiprocessing_context": "fork"}


@pytest.fixture
def no_orphans():
    """Afterwards no child process of this one is left, and no descriptor either."""
    if os.name == "posix":
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # multiprocessing's own, which "spawn" starts and keeps
    before = _descriptors()
    yield
    gc.collect()  # tracebacks of errors that were expected hold frames, and these hold loaders
    deadline = time.monotonic() + 5
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert multiprocessing.active_children() == []
    assert _descriptors() <= before


def _descriptors():
    """How many open files there are, where the system tells."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
