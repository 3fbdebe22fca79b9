"""Sums of gradients: the operation "add_up" of the table of kernels.

    add_up(groups, times=1.0, by=1.0)

        s ← (s + a + b + …) · times / by        for each group (s, a, b, …)

The arrays of a group have one shape and one dtype; the first of each is written, and no other shares its memory. Sums
are taken in the order of the group, so the bits are the same whoever adds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tt_optim.stretches import each_stretch, flat_views, many
from tt_tensor.kernels import table

__all__ = ["add_up", "loops", "numpy"]

Groups = Sequence[Sequence[np.ndarray]]


def loops(groups: Groups, times: float = 1.0, by: float = 1.0) -> None:
    """One number after the other."""
    for total, *others in groups:
        for at in np.ndindex(total.shape):
            for other in others:
                total[at] += other[at]
            if times != 1:
                total[at] *= total.dtype.type(times)
            if by != 1:
                total[at] /= total.dtype.type(by)


def numpy(groups: Groups, times: float = 1.0, by: float = 1.0) -> None:
    """Array by array; where there are many numbers, stretch by stretch, side by side."""

    def work(total: np.ndarray, *others: np.ndarray) -> None:
        for other in others:
            total += other
        if times != 1:
            np.multiply(total, times, total)
        if by != 1:
            np.divide(total, by, total)

    shared: list[list[np.ndarray]] = []
    if many(sum(group[0].size for group in groups)):
        for group in groups:
            flat = flat_views(group)
            if flat is not None:
                shared.append(flat)
            else:
                work(*group)
    else:
        for group in groups:
            work(*group)
    if shared:
        each_stretch(
            lambda k, low, high: work(*[array[low:high] for array in shared[k]]),
            [flat[0].size for flat in shared],
        )


table.register("add_up", "loops", loops)
table.register("add_up", "numpy", numpy, default=True)


def add_up(groups: Groups, times: float = 1.0, by: float = 1.0) -> None:
    """The same, by the kernel in use."""
    table.kernel("add_up")(groups, times, by)
