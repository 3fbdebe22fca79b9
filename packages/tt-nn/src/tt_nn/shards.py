"""Shards: a batch cut in parts that run side by side, one thread each, with BLAS at one thread.

NumPy works on one core outside of matrix products, but it lets other threads run meanwhile. So a heavy layer
hands each thread a part of its batch, which makes its copies, products and sums there, on memory that its core
has in its cache:

    def body(start, stop, part):
        np.maximum(x[start:stop], 0, out=y[start:stop])

    shards.run(body, len(x))

How a batch is cut depends on its length and the number of threads only. What is summed over parts is summed in
their order, so the same machine gives the same bits each time; another number of threads may give others.
"""

from __future__ import annotations

import contextvars
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from tt_nn.blas import Library, libraries
from tt_tensor.arguments import whole_number

__all__ = [
    "alone",
    "blas_threads",
    "get_num_threads",
    "inside",
    "one_blas_thread",
    "parts",
    "prefer",
    "run",
    "run_parts",
    "scratch",
    "set_num_threads",
    "threads",
]

Body = Callable[[int, int, int], None]

PARTS_A_THREAD = 2
"""More parts than threads, so that a thread that is held up leaves some of its work to the other."""

LINE = 64
"""Bytes of a cache line, and of the widest registers. NumPy's own memory starts at any multiple of 16."""

KEPT = 1 << 25
"""Bytes of scratch memory that a thread keeps for each purpose; larger ones are let go."""

preferred = False
"""True where layers in shards are about, so that others should not start threads of BLAS; set by `prefer`."""

_number: int | None = None
_pool: ThreadPoolExecutor | None = None
_lock = threading.Lock()
_forked = False


class _Here(threading.local):
    """What a thread knows of itself."""

    inside = False  # on the class: to miss an attribute of a thread costs 1 µs


_here = _Here()


def get_num_threads() -> int:
    """How many threads a batch is cut for: what `set_num_threads` or TT_NUM_THREADS says, else one a core."""
    global _number
    if _number is None:
        given = os.environ.get("TT_NUM_THREADS", "")
        _number = int(given) if given.isdecimal() and int(given) > 0 else _cores()
    return _number


def set_num_threads(number: int) -> None:
    """Cut batches for `number` threads from now on; with 1 all work stays in the calling thread.

    Raises ArgumentError for a number below 1.
    """
    global _number, _pool
    number = whole_number("set_num_threads", "number", number, 1)
    with _lock:
        _number, old, _pool = number, _pool, None
    if old is not None:
        old.shutdown(wait=False)


@contextmanager
def threads(number: int) -> Iterator[None]:
    """`set_num_threads(number)` inside the block; for the whole process."""
    before = get_num_threads()
    set_num_threads(number)
    try:
        yield
    finally:
        set_num_threads(before)


def prefer() -> None:
    """Let matrix products of layers run in shards from now on; layers that do themselves say so when they are made."""
    global preferred
    preferred = True


def inside() -> bool:
    """Is this code part of a shard, beside others?"""
    return _here.inside


def parts(length: int, least: int = 1) -> list[tuple[int, int]]:
    """How `run` cuts range(length): (start, stop) of each part; none shorter than `least`, except an only one."""
    count = 1
    if get_num_threads() > 1 and not _here.inside:
        number = get_num_threads()
        count = max(1, min(PARTS_A_THREAD * number, length // max(least, 1)))
        if count > number:
            count -= count % number  # three parts take two threads as long as four
    return [(length * part // count, length * (part + 1) // count) for part in range(count)]


def run(body: Body, length: int, least: int = 1) -> int:
    """Call body(start, stop, part) for the parts of range(length), side by side; how many there were.

    `body` must write to places of its own part only. `least` is how long a part must be to be worth a thread:
    handing one over takes about 0.1 ms. Where there is one part, `body` runs here, and BLAS keeps its threads unless
    other layers run in shards.

    An error of a body, or an interrupt, is raised when those that run have ended; no more are begun then.
    """
    if _here.inside:  # this runs in every layer of a model that is cut as a whole
        body(0, length, 0)
        return 1
    cut = parts(length, least)
    run_parts(body, cut)
    return len(cut)


def run_parts(body: Body, cut: list[tuple[int, int]]) -> None:
    """`run`, for the parts that `parts` gave: where memory for a result of each is needed beforehand."""
    if _here.inside:
        for part, place in enumerate(cut):
            body(*place, part)
        return
    if len(cut) == 1:
        alone(body, *cut[0], 0)
        return
    waiting = iter(enumerate(cut))
    taking = threading.Lock()

    def work() -> None:
        _here.inside = True
        try:
            while True:
                with taking:
                    part, place = next(waiting, (-1, (0, 0)))
                if part < 0:
                    return
                body(*place, part)
        finally:
            _here.inside = False
            skip()

    def skip() -> None:
        """Nothing is left to take: all is done, or an error makes the rest useless."""
        with taking:
            deque(waiting, maxlen=0)

    others: list[Future[None]] = []
    job = [work]
    with one_blas_thread():
        try:
            # Where no thread can be had (somebody just set their number, Python ends), this one does it all.
            with suppress(RuntimeError):
                for _ in range(min(get_num_threads(), len(cut)) - 1):
                    # np.errstate and the kernels in use hang on the context.
                    others.append(_workers().submit(contextvars.copy_context().run, _do, job))
            with _apart():
                work()
        finally:
            try:
                skip()
                others = [other for other in others if not other.cancel()]  # those that never began
            finally:
                _wait(others)
                job.clear()  # what never began waits in the pool for a while, but holds no memory of the body's
    for other in others:
        other.result()


def _do(job: list[Callable[[], None]]) -> None:
    for work in job:
        work()


def scratch(purpose: str, shape: tuple[int, ...], dtype: Any) -> Any:
    """Uninitialised memory of this thread for one purpose: the same again at the next call.

    A thread that works block by block asks for it before each one, and finds it in its cache. It starts with a cache
    line, as a ufunc takes up to twice as long where each of its stores touches two.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    held: dict[str, Any] = _here.__dict__.setdefault("held", {})
    memory = held.get(purpose)
    if memory is None or len(memory) < size:
        memory = np.empty(size + LINE, np.uint8)
        start = -memory.__array_interface__["data"][0] % LINE
        memory = memory[start : start + size]
        if size <= KEPT:
            held[purpose] = memory
    return memory[:size].view(dtype).reshape(shape)


_deep = 0
_before: list[tuple[Library, int]] = []
"""The BLAS libraries, and how many threads each had outside of `one_blas_thread`."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS at one thread inside the block, for the whole process: of threads that overlap, the last one restores it."""
    global _deep, _before
    with _lock:
        if _deep == 0:
            _before = [(library, library.number()) for library in libraries()]
            for library, _ in _before:
                library.use(1)
        _deep += 1
    try:
        yield
    finally:
        with _lock:
            _deep -= 1
            if _deep == 0:
                for library, number in _before:
                    library.use(number)


def alone(work: Callable[..., Any], *given: Any) -> Any:
    """work(*given), with BLAS at one thread where layers run in shards.

    A second one would look for more work for some 25 ms, and take a core from the shards of the next layer.
    """
    if not preferred:
        return work(*given)
    with one_blas_thread():
        return work(*given)


def blas_threads() -> tuple[int, ...]:
    """How many threads each BLAS library of the process uses now: the bits of a matrix product may depend on it."""
    return tuple(library.number() for library in libraries())


def _workers() -> ThreadPoolExecutor:
    """The threads beside the calling one, made when first needed."""
    global _pool, _first_core
    with _lock:
        if _pool is None:
            places = _places()
            _first_core = min(os.sched_getaffinity(0)) if places else None
            _pool = ThreadPoolExecutor(
                max(1, get_num_threads() - 1), "tt-shard", initializer=_stay, initargs=(iter(places),)
            )
        return _pool


def _places() -> list[int]:
    """A core for each thread beside the calling one, where the threads are as many as the cores; else none.

    Threads that hand the interpreter's lock to each other all the time look to Linux as if they belonged on one core.
    It puts them there, and a quarter of the time is lost. The calling thread keeps to the first core meanwhile.
    TT_PIN_THREADS=0 leaves all of them to the system, and so do forked processes, which may be many.
    """
    if _forked or not hasattr(os, "sched_setaffinity") or os.environ.get("TT_PIN_THREADS") == "0":
        return []
    cores = sorted(os.sched_getaffinity(0))
    return cores[1:] if len(cores) == get_num_threads() else []


_first_core: int | None = None
"""Where the calling thread belongs meanwhile, if the others have cores of their own."""


@contextmanager
def _apart() -> Iterator[None]:
    """The calling thread on the core that the others leave free, for as long as they work.

    Where it last ran on the core of one of them, Linux may leave both there for many milliseconds, one by one.
    """
    core = _first_core
    if core is None or _forked:
        yield
        return
    try:
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {core})
    except OSError:  # a container may take cores away
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, cores)


def _stay(places: Iterator[int]) -> None:
    """Keep this thread on the next of the cores."""
    core = next(places, None)
    if core is not None:
        with suppress(OSError):  # a container may take cores away
            os.sched_setaffinity(0, {core})


def _wait(others: list[Future[None]]) -> None:
    """Until all have ended, also where an interrupt comes in between: they write to the caller's memory."""
    interrupt: BaseException | None = None
    for other in others:
        while not other.done():
            try:
                other.exception()
            except BaseException as error:
                interrupt = error
    if interrupt is not None:
        raise interrupt


def _cores() -> int:
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def _forget_threads() -> None:
    """In a forked process: its copy of the pool has no threads, and a lock may have been held."""
    global _pool, _lock, _deep, _forked
    _pool, _lock, _deep, _forked = None, threading.Lock(), 0, True
    _here.__dict__.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
