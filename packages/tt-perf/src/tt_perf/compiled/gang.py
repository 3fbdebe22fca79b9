# mypy: disable-error-code="untyped-decorator, no-untyped-call, no-any-return"
"""gang: one kernel on all cores, handed over in less than a microsecond, where a pool of threads takes a hundred.

    @jit("void(int64, int64, float32[::1], float32[:, ::1], float32[::1])")
    def rows(start, stop, x, weight, y):  # the work on range(start, stop)
        ...

    @jit("void(int64[::1], float32[::1], float32[:, ::1], float32[::1])")
    def product(gang, x, weight, y):
        share(gang, rows, len(y), 64, (x, weight, y))  # calls rows(start, stop, x, weight, y) on every core

    product(state(), x, weight, y)

A helper is a Python thread that waits in compiled code, without the interpreter's lock, and looks at one number in
memory. A job is there from the moment that this number changes; what runs is compiled, too, so nobody asks for the
lock. Who has nothing to do for a while (`PATIENCE`) goes to sleep on a lock, and `state()` wakes it up.

The range is cut in as many parts as there are cores. Each takes its own from the front to the end, as memory likes it
best, then what is left of the others': a quarter of what is left at a time, in whole grains. To take costs some 0.3 µs
in which memory waits; and at the end nobody shall wait for somebody's large piece. So each core sees the same rows
again at the next call, which may be in its cache still, and who is held up leaves its part to the others: the caller
needs nobody, and waits only for what a helper has begun. Where another thread uses the gang just now, in a forked
process, with one core, after `set_num_threads(1)` and inside a shard, it works alone.

While the caller prepares a job that reads much, helpers may ask memory for it: see `soon`.

A body must not raise, and must write to places of its own range only; which range comes in which call is open.
`share` may be called many times in one compiled function: between two calls all is done.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from tt_nn import shards
from tt_perf.compiled.atomics import (
    add,
    address_of,
    ask_for,
    breathe,
    intrinsic,
    load,
    step_aside,
    store,
    swap,
)
from tt_perf.compiled.jit import inline, jit

__all__ = ["PATIENCE", "share", "soon", "state", "stop"]

PATIENCE = 300e-6
"""Seconds that a helper looks for work before it sleeps. What comes later than that wakes it up, in 50 µs."""

LONGER = 4
"""So many times that long where `soon` was called since it slept last: who writes a text has Python between two tokens,
which all that was read meanwhile has pushed out of the caches."""

SHARE = 4
"""This part of what is left is taken at a time."""

ENOUGH = 1 << 19
"""Bytes that a helper asks for in advance, at most: they must be in its cache still when it comes to them."""

LITTLE = 1 << 18
"""Bytes of a weight that is in a cache anyhow."""

LONG = 2000
"""So many looks in vain, and whom this one waits for may be waiting for its core."""

# Places in the state. What a job is stands on one cache line, which so goes to a helper as a whole; what is asked for
# at other times stands on others.
DOOR, ADDRESS, TASK, GRAIN, CORES, BUSY, ASLEEP, ENDED, HELPERS = 0, 1, 2, 3, 4, 8, 16, 24, 32
# What the next job reads: the address, 0 for nothing known; bytes of a row and between two of the rows that are read
# side by side, and how many these are; the range and its grain. And whether any was since the helper slept last.
NEXT, ROW, APART, SIDE, RANGE, STEP, OFTEN = 40, 41, 42, 43, 44, 45, 46
# From here on a cache line for each core, the caller's first: where the rest of its part begins, and where it ends.
PARTS, LINE = 48, 8
# The door: how many helpers are in, whether it is open, and the number of the job.
OPEN, NUMBER = 1 << 16, 1 << 17
MOST = (1 << 31) - 1

_I64 = ir.IntType(64)
_BODY = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), _I64, _I64])


# --- work as an address -------------------------------------------------------------------------------------


@intrinsic
def address_of_body(typing: Any, body: Any, arguments: Any) -> Any:
    """The address of a function (task, start, stop), which calls body(start, stop, *arguments at the address task)."""
    wanted = body.get_call_type(typing, (types.int64, types.int64, *arguments.types), {})

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        compiled = body.dispatcher.overloads[tuple(wanted.args)]
        context.active_code_library.add_linking_library(compiled.library)
        name = "gang_" + compiled.fndesc.mangled_name
        entry = builder.module.globals.get(name)
        if entry is None:
            entry = ir.Function(builder.module, _BODY, name)
            entry.linkage = "internal"
            inner = ir.IRBuilder(entry.append_basic_block())
            kind = context.get_value_type(signature.args[1])
            values = cgutils.unpack_tuple(inner, inner.load(inner.bitcast(entry.args[0], kind.as_pointer())))
            context.call_internal_no_propagate(
                inner, compiled.fndesc, wanted, [entry.args[1], entry.args[2], *values]
            )
            inner.ret_void()
        return builder.ptrtoint(entry, _I64)

    return types.int64(body, arguments), code


@intrinsic
def address_of_task(_: Any, arguments: Any) -> Any:
    """The address of a copy of the arguments, which lives as long as the function that asks.

    It counts no references to arrays: the caller holds them, and cores that count the same thing wait for each other.
    """

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        values = cgutils.unpack_tuple(builder, given[0])
        for i, kind in enumerate(arguments.types):
            if isinstance(kind, types.Array):
                array = context.make_array(kind)(context, builder, values[i])
                array.meminfo = array.meminfo.type(None)
                values[i] = array._getvalue()
        copy = context.make_tuple(builder, arguments, values)
        return builder.ptrtoint(cgutils.alloca_once_value(builder, copy), _I64)

    return types.int64(arguments), code


@intrinsic
def call(_: Any, address: Any, task: Any, start: Any, stop: Any) -> Any:
    """The function at that address, called."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        function = builder.inttoptr(given[0], _BODY.as_pointer())
        builder.call(function, [builder.inttoptr(given[1], _BODY.args[0]), given[2], given[3]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), code


# --- a job ----------------------------------------------------------------------------------------------------


@inline
def part_of(length: Any, grain: Any, number: Any, cores: Any) -> Any:
    """Where the part of a core begins and ends, in whole grains."""
    pieces = (length + grain - 1) // max(grain, 1)
    return pieces * number // cores * grain, min(pieces * (number + 1) // cores * grain, length)


@jit("void(int64[::1], int64)")
def work(gang: Any, number: Any) -> None:
    """What there is left to do, from the part of the core of that number on."""
    address, task, grain, cores = gang[ADDRESS], gang[TASK], gang[GRAIN], gang[CORES]
    for k in range(number, number + cores):
        part = PARTS + LINE * (k if k < cores else k - cores)
        end = gang[part + 1]
        while True:
            # Looked at first, as to add takes the line away from whom it belongs to.
            rest = end - load(gang, part)
            if rest <= 0:
                break
            size = max(rest // (grain * SHARE), 1) * grain
            start = add(gang, part, size)
            if start >= end:
                break
            call(address, task, start, min(start + size, end))


@jit("void(int64[::1], int64, int64, int64, int64)")
def run(gang: Any, address: Any, task: Any, length: Any, grain: Any) -> None:
    """`share`, for a body and its arguments that stand at these addresses."""
    cores = load(gang, HELPERS) + 1
    if length <= grain or length > MOST or cores == 1 or not swap(gang, BUSY, 0, 1):
        if length > 0:
            call(address, task, 0, length)
        return
    gang[ADDRESS], gang[TASK], gang[GRAIN], gang[CORES] = address, task, grain, cores
    for k in range(cores):
        part = PARTS + LINE * k
        gang[part], gang[part + 1] = part_of(length, grain, k, cores)
    store(gang, DOOR, ((load(gang, DOOR) >> 17) + 1) * NUMBER + OPEN)
    work(gang, 0)
    add(gang, DOOR, -OPEN)
    waited = 0
    while load(gang, DOOR) & (OPEN - 1):
        breathe()
        waited += 1
        if waited > LONG:
            step_aside()
    store(gang, BUSY, 0)


# Put into its caller as it stands: so the body is known by its name there, and what is compiled can be kept on disk.
@numba.njit(inline="always")
def share(gang: Any, body: Any, length: Any, grain: Any, arguments: Any) -> None:
    """body(start, stop, *arguments) for ranges that make up range(length), on all cores. For compiled callers.

    Args:
        gang: what `state` gives.
        body: compiled by `jit`; takes two int64, then `arguments`.
        length: how much there is to do.
        grain: how much is taken at a time, at least; what is not longer runs here.
        arguments: a tuple, of arrays mostly.
    """
    run(gang, address_of_body(body, arguments), address_of_task(arguments), length, grain)


@inline
def soon(gang: Any, weight: Any, side: Any, length: Any, grain: Any) -> None:
    """`share` of (length, grain) comes next, which reads rows i, i + len(weight) // side, … of a matrix at place i.

    Each helper asks memory for the front of its part now: what the caller does alone before would else be time in which
    nothing comes. For compiled callers; to forget it afterwards is theirs, too: `soon` of no rows.
    """
    size = weight.size * weight.itemsize
    if load(gang, HELPERS) and size > LITTLE:
        row = weight.shape[1] * weight.itemsize
        gang[ROW], gang[APART], gang[SIDE] = row, len(weight) // side * row, side
        gang[RANGE], gang[STEP], gang[OFTEN] = length, grain, 1
        store(gang, NEXT, address_of(weight))
    else:
        gang[NEXT] = 0


@jit("int64(int64[::1], int64, int64)")
def fetch(gang: Any, number: Any, done: Any) -> Any:
    """Ask for one's part of the next job from `done` on, until a job is there. How far it came, -1 for to the end.

    The caller may write down another while this looks; then some is asked for in vain.
    """
    row, apart, side, grain = gang[ROW], gang[APART], gang[SIDE], gang[STEP]
    start, stop = part_of(gang[RANGE], grain, number, gang[HELPERS] + 1)
    place, size = gang[NEXT] + start * row, min((stop - start) * row, ENOUGH // max(side, 1))
    while done < size:
        if load(gang, DOOR) & OPEN:
            return done
        for k in range(side):
            ask_for(place + k * apart + done)
        done += 64
    return -1


@jit("void(int64[::1], int64, int64)")
def serve(gang: Any, number: Any, patience: Any) -> None:
    """Work on what comes, until nothing has come for `patience` looks, or it is the end."""
    served, looks, known, done = -1, 0, 0, -1
    while True:
        if load(gang, ENDED):
            return
        door = load(gang, DOOR)
        if door & OPEN and door >> 17 != served:
            if swap(gang, DOOR, door, door + 1):
                served, looks, done = door >> 17, 0, -1
                work(gang, number)
                add(gang, DOOR, -1)
            continue
        coming = load(gang, NEXT)
        if coming != known:
            known, done = coming, 0 if coming else -1
        if done >= 0:
            done = fetch(gang, number, done)
            continue
        breathe()
        looks += 1
        if looks >= patience * (LONGER if gang[OFTEN] else 1):
            gang[OFTEN] = 0
            add(gang, ASLEEP, 1)
            return


@jit("void(int64[::1], int64)")
def rise(gang: Any, count: Any) -> None:
    """So many sleep no more."""
    add(gang, ASLEEP, -count)


@jit("void(int64)")
def looks(count: Any) -> None:
    """As long as so many looks in vain take, about."""
    for _ in range(count):
        breathe()


# --- the helpers ----------------------------------------------------------------------------------------------


class _Gang:
    """Helpers, and the memory through which they are told what to do."""

    def __init__(self, wanted: int, helpers: int) -> None:
        self.wanted = wanted
        memory = np.zeros(PARTS + LINE * (helpers + 2), np.int64)
        start = -(memory.__array_interface__["data"][0] // 8) % LINE
        self.state: Any = memory[start : start + PARTS + LINE * (helpers + 1)]
        self.asleep = memoryview(self.state.data)[ASLEEP : ASLEEP + 1]
        self.beds = threading.Semaphore(0)
        self.waking = threading.Lock()
        begin = time.perf_counter()
        looks(2000)
        self.patience = max(1, int(PATIENCE / (time.perf_counter() - begin) * 2000))
        self.threads: list[threading.Thread] = []
        # Python that ends, or a system with too many threads, gives no more.
        with contextlib.suppress(RuntimeError):
            for number in range(1, helpers + 1):
                thread = threading.Thread(
                    target=self._live, args=(number,), name=f"tt-gang-{number}", daemon=True
                )
                thread.start()
                self.threads.append(thread)
        self.state[HELPERS] = len(self.threads)

    def _live(self, number: int) -> None:
        while not self.state[ENDED]:
            serve(self.state, number, self.patience)
            self.beds.acquire()

    def wake(self) -> None:
        """Let those that sleep look for work."""
        with self.waking:
            count = self.asleep[0]
            if count:
                rise(self.state, count)
                self.beds.release(count)

    def end(self) -> None:
        """Send the helpers home; a job that runs is done to its end."""
        self.state[HELPERS], self.state[ENDED] = 0, 1
        if self.threads:
            self.beds.release(len(self.threads))
        for thread in self.threads:
            thread.join(1.0)


_ALONE = np.zeros(PARTS, np.int64)
"""The state of a gang of one."""

_gang: _Gang | None = None
_making = threading.Lock()
_forked = False


def state() -> Any:
    """What `share` needs: the helpers' memory, with the helpers awake; or that of nobody, where none are to be had.

    Ask anew before each call of a kernel.
    """
    threads = shards.get_num_threads()
    if threads == 1 or _forked or shards.inside():
        return _ALONE
    gang = _gang
    if gang is None or gang.wanted != threads:
        gang = _made()
    if gang.asleep[0]:
        gang.wake()
    return gang.state


def _made() -> _Gang:
    """A gang for the number of threads that is wanted now, with no more of them than cores: they wait by working."""
    global _gang
    with _making:
        wanted, old = shards.get_num_threads(), _gang
        if old is not None and old.wanted == wanted:
            return old
        _gang = made = _Gang(wanted, min(wanted, _cores()) - 1)
    if old is not None:
        old.end()
    return made


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def stop() -> None:
    """Send the helpers home; the next `state()` takes on new ones."""
    global _gang
    with _making:
        gang, _gang = _gang, None
    if gang is not None:
        gang.end()


def _forget() -> None:
    """In a forked process: the threads are not there, and a lock may have been held."""
    global _gang, _making, _forked
    _gang, _making, _forked = None, threading.Lock(), True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
# Before Python takes itself apart: a helper must not look at memory that is gone.
atexit.register(stop)
