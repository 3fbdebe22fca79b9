"""One checkpoint in one safetensors file, every byte of which its digest covers.

    8 bytes   N, little-endian
    N bytes   JSON: "__metadata__" with the version, the size of the file and the document of everything that is
              no array; then name, dtype, shape and place of each array; spaces up to a multiple of 8
    arrays    little-endian, row by row, those with the largest elements first, so that all are aligned
    32 bytes  sha256 over all of the above; to the format it is one more array, named tt.sha256

The safetensors library opens it. It is not what writes and reads it here, because it holds or maps the whole file
beside the arrays, and trusts lengths that nothing has confirmed. Here a file is hashed in one pass as it is
written; read, it is hashed before any of it is believed.

The digest tells damage, not forgery: anybody can compute one. So the header is compared with the one that would be
written for the state it describes. A file that is accepted is, byte for byte, what `write` makes of what
`read` returned.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tt_optim.training.encoding import STORED, Slot, decode, encode
from tt_optim.training.errors import CheckpointError, StateError
from tt_tensor import Tensor
from tt_tensor.tensor import wrap

__all__ = ["Contents", "inspect", "pack", "read"]

VERSION = "1"
MARK = b'{"__metadata__":{"tt.checkpoint":"'
LEAD = MARK + b'%b","tt.bytes":"%020d","tt.document":'
LEAD_SIZE = len(LEAD % (VERSION.encode(), 0))
DIGEST_NAME = "tt.sha256"
DIGEST_SIZE = 32
MAX_HEADER = 100_000_000  # of the format
PIECE = 1 << 20
DOUBT = "its digest is right, so this is no damage: it was edited, or made by something else"

NONSENSE = (ArithmeticError, LookupError, TypeError, ValueError, RecursionError, MemoryError, struct.error)
"""What decoding a document that `encode` did not write may end in (StateError is a TypeError)."""


@dataclass(frozen=True)
class Contents:
    """All that a checkpoint holds. With Slots for arrays, or with the arrays."""

    step: int
    score: float | None
    state: dict[str, Any]


@dataclass(frozen=True)
class Packed:
    """A checkpoint laid out, ready to be written."""

    document: str
    header: bytes
    slots: list[Slot]
    size: int
    """Bytes of the whole file."""

    def write(self, write: Callable[[Any], object]) -> None:
        """Hand the bytes of the file to `write`, piece by piece, each hashed on its way."""
        digest = hashlib.sha256()
        for piece in self._pieces():
            digest.update(piece)
            write(piece)
        write(digest.digest())

    def _pieces(self) -> Iterator[Any]:
        yield self.header
        for slot in self.slots:
            if slot.array is not None and slot.array.size:
                octets = _octets(np.ascontiguousarray(slot.array, slot.dtype.newbyteorder("<")))
                for start in range(0, len(octets), PIECE):
                    yield octets[start : start + PIECE]


def pack(contents: Contents) -> Packed:
    """Lay out a checkpoint. Raises StateError for a state that the format cannot hold."""
    state, slots = encode(contents.state)
    document = f'{{"step":{encode(contents.step)[0]},"score":{encode(contents.score)[0]},"state":{state}}}'
    slots.sort(key=lambda slot: -slot.dtype.itemsize)
    table: dict[str, dict[str, Any]] = {}
    at = 0
    for slot in slots:
        dtype, count = STORED[slot.dtype.str[1:]]
        shape = [*slot.shape, count] if count > 1 else list(slot.shape)
        end = at + math.prod(slot.shape) * slot.dtype.itemsize
        table[slot.name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, end]}
        at = end
    table[DIGEST_NAME] = {"dtype": "U8", "shape": [DIGEST_SIZE], "data_offsets": [at, at + DIGEST_SIZE]}
    rest = f"{json.dumps(document)}}},{json.dumps(table, separators=(',', ':'))[1:]}".encode()
    length = -(-(LEAD_SIZE + len(rest)) // 8) * 8
    if length > MAX_HEADER:
        raise StateError(
            f"state: all that is not an array takes {length:,} bytes, and the format ends at {MAX_HEADER:,}; keep "
            "long lists of numbers as NumPy arrays"
        )
    size = 8 + length + at + DIGEST_SIZE
    lead = LEAD % (VERSION.encode(), size)
    return Packed(document, length.to_bytes(8, "little") + (lead + rest).ljust(length), slots, size)


def inspect(path: Path) -> Contents:
    """What a checkpoint says, with Slots for its arrays. Raises CheckpointError unless the whole file is good."""
    with _opened(path) as file:
        return _confirmed(path, file)[0]


def read(path: Path) -> Contents:
    """A checkpoint with its arrays. Raises CheckpointError unless the whole file is good.

    Until the digest is confirmed this takes 1 MB, whatever the file says; then the size of the arrays, and for the
    document what its lists and dicts take as Python objects, twice over.
    """
    with _opened(path) as file:
        contents, packed = _confirmed(path, file)
        file.seek(len(packed.header))
        try:
            arrays = {slot.name: _array(file, slot) for slot in packed.slots}
        except (ValueError, MemoryError) as error:  # a shape that NumPy does not make, (0, 2**70) say
            raise CheckpointError(f"{path}: an array cannot be read: {error}") from error
        filled = decode(packed.document, lambda slot: _leaf(slot, arrays[slot.name]))
    return Contents(contents.step, contents.score, filled["state"])


@contextmanager
def _opened(path: Path) -> Iterator[io.FileIO]:
    """The file, open for reading; what the system says against it is a CheckpointError."""
    try:
        # Asked before it is opened: to open a pipe is to wait for its other end.
        mode = os.stat(path).st_mode
        file = io.FileIO(path) if stat.S_ISREG(mode) else None
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:  # ValueError: a null in the name
        raise CheckpointError(
            f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}"
        ) from error
    if file is None:
        what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise CheckpointError(f"{path} is {what}, not a checkpoint")
    with file:
        try:
            yield file
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error


def _confirmed(path: Path, file: io.FileIO) -> tuple[Contents, Packed]:
    """What the file says, once its digest is right and its header the one that belongs to what it says."""
    size = os.fstat(file.fileno()).st_size
    lead = file.read(8 + LEAD_SIZE)
    file.seek(0)
    if not _digest_fits(file, size) or _version(lead) != VERSION:
        raise CheckpointError(f"{path} {_what_is_wrong(lead, size)}")
    length = int.from_bytes(lead[:8], "little")
    if not LEAD_SIZE <= length <= min(MAX_HEADER, size - 8 - DIGEST_SIZE):
        raise CheckpointError(f"{path} claims a header of {length:,} bytes, in a file of {size:,}; {DOUBT}")
    file.seek(0)
    header = file.read(8 + length)
    try:
        # The table of arrays that follows the document is not read: it must be the one we would write.
        document, _ = json.JSONDecoder().raw_decode(header[8 + LEAD_SIZE :].decode("ascii"))
        contents = Contents(**decode(document, lambda slot: slot))
        fits = type(contents.step) is int and contents.step >= 0
        fits = fits and (contents.score is None or type(contents.score) is float)
        fits = fits and type(contents.state) is dict
        packed = pack(contents)
    except NONSENSE as error:
        raise CheckpointError(f"{path}: its document cannot be read ({_brief(error)}); {DOUBT}") from error
    if not fits or packed.header != header or packed.size != size:
        raise CheckpointError(f"{path}: the header does not belong to the state that it describes; {DOUBT}")
    return contents, packed


def _digest_fits(file: io.FileIO, size: int) -> bool:
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(PIECE))
    left = size - DIGEST_SIZE
    while left > 0:
        count = file.readinto(buffer[:left])
        if not count:
            return False
        digest.update(buffer[:count])
        left -= count
    return file.read(DIGEST_SIZE + 1) == digest.digest()


def _version(lead: bytes) -> str | None:
    """The version of the format; None if the file does not begin as a checkpoint does."""
    if not lead[8:].startswith(MARK):
        return None
    return lead[8 + len(MARK) :].partition(b'"')[0].decode("ascii", "replace")


def _what_is_wrong(lead: bytes, size: int) -> str:
    """Why the digest does not fit, as far as the first bytes tell."""
    if size == 0:
        return "is empty"
    if size < 8 + LEAD_SIZE + DIGEST_SIZE:
        return f"has {size} bytes, fewer than any checkpoint: it was truncated, or is no checkpoint"
    version = _version(lead)
    if version is None:
        return (
            "does not begin as a checkpoint does and has no digest of one: it was written by something else (weights "
            "alone are for tt_nn.load), or its first bytes are damaged"
        )
    if version != VERSION:
        return (
            f"says that its format is version {version!r}, and this tt_optim reads version {VERSION}: another release "
            "wrote it, or it is damaged"
        )
    claimed = lead.partition(b'"tt.bytes":"')[2][:20]
    if claimed.isdigit() and int(claimed) > size:
        return f"was truncated: of its {int(claimed):,} bytes {size:,} are left"
    return "does not fit its digest: it was damaged after it was written"


def _array(file: io.FileIO, slot: Slot) -> np.ndarray:
    array = np.empty(slot.shape, slot.dtype.newbyteorder("<"))
    left = _octets(array) if array.size else memoryview(b"")
    while left:
        count = file.readinto(left)
        if not count:
            raise ValueError("the file became shorter while it was read")
        left = left[count:]
    # In place: the bytes turned, and the dtype that reads them so.
    return array if array.dtype == slot.dtype else array.byteswap(inplace=True).view(slot.dtype)


def _leaf(slot: Slot, array: np.ndarray) -> np.ndarray | Tensor:
    if slot.tag == "$array":
        return array
    return wrap(array.astype(slot.dtype.newbyteorder("="), copy=False))


def _octets(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _brief(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text[:200]}{'…' if len(text) > 200 else ''}"
