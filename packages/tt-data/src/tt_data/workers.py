"""A worker: a process that fetches batches for a DataLoader, one after the other, and ends with its parent.

    ("epoch", epoch_seed, resumed)          begin an epoch
    ("batch", number, indices)              fetch one; answered by
        ("batch", batch, state, over)       with the state of the stream behind it, and whether it was the last one
        ("end",)                            the stream had none left
        ("error", cause, text, at)          what went wrong, its traceback as text, the position in the batch
    None                                    end

What a worker is told comes in this order; it answers in this order.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import select
import signal
import threading
import traceback
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass
from typing import Any

from tt_data.fetching import START, WHOLE, EndOfStreamError, MapSource, StreamSource
from tt_data.randomness import mix
from tt_data.transport import receive, send

__all__ = ["Job", "WorkerInfo", "get_worker_info", "work"]


@dataclass
class WorkerInfo:
    """Which worker this is."""

    id: int
    """From 0 to num_workers - 1."""
    num_workers: int
    seed: int
    """Of this worker in this epoch. The streams of each batch have seeds of their own."""
    dataset: Any
    """The copy of the dataset in this process."""


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker, which one it is; in the main process None."""
    return _info


@dataclass
class Job:
    """What a worker is told when it starts."""

    dataset: Any
    iterable: bool
    collate_fn: Callable[[Any], Any]
    batched: bool
    batch_size: int | None
    drop_last: bool
    worker_init_fn: Callable[[int], None] | None
    num_workers: int
    parent: int
    """The process that the work is for."""

    def source(self, worker: int, mark: MutableSequence[int] | None) -> MapSource | StreamSource:
        """What fetches."""
        if self.iterable:
            return StreamSource(self.dataset, self.collate_fn, self.batch_size, self.drop_last, worker)
        return MapSource(self.dataset, self.collate_fn, self.batched, mark)


def work(worker: int, job: Job, connection: Any, before: Callable[[], None], mark: Any) -> None:
    """The life of a worker."""
    before()
    # Ctrl-C reaches every process of a terminal; only the parent answers, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with, args=(job.parent,), name="tt_data: parent", daemon=True).start()
    with contextlib.suppress(EOFError, ConnectionError):  # the parent does not listen any more
        _serve(worker, job, connection, mark)


def _serve(worker: int, job: Job, connection: Any, mark: Any) -> None:
    global _info
    source, broken = None, None
    while (task := receive(connection)) is not None:
        if task[0] == "epoch":
            _, epoch_seed, resumed = task
            try:
                seed, broken = mix(epoch_seed, START, worker), None
                if source is None:
                    _info = WorkerInfo(worker, job.num_workers, seed, job.dataset)
                    source = job.source(worker, mark)
                    source.streams.seed(seed)
                    if job.worker_init_fn is not None:
                        job.worker_init_fn(worker)
                elif _info is not None:
                    _info.seed = seed
                source.start(epoch_seed, resumed)
            except Exception as error:
                broken = _failure(error)
            continue
        _, number, indices = task
        answer = broken or _answer(source, number, indices)
        try:
            send(connection, answer)
        except ConnectionError:
            raise
        except Exception as error:
            error.add_note(f"DataLoader: batch {number} cannot be sent from process to process")
            send(connection, _failure(error))


def _answer(source: Any, number: int, indices: Any) -> tuple[Any, ...]:
    try:
        source.streams.seed(*source.key(number))
        return ("batch", source.get(number, indices), *source.state())
    except EndOfStreamError:
        return ("end",)
    except Exception as error:
        return _failure(error, source.mark[0])


def _failure(error: Exception, at: int = WHOLE) -> tuple[Any, ...]:
    text = "".join(traceback.format_exception(error))
    try:
        cause = pickle.dumps(error)
        pickle.loads(cause)
    except Exception:
        cause = None  # an exception that cannot be sent is told by its text
    return ("error", cause, text, at)


def _end_with(parent: int) -> None:
    """Wait until the parent is gone, whatever way it went, and end this process."""
    try:
        # A descriptor of the process itself: it does not matter who else has inherited which end of a pipe.
        process = os.pidfd_open(parent)
    except (AttributeError, PermissionError, OSError):
        multiprocessing.parent_process().join()  # type: ignore[union-attr]
        os._exit(1)
    poll = select.poll()
    poll.register(process, select.POLLIN)
    poll.poll()
    os._exit(1)
