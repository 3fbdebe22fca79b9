"""What pointwise kernels share: which arrays suit them, and how they are cut for threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards

__all__ = [
    "FLOAT32",
    "WORTH",
    "filled_up",
    "in_order",
    "memory_order",
    "pass_over",
    "put_back",
    "suit",
    "whole",
]

FLOAT32 = np.dtype(np.float32)

WORTH = 1 << 17
"""So many numbers of a pass are worth a thread."""


def suit(*arrays: Any) -> bool:
    """Are these what kernels take: float32, of one shape, whole in memory in C's order, and writeable?"""
    shape = arrays[0].shape
    return all(one.dtype is FLOAT32 and one.flags.carray and one.shape == shape for one in arrays)


def filled_up(channels: int) -> int:
    """The next multiple of 16. `lanes.lined_up` is for kernels: called from Python, each process would compile it."""
    return -(-channels // 16) * 16


def whole(x: Any) -> Any:
    """x as kernels take it: in C's order, aligned and writeable; a copy where it is not, as of frozen weights."""
    return x if x.flags.carray else np.array(x, order="C")


def memory_order(x: Any) -> tuple[int, ...] | None:
    """The axes of x by falling steps in memory (an image may have its channels last); None: as they stand."""
    if x.flags.c_contiguous:
        return None
    return tuple(sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis])))


def in_order(x: Any, order: tuple[int, ...] | None) -> Any:
    """x with its axes in this order, as kernels take it: a view, or a copy where its memory is not whole."""
    return whole(x if order is None else x.transpose(order))


def put_back(y: Any, order: tuple[int, ...] | None) -> Any:
    """y with the axes back where they were before `in_order`."""
    return y if order is None else y.transpose(tuple(order.index(axis) for axis in range(len(order))))


def pass_over(kernel: Any, *arrays: Any) -> None:
    """kernel(*flat arrays, start, stop) over all numbers of arrays of one shape; by threads where they are many."""
    flat = [array.reshape(-1) for array in arrays]
    size = flat[0].size
    if size < 2 * WORTH:
        kernel(*flat, 0, size)
        return

    def body(start: int, stop: int, part: int) -> None:
        kernel(*flat, start, stop)

    shards.run(body, size, WORTH)
