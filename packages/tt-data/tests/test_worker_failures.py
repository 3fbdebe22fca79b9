"""Workers that die, hang or raise, parents that die, passes that are left: told in time, and nobody stays behind."""

import gc
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from tt_data import DataLoader, Dataset, IterableDataset, TensorDataset, WorkerError
from tt_tensor.errors import ShapeError, TTError

pytestmark = pytest.mark.usefixtures("no_orphans")

SIGKILL, SIGSTOP = getattr(signal, "SIGKILL", None), getattr(signal, "SIGSTOP", None)
posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")


class Trouble(Dataset):
    """Does something at index 5."""

    def __init__(self, act):
        self.act = act

    def __len__(self):
        return 40

    def __getitem__(self, index):
        return self.act() if index == 5 else index


class TroubleInBatches(Trouble):
    def __getitems__(self, indices):
        return np.array([self[index] for index in indices])


class SpecialError(Exception):
    """Takes more than its message, so that it cannot be sent."""

    def __init__(self, message, more):
        super().__init__(message)


def kill():
    os.kill(os.getpid(), SIGKILL)


def hang():
    time.sleep(1000)


def spin():
    while True:
        pass


def leave():
    os._exit(3)


def fail():
    raise FileNotFoundError("no picture 5")


def fail_specially():
    raise SpecialError("a special one", 1)


def unsendable():
    return lambda: 0


def pid_in(error):
    return int(re.search(r"\(pid (\d+)\)", str(error))[1])


def gone(pid):
    """Whether a process has ended, within 2 s."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if sys.platform != "linux":  # a zombie is told in /proc alone
            time.sleep(0.01)
            continue
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            if file.read().rpartition(")")[2].split()[0] == "Z":
                return True
        time.sleep(0.01)
    return False


TROUBLES = [
    (kill, r"worker 0 of 2 \(pid \d+\) was killed by SIGKILL .*it was at index 5, sample 1 of batch 2$"),
    (leave, r"worker 0 of 2 \(pid \d+\) ended with status 3; it was at index 5, sample 1 of batch 2$"),
    (hang, r"worker 0 of 2 \(pid \d+\) gave no batch in 1 s; it was at index 5, sample 1 of batch 2$"),
    (spin, r"worker 0 of 2 \(pid \d+\) gave no batch in 1 s; it was at index 5, sample 1 of batch 2$"),
    (
        fail,
        r"worker 0 of 2 \(pid \d+\) raised at index 5, sample 1 of batch 2:\n\nTraceback [\s\S]*picture 5",
    ),
    (
        fail_specially,
        r"worker 0 of 2 \(pid \d+\) raised at index 5, sample 1 of batch 2:\n\nTrac[\s\S]*a special one",
    ),
    (sys.exit, r"worker 0 of 2 \(pid \d+\) ended with status 0"),
]


@posix
@pytest.mark.parametrize(("act", "told"), TROUBLES, ids=lambda v: getattr(v, "__name__", ""))
def test_each_kind_of_trouble(act, told, fork):
    loader = DataLoader(Trouble(act), 2, num_workers=2, timeout=1 if act in (hang, spin) else 0, **fork)
    seen, began = [], time.monotonic()
    with pytest.raises(WorkerError, match=told) as caught:
        seen.extend(batch.tolist() for batch in loader)
    assert time.monotonic() - began < 5
    # A death may be told before batches that are there already.
    assert seen == [[0, 1], [2, 3]][: len(seen)]
    assert isinstance(caught.value, RuntimeError) and isinstance(caught.value, TTError)
    assert gone(pid_in(caught.value)) and multiprocessing.active_children() == []


@posix
def test_whole_batches_in_trouble(fork):
    loader = DataLoader(TroubleInBatches(kill), 4, num_workers=1, **fork)
    with pytest.raises(WorkerError, match=r"SIGKILL.*it was at batch 1, indices 4, 5, 6, 7$"):
        list(loader)


@posix
@pytest.mark.parametrize(
    ("how", "after"),
    [(SIGKILL, 0.0), (SIGKILL, 0.003), (SIGKILL, 0.02), (SIGKILL, 0.05), (SIGSTOP, 0.003), (SIGSTOP, 0.05)],
)
def test_trouble_at_any_moment(how, after, fork):
    """A short form of benchmarks/worker_kills.py."""
    dataset = TensorDataset(np.zeros((100_000, 64)))
    iterator = iter(DataLoader(dataset, 4, num_workers=2, timeout=1 if how != SIGKILL else 0, **fork))
    victim = iterator.pool.processes[1].pid
    strike = threading.Timer(after, os.kill, (victim, how))
    strike.start()
    with pytest.raises(
        WorkerError,
        match=rf"worker 1 of 2 \(pid {victim}\) .*it was at (its end of )?batch \d+, indices \d+, ",
    ):
        list(iterator)
    strike.join()
    assert gone(victim) and multiprocessing.active_children() == []


def test_what_was_raised_is_the_cause(fork):
    loader = DataLoader(Trouble(fail), 2, num_workers=2, **fork)
    with pytest.raises(WorkerError) as caught:
        list(loader)
    cause = caught.value.__cause__
    assert type(cause) is FileNotFoundError and cause.args == ("no picture 5",)
    assert "DataLoader: this is index 5, sample 1 of batch 2" in str(caught.value)
    with pytest.raises(WorkerError) as caught:
        list(DataLoader(Trouble(fail_specially), 2, num_workers=2, **fork))
    assert caught.value.__cause__ is None
    samples = [np.zeros(3), np.zeros(3), np.zeros(2)]
    with pytest.raises(WorkerError, match=r"sample 2 \(index 2\)") as caught:
        list(DataLoader(samples, 3, num_workers=1, **fork))
    assert type(caught.value.__cause__) is ShapeError


def test_what_cannot_be_sent_back(fork):
    loader = DataLoader(Trouble(unsendable), 1, num_workers=1, collate_fn=list, **fork)
    with pytest.raises(WorkerError, match="batch 5 cannot be sent from process to process"):
        list(loader)


def test_what_cannot_be_sent_there():
    class Local(Dataset):
        def __len__(self):
            return 3

    with pytest.raises(WorkerError, match=r"worker 0 of 1 could not be started \(spawn\).*picklable"):
        iter(DataLoader(Local(), num_workers=1, multiprocessing_context="spawn"))


def test_trouble_at_the_start(fork):
    def init(worker):
        raise OSError("no room")

    with pytest.raises(WorkerError, match=r"worker 0 of 2 [\s\S]*no room"):
        list(DataLoader(range(9), 2, num_workers=2, worker_init_fn=init, **fork))


def test_a_sampler_that_raises_does_so_when_its_turn_has_come(fork):
    def indices():
        yield from range(4)
        raise LookupError("no more indices")

    class Once:
        def __iter__(self):
            return indices()

    for workers in (0, 1):
        seen = []
        loader = DataLoader(range(9), 2, sampler=Once(), num_workers=workers, **(fork if workers else {}))
        with pytest.raises(LookupError, match="no more indices"):
            seen.extend(batch.tolist() for batch in loader)
        assert seen == [[0, 1], [2, 3]]


def test_a_stream_in_trouble(fork):
    class Stream(IterableDataset):
        def __iter__(self):
            yield from range(4)
            raise ValueError("the stream is torn")

    with pytest.raises(WorkerError, match=r"raised at batch 2 of its stream[\s\S]*the stream is torn"):
        list(DataLoader(Stream(), 2, num_workers=1, **fork))


@posix
def test_a_worker_that_is_killed_between_two_batches_is_missed_at_the_next_one(fork):
    iterator = iter(DataLoader(range(100), 2, num_workers=2, prefetch_factor=8, **fork))
    next(iterator)
    time.sleep(0.2)  # all that is asked for is there
    victim = iterator.pool.processes[1].pid
    os.kill(victim, SIGKILL)
    time.sleep(0.1)
    with pytest.raises(WorkerError, match=rf"worker 1 of 2 \(pid {victim}\) was killed by SIGKILL"):
        next(iterator)
    with pytest.raises(WorkerError, match="were ended by an error before"):
        next(iterator)


@posix
def test_a_dead_worker_is_told_where_it_died_not_what_it_had_done(fork):
    loader = DataLoader(Trouble(kill), 1, num_workers=2, prefetch_factor=8, **fork)
    iterator = iter(loader)
    assert gone(iterator.pool.processes[1].pid)  # at index 5, with the batches 1 and 3 done
    with pytest.raises(WorkerError, match=r"worker 1 of 2 .*it was at index 5, sample 0 of batch 5$"):
        list(iterator)
    iterator = iter(DataLoader(Trouble(fail), 1, num_workers=2, prefetch_factor=8, **fork))
    with pytest.raises(WorkerError, match="raised at index 5, sample 0 of batch 5"):
        list(iterator)


@posix
def test_after_an_error_the_rest_of_the_epoch_can_be_had(fork):
    loader = DataLoader(Trouble(kill), 2, num_workers=2, **fork)
    seen = []
    with pytest.raises(WorkerError):
        seen.extend(batch.tolist() for batch in loader)
    loader.dataset.act = lambda: 5
    loader.load_state_dict(loader.state_dict())
    seen += [batch.tolist() for batch in loader]
    assert [index for batch in seen for index in batch] == list(range(40))
    persistent = DataLoader(Trouble(kill), 2, num_workers=2, persistent_workers=True, **fork)
    with pytest.raises(WorkerError):
        list(persistent)
    persistent.dataset.act = lambda: 5
    assert len(list(persistent)) == len(list(persistent)) == 20
    victim = persistent._idle.processes[0]
    victim.kill()
    victim.join(5)
    assert len(list(persistent)) == 20


@pytest.mark.parametrize("act", [lambda: 5, hang])
def test_a_pass_that_is_left_leaves_nobody_behind(act, fork):
    loader = DataLoader(Trouble(act), 1, num_workers=2, **fork)
    for batch in loader:
        if int(batch[0]) == 3:
            break
    began = time.monotonic()
    del batch
    gc.collect()
    assert multiprocessing.active_children() == [] and time.monotonic() - began < 2
    iterator = iter(loader)
    del iterator
    assert multiprocessing.active_children() == []


def test_passes_in_cycles_are_collected(fork):
    loader = DataLoader(TensorDataset(np.zeros(9)), 1, num_workers=1, **fork)
    iterator = iter(loader)
    iterator.me = iterator
    del iterator
    gc.collect()
    assert multiprocessing.active_children() == []


@posix
def test_a_signal_in_the_middle_of_a_wait(fork):
    """Ctrl-C: the error is raised, the workers are gone by then."""
    before = signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        loader = DataLoader(Trouble(hang), 2, num_workers=2, **fork)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            list(loader)
        assert multiprocessing.active_children() == []
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


PROGRAM = """
    import sys, time, os, signal
    import tt_data

    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the shell had it ignored

    class Slow(tt_data.Dataset):
        def __len__(self):
            return 1000

        def __getitem__(self, index):
            if index == 7:
                time.sleep(1000)
            return index

    loader = tt_data.DataLoader(Slow(), 1, num_workers=2)
    iterator = iter(loader)
    next(iterator)
    print(*[process.pid for process in iterator.pool.processes], flush=True)
    {then}
"""


def program(then, **arguments):
    """A program with two workers, one of which hangs; and the numbers of their processes."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM).replace("{then}", then)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **arguments,
    )
    return process, [int(pid) for pid in process.stdout.readline().split()]


linux = pytest.mark.skipif(
    sys.platform != "linux", reason="workers are forked by default, and looked up in /proc"
)


@linux
def test_workers_end_with_their_parent():
    process, workers = program("list(iterator)")
    assert len(workers) == 2
    time.sleep(0.2)
    process.kill()
    process.communicate(timeout=20)
    assert all(gone(worker) for worker in workers)


@linux
def test_ctrl_c_ends_everything_in_2_s_with_one_traceback():
    process, workers = program("list(iterator)", start_new_session=True)
    time.sleep(0.2)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - began < 2
    assert all(gone(worker) for worker in workers)
    assert errors.count("Traceback") == 1 and errors.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT


@linux
@pytest.mark.parametrize(
    "then", ["loader.itself = iterator", "os.kill(iterator.pool.processes[0].pid, signal.SIGSTOP)"]
)
def test_the_end_of_the_program_is_the_end_of_the_workers(then):
    process, workers = program(then)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert all(gone(worker) for worker in workers)


def test_an_error_can_be_pickled():
    error = pickle.loads(pickle.dumps(WorkerError("worker 1")))
    assert str(error) == "worker 1"
