"""Objects between processes: small ones through a socket, large arrays through memory that has no name.

A message is one packet, which is there whole or not at all, so that a process that is stopped or killed in the middle
of sending never holds up the one that receives. What is large is written once, into an anonymous file in memory
(memfd), whose descriptor goes with the packet; the receiver reads it into memory of its own. Nothing has a name, so
nothing is left behind by whoever is killed, and /dev/shm, which is small in containers, is not used.

Where the system has no such files (not Linux) it is multiprocessing's pipe, and all bytes go through it.

What is sent is pickled, by a process for its own child or parent; no file on a disk is ever read this way.
"""

from __future__ import annotations

import errno
import io
import os
import pickle
import socket
import struct
from collections.abc import Sequence
from multiprocessing import Pipe
from typing import Any

import numpy as np

from tt_tensor import Tensor
from tt_tensor.tensor import wrap

__all__ = ["IN_FLIGHT", "pair", "receive", "send"]

MEMORY_FILES = hasattr(os, "memfd_create") and hasattr(socket, "SOCK_SEQPACKET")
INLINE = 1024
"""Bytes of a packet that needs no file."""

IN_FLIGHT = 32 if MEMORY_FILES else 1
"""Tasks that a worker may have before its answers are read, so that never both sides wait for the other to read.

A socket holds more than 100 packets of INLINE bytes. Where whole batches go through a pipe, a worker that has one to
send waits until it is read, and reads nothing meanwhile.
"""

WITH_FILE = b"f"
"""The packet that goes with a file."""

MOST = 1024
"""Parts that the system takes in one call (IOV_MAX)."""


def pair() -> tuple[Any, Any]:
    """Two ends, each for sending and receiving."""
    if MEMORY_FILES:
        return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Pipe()


def send(end: Any, message: Any) -> None:
    """Send a message. Raises ConnectionError where nobody listens any more, or what pickle raises for the message."""
    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    _Pickler(stream, buffers).dump(message)
    parts = [memoryview(stream.getvalue()), *[buffer.raw() for buffer in buffers]]
    sizes = [part.nbytes for part in parts]
    # A message begins with how many parts there are, and their sizes.
    head = memoryview(struct.pack(f"<{len(sizes) + 1}Q", len(sizes), *sizes))
    parts = [head, *[part for part in parts if part.nbytes]]
    if not isinstance(end, socket.socket):
        for part in parts:
            end.send_bytes(part)
    elif head.nbytes + sum(sizes) <= INLINE:
        end.send(b"".join(parts))
    else:
        file = os.memfd_create("tt_data", os.MFD_CLOEXEC)
        try:
            _write(file, parts)
            socket.send_fds(end, [WITH_FILE], [file])
        finally:
            os.close(file)


def receive(end: Any) -> Any:
    """The next message. Raises EOFError or ConnectionError where the other side is gone."""
    if not isinstance(end, socket.socket):
        sizes = struct.unpack_from(f"<{len(head := end.recv_bytes()) // 8 - 1}Q", head, 8)
        return _message([np.frombuffer(bytearray(end.recv_bytes() if n else b""), np.uint8) for n in sizes])
    packet, files, _, _ = socket.recv_fds(end, INLINE, 1, socket.MSG_CMSG_CLOEXEC)
    if not packet:
        raise EOFError("the other side is gone")
    if packet == WITH_FILE and not files:
        raise OSError(
            errno.EMFILE, "no descriptor is left for what was sent; close files, or raise the limit"
        )
    if not files:
        (count,) = struct.unpack_from("<Q", packet)
        sizes = struct.unpack_from(f"<{count}Q", packet, 8)
        ends = np.cumsum((8 * count + 8, *sizes))
        raw = np.frombuffer(bytearray(packet), np.uint8)
        return _message([raw[start : start + size] for start, size in zip(ends, sizes, strict=False)])
    (file,) = files
    try:
        (count,) = struct.unpack("<Q", os.pread(file, 8, 0))
        sizes = struct.unpack(f"<{count}Q", os.pread(file, 8 * count, 8))
        # Arrays are made on these, so they are NumPy's own memory, aligned as any other.
        parts = [np.empty(size, np.uint8) for size in sizes]
        _read(file, [part.data for part in parts if part.nbytes], 8 * count + 8)
    finally:
        os.close(file)
    return _message(parts)


def _message(parts: Sequence[np.ndarray]) -> Any:
    return pickle.loads(parts[0].data, buffers=parts[1:])


def _write(file: int, parts: Sequence[memoryview]) -> None:
    left = list(parts)
    while left:
        done = os.writev(file, left[:MOST])
        left = _behind(left, done)


def _read(file: int, parts: Sequence[memoryview], at: int) -> None:
    left = list(parts)
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


def _arrange(memory: np.ndarray, dtype: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
    array = memory.view(dtype)
    if not array.flags.aligned:  # a part of a packet begins anywhere
        array = memory.copy().view(dtype)
    return array.reshape(shape).transpose(axes)
