"""Objects between processes: small ones through the pipe, large arrays through memory that has no name.

An array of a batch is written once, into an anonymous file in memory (memfd), whose descriptor goes through the pipe;
the receiver reads it into memory of its own. Nothing has a name, so nothing is left behind when a process is killed,
and /dev/shm, which is small in containers, is not used. Where the system has no such files (not Linux) the bytes go
through the pipe itself.

What is sent is pickled, by a process for its own child or parent; no file on a disk is ever read this way.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Sequence
from multiprocessing import reduction
from typing import Any

import numpy as np

from tt_tensor import Tensor
from tt_tensor.tensor import wrap

__all__ = ["IN_FLIGHT", "receive", "send"]

MEMORY_FILES = hasattr(os, "memfd_create")
INLINE = 1024
"""Bytes that still go through the pipe. Messages are small, so that neither side waits for the other to read."""

IN_FLIGHT = 32 if MEMORY_FILES else 1
"""Tasks that a worker may have before its answers are read, so that never both sides wait for the other to read.

A socket holds more than 100 messages of INLINE bytes. Where whole batches go through the pipe, a worker that has one
to send waits until it is read, and reads nothing meanwhile.
"""


def send(connection: Any, message: Any) -> None:
    """Send a message. Raises OSError where nobody listens any more, or what pickle raises for what it does not take."""
    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    _Pickler(stream, buffers).dump(message)
    parts = [memoryview(stream.getvalue()), *[buffer.raw() for buffer in buffers]]
    sizes = [part.nbytes for part in parts]
    if not MEMORY_FILES or (len(parts) == 1 and sizes[0] <= INLINE):
        connection.send_bytes(pickle.dumps((False, sizes)))
        for part in parts:
            connection.send_bytes(part)
        return
    file = os.memfd_create("tt_data", os.MFD_CLOEXEC)
    try:
        _write(file, [part for part in parts if part.nbytes])
        connection.send_bytes(pickle.dumps((True, sizes)))
        reduction.send_handle(connection, file, None)
    finally:
        os.close(file)


def receive(connection: Any) -> Any:
    """The next message. Raises EOFError or OSError where the other side is gone."""
    in_memory, sizes = pickle.loads(connection.recv_bytes())
    # Arrays are made on these, so they are NumPy's own memory, aligned as any other.
    parts = [np.empty(size, np.uint8) for size in sizes]
    if in_memory:
        file = reduction.recv_handle(connection)
        try:
            _read(file, [part.data for part in parts if part.nbytes])
        finally:
            os.close(file)
    else:
        for part in parts:
            part[:] = np.frombuffer(connection.recv_bytes(), np.uint8)
    return pickle.loads(parts[0].data, buffers=parts[1:])


MOST = 1024
"""Parts that the system takes in one call (IOV_MAX)."""


def _write(file: int, parts: Sequence[memoryview]) -> None:
    left = list(parts)
    while left:
        done = os.writev(file, left[:MOST])
        left = _behind(left, done)


def _read(file: int, parts: Sequence[memoryview]) -> None:
    left, at = list(parts), 0
    while left:
        done = os.preadv(file, left[:MOST], at)
        if not done:
            raise EOFError("the file in memory is shorter than announced")
        at += done
        left = _behind(left, done)


def _behind(parts: list[memoryview], done: int) -> list[memoryview]:
    """What is left of the parts behind their first `done` bytes."""
    at = 0
    while at < len(parts) and done >= parts[at].nbytes:
        done -= parts[at].nbytes
        at += 1
    rest = parts[at:]
    if done:
        rest[0] = rest[0][done:]
    return rest


class _Pickler(pickle.Pickler):
    """Pickle with the memory of arrays beside it, in the order in which it lies there: channels-last stays so."""

    def __init__(self, stream: io.BytesIO, buffers: list[pickle.PickleBuffer]) -> None:
        super().__init__(stream, protocol=5, buffer_callback=buffers.append)

    def reducer_override(self, thing: Any) -> Any:
        if type(thing) is Tensor and not thing.requires_grad and thing._node is None:
            return wrap, (thing.array,)
        if type(thing) is np.ndarray and thing.dtype.kind in "biufc":
            return _arrange, _arranged(thing)
        return NotImplemented


def _arranged(array: np.ndarray) -> tuple[Any, ...]:
    """The bytes of an array in memory order, and what makes the array of them again."""
    axes = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    turned = array.transpose(axes)
    rows = np.ascontiguousarray(turned)
    back = tuple(sorted(range(array.ndim), key=axes.__getitem__))
    return pickle.PickleBuffer(rows.reshape(-1).view(np.uint8).data), array.dtype.str, turned.shape, back


def _arrange(memory: Any, dtype: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
    # Without out-of-band buffers pickle gives bytes here, which nobody may write to; arrays come writable.
    raw = memory if isinstance(memory, np.ndarray) else np.frombuffer(bytearray(memory), np.uint8)
    return raw.view(dtype).reshape(shape).transpose(axes)
