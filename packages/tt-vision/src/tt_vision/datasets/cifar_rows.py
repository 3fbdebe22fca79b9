"""CIFAR's binary version: rows of label bytes and 3,072 pixel bytes, red, green and blue each 32 by 32, row by row.

Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_data.archive import MemberStream
from tt_data.errors import DatasetError
from tt_vision.datasets.images import Images

__all__ = ["BLOCK", "SIDE", "read_rows"]

SIDE = 32
PIXELS = SIDE * SIDE
BLOCK = 1000
"""Rows that are read at a time."""


def read_rows(stream: MemberStream, pixels: Images, labels: Any) -> None:
    """Read rows into `pixels` (N, 32, 32, 3), the channels last, and the bytes before each into `labels` (N, L).

    Raises DatasetError if the stream does not hold N rows.
    """
    count, width = labels.shape
    length = width + 3 * PIXELS
    if stream.member.size != count * length:
        raise DatasetError(
            f"{stream.where}: {stream.member.name} has {stream.member.size:,} bytes; {count:,} rows of {length:,} "
            f"are {count * length:,}"
        )
    rows = np.empty((min(BLOCK, count), length), np.uint8)
    flat = pixels.reshape(count, PIXELS, 3)
    for start in range(0, count, BLOCK):
        block = rows[: count - start]
        stream.fill(block)
        here = slice(start, start + len(block))
        labels[here] = block[:, :width]
        for channel in range(3):
            plane = width + channel * PIXELS
            flat[here, :, channel] = block[:, plane : plane + PIXELS]
