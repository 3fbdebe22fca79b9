"""Sums of gradients: the operation "add_up" of the table of kernels.

    add_up(groups, times=1.0, by=1.0)

        s ← (s + a + b + …) · times / by        for each group (s, a, b, …)

The arrays of a group have one shape (n,) and one dtype; the first of each is written, and no other shares its memory.
Sums are taken in the order of the group, so the bits are the same whoever adds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tt_optim.stretches import each_stretch, many
from tt_tensor.kernels import table

__all__ = ["add_up", "loops", "numpy"]

Groups = Sequence[Sequence[np.ndarray]]


def loops(groups: Groups, times: float = 1.0, by: float = 1.0) -> None:
    """One number after the other."""
    for total, *others in groups:
        for i in range(len(total)):
            for other in others:
                total[i] += other[i]
            if times != 1:
                total[i] *= total.dtype.type(times)
            if by != 1:
                total[i] /= total.dtype.type(by)


def numpy(groups: Groups, times: float = 1.0, by: float = 1.0) -> None:
    """Array by array; where there are many numbers, stretch by stretch, side by side."""

    def work(k: int, low: int, high: int) -> None:
        total, *others = (array[low:high] for array in groups[k])
        for other in others:
            total += other
        if times != 1:
            np.multiply(total, times, total)
        if by != 1:
            np.divide(total, by, total)

    sizes = [group[0].size for group in groups]
    if many(sum(sizes)):
        each_stretch(work, sizes)
    else:
        for k, size in enumerate(sizes):
            work(k, 0, size)


table.register("add_up", "loops", loops)
table.register("add_up", "numpy", numpy, default=True)


def add_up(groups: Groups, times: float = 1.0, by: float = 1.0) -> None:
    """The same, by the kernel in use."""
    table.kernel("add_up")(groups, times, by)
