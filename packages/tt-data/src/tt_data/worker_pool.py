"""WorkerPool: the parent's side of the workers of one DataLoader.

Each worker has a pipe of its own, and nothing is shared between workers, so that one which is killed at any moment
takes nothing with it: no lock, no queue, no memory that has a name.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import time
import warnings
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from mmap import mmap
from multiprocessing.connection import wait
from typing import Any

from tt_data.errors import WorkerError
from tt_data.fetching import WHOLE, told
from tt_data.transport import pair, receive, send
from tt_data.workers import Job, work
from tt_tensor.errors import ArgumentError

__all__ = ["WorkerPool", "context_of"]

GRACE = 0.3
"""Seconds that workers have to end by themselves."""

_pools: weakref.WeakSet[WorkerPool] = weakref.WeakSet()


def context_of(given: Any) -> Any:
    """The multiprocessing context: the one that is given, or named; by default how the program starts its processes.

    On Linux, where a program has not chosen, that is "fork": a worker then has the dataset at once, whatever its size
    and whether or not it can be pickled. Elsewhere it is the system's own default, "spawn".

    Raises ArgumentError for a name that this system does not have.
    """
    if given is not None and not isinstance(given, str):
        return given
    if given is None:
        given = multiprocessing.get_start_method(allow_none=True)
    if given is None and sys.platform == "linux":
        given = "fork"
    try:
        return multiprocessing.get_context(given)
    except ValueError as error:
        ways = ", ".join(multiprocessing.get_all_start_methods())
        raise ArgumentError(
            f"DataLoader: no multiprocessing_context {given!r} here; there are {ways}"
        ) from error


class WorkerPool:
    """`job.num_workers` processes.

    Raises WorkerError where they cannot be started.
    """

    def __init__(self, job: Job, context: Any) -> None:
        self.count = job.num_workers
        self.waiting: list[deque[tuple[int, Any]]] = [deque() for _ in range(self.count)]
        """The batches that each worker has been asked for and not delivered: (number, indices)."""
        self.done: list[tuple[int, Any]] = [(-1, None)] * self.count
        """The last one that each of them delivered."""
        self.processes: list[Any] = []
        self.connections: list[Any] = []
        # Memory that forked workers share: where each of them is in its batch. Others have none, and tell nothing.
        shared = context.get_start_method() == "fork"
        self.marks = memoryview(mmap(-1, 8 * self.count)).cast("q") if shared else None
        self.open, self._pid = True, os.getpid()
        self._finalizer = weakref.finalize(self, _end, self.processes, self.connections, self._pid, GRACE)
        _pools.add(self)
        try:
            with _quiet_start():
                for worker in range(self.count):
                    self._start(worker, job, context)
        except BaseException as error:
            self.close(0)
            if isinstance(
                error, pickle.PicklingError | AttributeError | TypeError | AssertionError | OSError
            ):
                raise WorkerError(
                    f"DataLoader: worker {len(self.processes)} of {self.count} could not be started "
                    f"({context.get_start_method()}): {error}. A dataset that is sent to a worker must be picklable, "
                    'of a class at the top of a module; with multiprocessing_context="fork", where the system has '
                    "it, nothing is sent. Workers cannot have workers of their own"
                ) from error
            raise

    def _start(self, worker: int, job: Job, context: Any) -> None:
        ours, theirs = pair()
        mark = None
        if self.marks is not None:
            mark = self.marks[worker : worker + 1]
            mark[0] = WHOLE
        process = context.Process(
            target=work,
            args=(worker, job, theirs, _let_go, mark),
            name=f"tt_data worker {worker}",
            daemon=True,
        )
        try:
            self.connections.append(ours)
            process.start()
            self.processes.append(process)
        finally:
            theirs.close()

    def begin(self, epoch_seed: int, resumed: list[Any]) -> None:
        """Begin an epoch: resumed[i] is where worker i goes on, or None."""
        for worker in range(self.count):
            self._send(worker, ("epoch", epoch_seed, resumed[worker]))

    def ask(self, worker: int, number: int, indices: Any) -> None:
        """Ask a worker for a batch, to be received in the order of asking."""
        self.waiting[worker].append((number, indices))
        self._send(worker, ("batch", number, indices))

    def _send(self, worker: int, message: Any) -> None:
        try:
            send(self.connections[worker], message)
        except ConnectionError:
            error = self._death(worker)
            self.close(0)
            raise error from None

    def receive(self, worker: int, timeout: float) -> Any:
        """The next answer of a worker: (batch, state, over), or None where its stream has no more.

        Raises WorkerError where it raised, where any worker is dead, or where `timeout` seconds (0: no limit) were not
        enough. The pool is closed then.
        """
        connection = self.connections[worker]
        sentinels = [process.sentinel for process in self.processes]
        try:
            ready = wait([connection, *sentinels], timeout or None)
            if connection in ready:
                answer = receive(connection)
            elif ready:
                raise self._death(sentinels.index(ready[0]))
            else:
                raise WorkerError(
                    f"DataLoader: {self._name(worker)} gave no batch in {timeout:g} s; it was at {self._place(worker)}"
                )
            if answer[0] == "error":
                raise self._raised(worker, *answer[1:])
            self.done[worker] = self.waiting[worker].popleft()
            for sentinel in sentinels:
                if sentinel in ready:
                    raise self._death(sentinels.index(sentinel))
        except (EOFError, ConnectionError):
            error = self._death(worker)
            self.close(0)
            raise error from None
        except BaseException:
            self.close(0)
            raise
        return answer[1:] if answer[0] == "batch" else None

    def settle(self) -> bool:
        """Receive and drop what is still under way; whether all workers are well then."""
        try:
            for worker, waiting in enumerate(self.waiting):
                while waiting:
                    self.receive(worker, GRACE)
        except WorkerError:
            return False
        return self.open and all(process.is_alive() for process in self.processes)

    def close(self, grace: float = GRACE) -> None:
        """End all workers; those that are busy after `grace` seconds are killed."""
        self.open = False
        if self._finalizer.detach() is not None:  # None: they were ended already
            _end(self.processes, self.connections, self._pid, grace)

    # --- what went wrong, in words --------------------------------------------------------------------------

    def _name(self, worker: int) -> str:
        return f"worker {worker} of {self.count} (pid {self.processes[worker].pid})"

    def _place(self, worker: int, at: int | None = None) -> str:
        """Where a worker is: at the first batch that it was asked for and has not delivered, or behind its last one."""
        waiting = self.waiting[worker]
        number, indices = waiting[0] if waiting else self.done[worker]
        if number < 0:
            return "its beginning"
        if at is None:
            at = WHOLE if self.marks is None else self.marks[worker]
        if indices is None:
            place = f"batch {number} of its stream"
        elif waiting and isinstance(indices, list | tuple) and WHOLE != at < len(indices):
            place = f"index {indices[at]!r}, sample {at} of batch {number}"
        else:
            place = f"batch {number}, {told(indices)}"
        return place if waiting else f"its end of {place}"

    def _death(self, worker: int) -> WorkerError:
        process, connection = self.processes[worker], self.connections[worker]
        process.join(1)
        code = process.exitcode
        with suppress(EOFError):
            while wait([connection], 0):  # what it answered before is not what it died of
                with suppress(ConnectionError):  # that it left tasks unread is told once
                    receive(connection)
                    self.done[worker] = self.waiting[worker].popleft()
        if code is None:
            how = "closed its pipe"
        elif code < 0:
            how = f"was killed by {_signal_name(-code)}"
            if -code == getattr(signal, "SIGKILL", None):
                how += " (by somebody, or by the system for want of memory)"
        else:
            how = f"ended with status {code}"
        return WorkerError(f"DataLoader: {self._name(worker)} {how}; it was at {self._place(worker)}")

    def _raised(self, worker: int, cause: bytes | None, text: str, at: int) -> WorkerError:
        error = WorkerError(
            f"DataLoader: {self._name(worker)} raised at {self._place(worker, at)}:\n\n{text.rstrip()}"
        )
        if cause is not None:
            with suppress(Exception):
                error.__cause__ = pickle.loads(cause)
        return error


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end(processes: list[Any], connections: list[Any], parent: int, grace: float) -> None:
    """End the workers: tell them, wait `grace` seconds, kill the rest. In a forked copy of the parent: nothing."""
    if os.getpid() != parent:
        return
    try:
        if grace:
            for connection in connections:
                with suppress(OSError, ValueError):
                    send(connection, None)
            deadline, left = time.monotonic() + grace, {process.sentinel for process in processes}
            while left and (ready := wait(left, max(0, deadline - time.monotonic()))):
                left.difference_update(ready)
    finally:
        for process in processes:
            process.kill()
        for connection in connections:
            connection.close()
        for process in processes:
            process.join(1)
            with suppress(ValueError):  # it is in the middle of a system call that cannot be interrupted
                process.close()


def _let_go() -> None:
    """In a worker that was forked: close the parent's ends of pipes, its own and those of its siblings."""
    for pool in list(_pools):
        for connection in pool.connections:
            connection.close()


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Hold Ctrl-C back until the workers ignore it; and fork without Python's warning that there are threads.

    From Python 3.12 a fork beside other threads warns: a lock that one of them holds stays locked in the child. What a
    worker does takes no lock that is held elsewhere; where the dataset's own code does, "forkserver" and "spawn" help.
    """
    mask = None
    if hasattr(signal, "pthread_sigmask"):
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*fork\(\)", DeprecationWarning)
            yield
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
