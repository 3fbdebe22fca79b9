"""idx, the format of MNIST: a magic number, the sizes of the axes, the values.

    offset  0   0x00 0x00 type rank     type 0x08 uint8, 0x09 int8, 0x0B int16, 0x0C int32, 0x0D float32, 0x0E float64
    offset  4   rank sizes              unsigned, 32 bits, the high byte first
    offset  4 + 4 rank                  the values, the last axis fastest, the high byte first

Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tt_data.archive import open_bounded
from tt_data.errors import DatasetError

__all__ = ["parse_idx", "read_idx"]

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
RANKS = range(1, 9)
PIECE = 1 << 20


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_idx(path: str | os.PathLike[str], limit: int = 1 << 30) -> np.ndarray:
    """The array in an idx file, as it is or packed by gzip, xz or bzip2. No checksum is known, so none is checked.

    Memory is taken as values come, not as the header promises. At most `limit` bytes are read.

    Raises DatasetError for another magic number, sizes that do not fit what is there, and more than `limit` bytes;
    ArchiveError (a ValueError too) if the file cannot be unpacked.
    """
    where = Path(path)
    with open_bounded(where, limit) as source:
        array = parse_idx(source, where, limit)
        if source.read(1):
            raise DatasetError(f"{where}: there is more in the file than its header says; it is damaged")
    return array


def parse_idx(source: Source, where: Path, size: int, exact: bool = False) -> np.ndarray:
    """The array in what `source` gives: at most `size` bytes, header included, or just as many if `exact`.

    `where` is named in errors. Raises DatasetError.
    """
    zeros, kind, rank = struct.unpack(">HBB", _exactly(source, 4, where))
    if zeros or kind not in TYPES or rank not in RANKS:
        raise DatasetError(
            f"{where} is no idx file: it begins with 0x{zeros << 16 | kind << 8 | rank:08x}, MNIST's images with "
            "0x00000803, labels with 0x00000801"
        )
    shape = struct.unpack(f">{rank}I", _exactly(source, 4 * rank, where))
    dtype = np.dtype(TYPES[kind])
    length, room = math.prod(shape) * dtype.itemsize, size - 4 - 4 * rank
    if length > room or (exact and length < room):
        raise DatasetError(
            f"{where} says that it holds {' × '.join(map(str, shape))} values of {dtype.name}, {length:,} bytes; "
            f"{room:,} are {'there' if exact else 'allowed'}"
        )
    values = np.frombuffer(_exactly(source, length, where), dtype)
    try:
        values = values.reshape(shape)
    except ValueError as error:  # an axis of 0 makes any others fit
        raise DatasetError(
            f"{where} says that it holds {' × '.join(map(str, shape))} values; {error}"
        ) from error
    return values.astype(dtype.newbyteorder("="), copy=False)


def _exactly(source: Source, size: int, where: Path) -> Any:
    content = bytearray()
    while len(content) < size:
        piece = source.read(min(size - len(content), PIECE))
        if not piece:
            raise DatasetError(f"{where} ends after {len(content):,} of {size:,} bytes; it is truncated")
        content += piece
    return content
