"""What pointwise kernels share: which arrays suit them, and how they are cut for threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_nn import shards

__all__ = ["WORTH", "pass_over", "suit"]

FLOAT32 = np.dtype(np.float32)

WORTH = 1 << 17
"""So many numbers of a pass are worth a thread."""


def suit(*arrays: Any) -> bool:
    """Are these what kernels take: float32, of one shape, whole in memory in C's order, and writeable?"""
    shape = arrays[0].shape
    return all(one.dtype is FLOAT32 and one.flags.carray and one.shape == shape for one in arrays)


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
