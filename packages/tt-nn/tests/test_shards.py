"""Shards: every index once, errors and interrupts come through, BLAS and threads as they were before."""

import gc
import os
import signal
import threading
import time
import tracemalloc
import warnings
import weakref
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from tt_nn import shards
from tt_tensor import kernels
from tt_tensor.errors import ArgumentError

PATIENCE = 20  # seconds until a test gives up on a thread
PARTS = 2 * shards.PARTS_A_THREAD  # of a long range, for two threads


@pytest.fixture
def two_threads():
    with shards.threads(2), threadpool_limits(2, "blas"):
        yield


@pytest.fixture
def interrupts():
    """Ctrl-C is an interrupt, also where this process was started with none (in the background of a shell)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def blas_has(number):
    """Does every BLAS of the process run on so many threads?"""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"} <= {
        number
    }


def in_both_threads(body):
    """A body whose first two parts run side by side in two threads, whatever the machine is busy with."""
    both = threading.Barrier(2)

    def meeting(start, stop, part):
        if part < 2:
            both.wait(PATIENCE)
        body(start, stop, part)

    return meeting


def elsewhere():
    """Is this a thread of the pool?"""
    return threading.current_thread() is not threading.main_thread()


# --- how a batch is cut ----------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(0, 2000), st.integers(1, 9))
def test_parts_cover_the_range_in_order(length, least, number):
    with shards.threads(number):
        cut = shards.parts(length, least)
    assert cut[0][0] == 0 and cut[-1][1] == length
    assert all(a[1] == b[0] for a, b in pairwise(cut))
    sizes = [stop - start for start, stop in cut]
    assert len(cut) <= shards.PARTS_A_THREAD * number and max(sizes) - min(sizes) <= 1
    assert len(cut) == 1 or min(sizes) >= max(least, 1)
    assert len(cut) <= number or len(cut) % number == 0, "a thread has nothing to do at the end"


@given(st.integers(0, 300), st.integers(1, 40), st.integers(1, 5))
def test_every_index_is_visited_once(length, least, number):
    visits, seen = np.zeros(length, int), []

    def body(start, stop, part):
        visits[start:stop] += 1
        seen.append((part, start, stop))

    with shards.threads(number):
        count = shards.run(body, length, least)
        assert sorted(seen) == [(part, *place) for part, place in enumerate(shards.parts(length, least))]
    assert count == len(seen) and (visits == 1).all()


def test_parts_run_side_by_side(two_threads):
    names = set()
    shards.run(in_both_threads(lambda *part: names.add(threading.get_ident())), 100)
    assert len(names) == 2


def test_one_thread_is_the_calling_one():
    names = []
    with shards.threads(1):
        assert shards.run(lambda *part: names.append(threading.get_ident()), 100) == 1
    assert names == [threading.get_ident()]


def test_the_same_bits_each_time(two_threads):
    x = np.random.default_rng(0).normal(size=100_000).astype(np.float32)

    def total():
        cut = shards.parts(len(x))
        sums = np.zeros(len(cut), np.float32)

        def body(start, stop, part):
            sums[part] = x[start:stop].sum()

        shards.run_parts(body, cut)
        return sums.sum().tobytes()

    assert len({total() for _ in range(20)}) == 1


def test_inside_a_part_all_is_one_part(two_threads):
    found = []

    def outer(start, stop, part):
        found.append(shards.run(lambda *inner: found.append(threading.get_ident()), 100))

    shards.run(in_both_threads(outer), 100)
    assert found.count(1) == PARTS and len(set(found)) == 3
    assert len(shards.parts(100)) == PARTS  # and outside again


def test_parts_that_were_cut_outside_run_inside_one_after_the_other(two_threads):
    # Handed to the pool, both threads would wait for each other.
    cut, visits, still = shards.parts(100), np.zeros((PARTS, 100), int), []
    assert len(cut) == PARTS

    def outer(start, stop, part):
        def inner(start, stop, _):
            visits[part, start:stop] += 1

        shards.run_parts(inner, cut)
        still.append(len(shards.parts(100)))

    ended = threading.Thread(target=shards.run_parts, args=(in_both_threads(outer), cut), daemon=True)
    ended.start()
    ended.join(PATIENCE)
    assert not ended.is_alive() and (visits == 1).all()
    assert still == [1] * PARTS  # and what comes after that in the same part is inside, too


# --- errors and interrupts -------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["here", "elsewhere", "both"])
def test_an_error_comes_through_when_all_have_ended(two_threads, where):
    running, begun = [], []

    def body(start, stop, part):
        begun.append(part)
        if where == "both" or elsewhere() == (where == "elsewhere"):
            raise ZeroDivisionError(f"part {part}")
        running.append(part)
        time.sleep(0.02)
        running.remove(part)

    for _ in range(3):
        begun.clear()
        with pytest.raises(ZeroDivisionError, match=r"part [01]"):
            shards.run(in_both_threads(body), 100)
        assert not running and blas_has(2)
    shards.run(in_both_threads(lambda *part: running.append(part)), 100)
    assert len(running) == PARTS


def test_after_an_error_no_part_is_begun(two_threads):
    begun = []

    def body(start, stop, part):
        begun.append(part)
        if elsewhere():
            raise ZeroDivisionError
        time.sleep(0.4)  # the error comes meanwhile

    with pytest.raises(ZeroDivisionError):
        shards.run(in_both_threads(body), 100)
    assert sorted(begun) == [0, 1]


def test_an_interrupt_inside_a_part(two_threads, interrupts):
    ended = []

    def body(start, stop, part):
        if elsewhere():
            time.sleep(0.05)
            ended.append(part)
        else:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        shards.run(in_both_threads(body), 100)
    assert ended and blas_has(2) and len(shards.parts(100)) == PARTS


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals to threads here")
def test_an_interrupt_while_waiting_for_the_others(two_threads, interrupts):
    ended, main = [], threading.get_ident()

    def body(start, stop, part):
        if elsewhere():
            time.sleep(0.1)  # the other thread has taken the rest and waits
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.05)
            ended.append(part)

    with pytest.raises(KeyboardInterrupt):
        shards.run(in_both_threads(body), 100)
    assert len(ended) == 1 and blas_has(2)


def test_where_no_thread_can_be_had_this_one_does_it_all(two_threads, monkeypatch):
    def refuse(*args):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(shards, "_workers", refuse)
    visits = np.zeros(100, int)

    def body(start, stop, part):
        visits[start:stop] += 1

    shards.run(body, 100)
    assert (visits == 1).all() and blas_has(2)


# --- what else runs --------------------------------------------------------------------------------------


def test_blas_has_one_thread_inside_and_its_own_again_outside(two_threads, monkeypatch):
    monkeypatch.setattr(shards, "preferred", False)
    inside = []
    shards.run(in_both_threads(lambda *part: inside.append(blas_has(1))), 100)
    assert inside == [True] * PARTS and blas_has(2)
    shards.run(lambda *part: inside.append(blas_has(2)), 1)  # one part keeps them …
    assert inside.pop()
    monkeypatch.setattr(shards, "preferred", True)
    shards.run(lambda *part: inside.append(blas_has(1)), 1)  # … but beside layers that run in shards
    assert inside == [True] * (PARTS + 1)


@pytest.mark.parametrize("last", ["this one", "the other"])
def test_of_threads_that_overlap_the_last_one_restores_blas(two_threads, last):
    inside, leave, found = threading.Event(), threading.Event(), []

    def other():
        with shards.one_blas_thread():
            inside.set()
            leave.wait(PATIENCE)
        found.append(blas_has(1 if last == "this one" else 2))

    thread = threading.Thread(target=other)
    with shards.one_blas_thread():
        thread.start()
        inside.wait(PATIENCE)
        if last == "this one":
            leave.set()
            thread.join()
    assert last == "this one" or blas_has(1)
    leave.set()
    thread.join()
    assert found == [True] and blas_has(2)


def test_blas_is_restored_where_it_could_not_be_limited(two_threads, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(shards, "libraries", lambda: None)
        with pytest.raises(TypeError), shards.one_blas_thread():
            pass
    with shards.one_blas_thread():
        assert blas_has(1)
    assert blas_has(2)


def test_two_threads_use_shards_at_once(two_threads):
    x = np.arange(1000.0)
    wanted, found = x * x, []

    def squares():
        for _ in range(40):
            y = np.zeros_like(x)

            def body(start, stop, part, y=y):
                memory = shards.scratch("squares", (stop - start,), x.dtype)
                memory[:] = x[start:stop]
                np.multiply(memory, memory, out=y[start:stop])

            shards.run(body, len(x))
            found.append(np.array_equal(y, wanted))

    both = [threading.Thread(target=squares) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(PATIENCE)
    assert found == [True] * 80 and blas_has(2)


def test_the_number_of_threads_may_change_while_others_run():
    over, visits = threading.Event(), np.zeros(100, int)

    def change():
        while not over.is_set():
            shards.set_num_threads(2)
            shards.set_num_threads(3)

    def body(start, stop, part):
        visits[start:stop] += 1

    with shards.threads(2):
        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(100):
                shards.run(body, 100)
        finally:
            over.set()
            thread.join()
    assert (visits == 100).all()


def test_errstate_and_the_kernels_in_use_reach_the_threads(two_threads):
    found = []

    def body(start, stop, part):
        found.append((np.geterr()["divide"], kernels.kernel("matmul") is kernels.kernel("matmul", "loops")))

    with np.errstate(divide="raise"), kernels.use("loops"):
        shards.run(in_both_threads(body), 100)
    assert found == [("raise", True)] * PARTS


def test_a_warning_in_a_thread_is_one_here(two_threads):
    def body(start, stop, part):
        if elsewhere():
            np.ones(1) / np.zeros(1)

    with pytest.raises(RuntimeWarning, match="divide by zero"):
        shards.run(in_both_threads(body), 100)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_threads_of_its_own(two_threads):
    names = set()
    shards.run(in_both_threads(lambda *part: names.add(threading.get_ident())), 100)  # the pool is there
    with shards.one_blas_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on: fork beside threads
        child = os.fork()
        if child == 0:
            names.clear()
            try:
                shards.run(in_both_threads(lambda *part: names.add(threading.get_ident())), 100)
            finally:
                os._exit(0 if len(names) == 2 else 1)
    for _ in range(100 * PATIENCE):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.01)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended and os.waitstatus_to_exitcode(status) == 0


def test_nothing_grows(two_threads):
    def body(start, stop, part):
        shards.scratch("here", (10,), np.float64)[:] = part

    for _ in range(50):
        shards.run(body, 100)
    threads = threading.active_count()
    gc.collect()
    tracemalloc.start()
    for _ in range(300):
        shards.run(body, 100)
    shards._workers().submit(int).result()  # what never began is out of the queue
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert size < 20_000 and threading.active_count() <= threads


def test_what_never_began_holds_no_memory(two_threads):
    over = threading.Event()
    shards._workers().submit(over.wait, PATIENCE)  # the other thread is busy, this one does it all
    x = np.zeros(100)
    gone = weakref.ref(x)

    def body(start, stop, part, x=x):
        x[start:stop] += 1

    assert shards.run(body, 100) == PARTS and (x == 1).all()
    del x, body
    assert gone() is None
    over.set()


# --- scratch memory --------------------------------------------------------------------------------------


def address(x):
    return x.__array_interface__["data"][0]


def test_scratch_is_the_same_again_for_one_purpose():
    first = shards.scratch("one", (3, 4), np.float64)
    assert first.shape == (3, 4) and first.dtype == np.float64 and first.flags.c_contiguous
    first[...] = 7
    again = shards.scratch("one", (2, 5), np.float32)
    assert again.shape == (2, 5) and again.dtype == np.float32 and address(again) == address(first)
    other = shards.scratch("two", (3, 4), np.float64)
    assert not np.shares_memory(other, first)
    larger = shards.scratch("one", (100,), np.float64)
    larger[:] = 0
    assert (first != 0).any()  # who has the smaller one still has it
    assert np.shares_memory(larger, shards.scratch("one", (3, 4), np.float64))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, bool])
def test_scratch_of_any_shape_and_dtype(shape, dtype):
    found = shards.scratch("any", shape, dtype)
    found[...] = 1
    assert found.shape == shape and found.dtype == dtype and found.flags.aligned and (found == 1).all()


def test_scratch_belongs_to_a_thread(two_threads):
    found = {}

    def body(start, stop, part):
        found.setdefault(threading.get_ident(), []).append(shards.scratch("mine", (50,), np.float32))

    shards.run(in_both_threads(body), 100)
    mine, others = found.values()
    assert len({address(x) for x in mine}) == len({address(x) for x in others}) == 1
    assert not np.shares_memory(mine[0], others[0])


def test_what_is_too_large_is_not_kept(monkeypatch):
    monkeypatch.setattr(shards, "KEPT", 80)
    kept = shards.scratch("kept only here", (10,), np.float64)
    large = shards.scratch("kept only here", (11,), np.float64)
    assert not np.shares_memory(kept, large)
    assert np.shares_memory(kept, shards.scratch("kept only here", (10,), np.float64))


# --- settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, -1, 1.5, "2", None, True, np.array([2])])
def test_wrong_numbers_of_threads(number):
    before = shards.get_num_threads()
    with pytest.raises(ArgumentError, match=r"set_num_threads: number must be a whole number from 1 up"):
        shards.set_num_threads(number)
    with pytest.raises(ArgumentError), shards.threads(number):
        pass
    assert shards.get_num_threads() == before


def test_threads_are_set_for_a_block_also_where_it_fails():
    before = shards.get_num_threads()
    with shards.threads(np.int64(7)):
        assert shards.get_num_threads() == 7
    assert shards.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), shards.threads(np.int64(7)):
        raise ZeroDivisionError
    assert shards.get_num_threads() == before


@pytest.mark.parametrize(
    ("given", "wanted"), [("3", 3), ("0", None), ("-2", None), ("many", None), ("", None)]
)
def test_the_number_from_the_environment(monkeypatch, given, wanted):
    monkeypatch.setenv("TT_NUM_THREADS", given)
    monkeypatch.setattr(shards, "_number", None)
    assert shards.get_num_threads() == (wanted or shards._cores())
    assert 1 <= shards._cores() <= os.cpu_count()


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="only Linux tells on which cores a thread may run"
)
def test_each_thread_keeps_to_a_core_of_its_own_while_they_work(monkeypatch):
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip("needs two cores")

    def seen():
        found = {}
        ready = threading.Barrier(len(cores), timeout=10)

        def body(start, stop, part):
            if part < len(cores):
                ready.wait()
            found[threading.get_ident()] = os.sched_getaffinity(0)

        shards.run(body, 64)
        mine = found.pop(threading.get_ident())
        return mine, sorted(sorted(places) for places in found.values())

    with shards.threads(len(cores)):
        assert seen() == ({cores[0]}, [[core] for core in cores[1:]])
        assert os.sched_getaffinity(0) == set(cores)
    monkeypatch.setenv("TT_PIN_THREADS", "0")
    with shards.threads(len(cores)):
        assert seen() == (set(cores), [cores] * (len(cores) - 1))
    assert os.sched_getaffinity(0) == set(cores)


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="only Linux tells on which cores a thread may run"
)
def test_forked_processes_which_may_be_many_keep_their_threads_free():
    cores = len(os.sched_getaffinity(0))
    with shards.threads(cores):
        assert len(shards._places()) == cores - 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on: this process has threads
            child = os.fork()
        if child == 0:
            os._exit(len(shards._places()))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
