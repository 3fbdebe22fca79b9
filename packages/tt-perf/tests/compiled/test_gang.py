"""The gang: every index once, in all circumstances; nobody waits for somebody who does not come."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="compiled kernels need numba")

from tt_nn import shards
from tt_perf.compiled import atomics, gang
from tt_perf.compiled.jit import jit


@jit("void(int64, int64, int64[::1], int64[::1])")
def mark(start, stop, seen, calls):
    """Count every index, and the calls."""
    for i in range(start, stop):
        seen[i] += 1
    calls[start] += 1


@jit("void(int64[::1], int64[::1], int64[::1], int64)")
def mark_all(state, seen, calls, grain):
    gang.share(state, mark, len(seen), grain, (seen, calls))


@jit("void(int64, int64, float64[::1], float64[::1])")
def add_up(start, stop, x, y):
    for i in range(start, stop):
        y[i] = x[max(i - 1, 0)] + x[i] + x[min(i + 1, len(x) - 1)]


@jit("void(int64[::1], float64[::1], float64[::1], int64)")
def smooth(state, x, y, steps):
    """Each step reads what all of the one before wrote."""
    for step in range(steps):
        if step % 2 == 0:
            gang.share(state, add_up, len(x), 16, (x, y))
        else:
            gang.share(state, add_up, len(x), 16, (y, x))


@jit("void(int64, int64, float64[::1])")
def toil(start, stop, x):
    for i in range(start, stop):
        for _ in range(2_000):
            x[i] = x[i] * 0.999 + 1.0


@jit("void(int64[::1], float64[::1])")
def toil_all(state, x):
    gang.share(state, toil, len(x), 4, (x,))


@jit("void(int64[::1], float32[:, ::1], int64, int64, int64)")
def announce(state, weight, side, length, grain):
    gang.soon(state, weight, side, length, grain)


@jit("void(int64, int64, int64[::1])")
def meet(start, stop, seen):
    """Who begins stays until somebody else has been at the other half, or for a while."""
    atomics.store(seen, start, 1)
    looks = 0
    while start == 0 and not atomics.load(seen, len(seen) // 2) and looks < 1_000_000:
        atomics.breathe()
        looks += 1
    if start == 0 and atomics.load(seen, len(seen) // 2):
        atomics.store(seen, 0, 2)


@jit("void(int64[::1], int64[::1])")
def meet_all(state, seen):
    gang.share(state, meet, len(seen), 5, (seen,))


@pytest.fixture(autouse=True)
def two_threads():
    with shards.threads(2):
        yield


def helpers():
    return int(gang.state()[gang.HELPERS])


def each_once(state, length, grain):
    seen, calls = np.zeros(length, np.int64), np.zeros(length + 1, np.int64)
    mark_all(state, seen, calls, grain)
    return (seen == 1).all(), int(calls.sum())


@contextlib.contextmanager
def many_cores():
    """The state of a gang of five."""
    made = gang._Gang(5, 4)
    try:
        assert made.state[gang.HELPERS] == 4
        yield made.state
    finally:
        made.end()


@settings(deadline=None)
@given(length=st.integers(0, 300), grain=st.integers(1, 400))
def test_every_index_comes_once(length, grain):
    state = gang.state()
    whole, calls = each_once(state, length, grain)
    assert whole
    if length <= grain:
        assert calls == (length > 0)
    else:
        assert calls <= -(-length // grain) + 1
    assert state[gang.BUSY] == 0 and not state[gang.DOOR] & (gang.NUMBER - 1)


@settings(deadline=None, max_examples=20)
@given(length=st.integers(0, 300), grain=st.integers(1, 100))
def test_every_index_comes_once_on_many_cores(length, grain):
    with many_cores() as state:
        whole, calls = each_once(state, length, grain)
    assert whole
    assert calls <= -(-length // grain) + 1


LARGE = 300, 256  # of float32, more than is in a cache anyhow


def told(rows=LARGE[0], helpers=1):
    """A state with nobody behind it, and the outcome of an announcement."""
    state = np.zeros(gang.PARTS + gang.LINE * (helpers + 1), np.int64)
    state[gang.HELPERS] = helpers
    weight = np.zeros((rows, LARGE[1]), np.float32)
    announce(state, weight, 8, -(-rows // 8), 4)
    return state, weight


def test_what_comes_next_is_asked_for_until_it_is_there():
    state, weight = told()
    assert state[gang.NEXT] == weight.__array_interface__["data"][0]
    assert gang.fetch(state, 1, 0) == -1
    state[gang.DOOR] = gang.OPEN
    assert gang.fetch(state, 1, 128) == 128
    state[gang.DOOR] = 0
    assert gang.fetch(state, 1, 128) == -1


def test_nothing_is_asked_for_of_a_small_weight_or_without_helpers():
    assert told(10)[0][gang.NEXT] == 0
    assert told(0)[0][gang.NEXT] == 0
    assert told(helpers=0)[0][gang.NEXT] == 0


def test_announcements_change_no_result():
    weight = np.zeros(LARGE, np.float32)
    for _ in range(50):
        state = gang.state()
        announce(state, weight, 8, 38, 4)
        assert each_once(state, 38, 4)[0]
        announce(state, weight[:0], 8, 0, 1)


def test_that_more_work_comes_is_forgotten_in_sleep():
    state = gang.state()
    if not state[gang.HELPERS]:
        pytest.skip("one core")
    announce(state, np.zeros(LARGE, np.float32), 8, 38, 4)
    assert state[gang.OFTEN] == 1
    deadline = time.monotonic() + 20
    while state[gang.OFTEN] and time.monotonic() < deadline:
        gang.state()  # if it slept when it was told, it wakes up
        time.sleep(0.01)
    assert state[gang.OFTEN] == 0


def test_between_two_calls_all_is_done():
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000)
    ours, other = x.copy(), np.empty_like(x)
    smooth(gang.state(), ours, other, 40)
    for _ in range(40):
        padded = np.concatenate((x[:1], x, x[-1:]))
        x = padded[:-2] + x + padded[2:]
    np.testing.assert_allclose(ours, x, rtol=1e-12)


@pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2 if hasattr(os, "sched_getaffinity") else True, reason="one core"
)
def test_a_helper_works():
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        seen = np.zeros(400, np.int64)
        meet_all(gang.state(), seen)
        if seen[0] == 2:
            return
    pytest.fail("no helper came within 20 s")


def test_one_thread_works_alone():
    with shards.threads(1):
        assert helpers() == 0
        assert each_once(gang.state(), 100, 7) == (True, 1)


def test_another_number_of_threads_makes_another_gang():
    first = gang.state()
    with shards.threads(1):
        assert gang.state() is not first
    again = gang.state()
    assert again is first
    with shards.threads(3):
        assert each_once(gang.state(), 100, 7)[0]
        assert helpers() <= max(gang._cores() - 1, 0)
    assert helpers() == min(1, gang._cores() - 1)


def test_inside_a_shard_it_works_alone():
    found = []
    shards.run(lambda start, stop, part: found.append(helpers()), 4)
    assert set(found) == {0}


def test_many_threads_at_once():
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(300):
            length, grain = int(rng.integers(0, 200)), int(rng.integers(1, 50))
            if not each_once(gang.state(), length, grain)[0]:
                wrong.append((length, grain))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a job that never ended"
    assert not wrong


def test_helpers_sleep_and_wake():
    state = gang.state()
    each_once(state, 100, 7)
    deadline = time.monotonic() + 20
    while state[gang.ASLEEP] < state[gang.HELPERS] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert state[gang.ASLEEP] == state[gang.HELPERS]
    assert each_once(state, 100, 7)[0]  # also where nobody woke them
    assert gang.state() is state
    assert each_once(state, 100, 7)[0]


def test_after_stop_there_is_a_new_one():
    before = gang.state()
    threads = gang._gang.threads
    gang.stop()
    gang.stop()
    assert not any(thread.is_alive() for thread in threads)
    assert each_once(before, 100, 7) == (True, 1)  # who still holds the old state works alone
    after = gang.state()
    assert after is not before
    assert each_once(after, 100, 7)[0]


def toil_until_interrupted(x):
    for _ in range(10_000):
        toil_all(gang.state(), x)


def interrupt(number, frame):
    raise KeyboardInterrupt


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
def test_an_interrupt_comes_through():
    x = np.zeros(4000)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(KeyboardInterrupt):
            toil_until_interrupted(x)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert each_once(gang.state(), 100, 7)[0]


KERNELS = """
from tt_perf.compiled import atomics, gang
from tt_perf.compiled.jit import jit

@jit("void(int64, int64, int64[::1])")
def add_one(start, stop, x):
    for i in range(start, stop):
        x[i] += 1

@jit("void(int64[::1], int64[::1])")
def add_ones(state, x):
    gang.share(state, add_one, len(x), 8, (x,))
"""

SCRIPT = """
import os
import numpy as np
from tt_nn import shards
from tt_perf.compiled import atomics, gang
from kernels_of_a_script import add_ones

def right():
    x = np.zeros(4096, np.int64)
    for _ in range(100):
        add_ones(gang.state(), x)
    return bool((x == 100).all())

shards.set_num_threads(2)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A process of its own; its kernels are in a file, so that they are compiled once for all of them."""
    folder = tmp_path_factory.mktemp("gang")
    (folder / "kernels_of_a_script.py").write_text(KERNELS)

    def process(body):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SCRIPT + textwrap.dedent(body)],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=folder,  # where -c looks for modules
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return process


def test_python_ends_with_helpers_at_work(run):
    for _ in range(3):
        assert run("print(right())") == "True\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_works_alone(run):
    out = run(
        """
        assert right()
        child = os.fork()
        if child == 0:
            os._exit(0 if right() and gang.state()[gang.HELPERS] == 0 else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), right())
        """
    )
    assert out == "0 True\n"
