"""TokenFile: a corpus of token ids on disk, mapped into memory, so that it may be larger than memory.

The file is a safetensors file with one tensor "tokens", so other programs read it too; its header also tells the
sha256 of the data and the largest id.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tt_data.errors import DatasetError
from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError
from tt_tensor.files import whole_file
from tt_tensor.tensor import as_array

__all__ = ["TokenFile", "write_tokens"]

FORMAT = "tt.tokens"
HEADER = 512
"""Bytes before the data in a file that is written here: the length of the header in 8 bytes, then the header."""

LONGEST = 1 << 16
"""Bytes of a header that is read at all."""

PIECE = 1 << 22
"""Bytes that `verify` reads at a time."""

DTYPES: dict[str, np.dtype[Any]] = {"U16": np.dtype("<u2"), "U32": np.dtype("<u4")}


class TokenFile:
    """Token ids in a file that `write_tokens` made, mapped into memory: only what is read comes from the disk.

    Args:
        path: the file.
        verify: read all of it once and compare its sha256. Without, only the header and the size are checked, at once
            for any size.

    Attributes: `tokens`, a read-only array (len,) of uint16 or uint32; `largest`, the largest id (-1 where there is
    none), `sha256`, `path`. It pickles as its path, so a worker process maps the file itself.

    Raises DatasetError where the file is missing, damaged, cut short, or of another kind.
    """

    def __init__(self, path: str | os.PathLike[str], verify: bool = False) -> None:
        self.path = Path(path)
        try:
            with open(self.path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                self._offset, header = _read_header(self.path, file, size)
        except OSError as error:
            raise DatasetError(f"cannot read {self.path}: {error.strerror or error}") from error
        self._dtype, self._count, self.sha256, self.largest = _checked(self.path, header, size - self._offset)
        self.tokens = self._map()
        if verify:
            self.verify()

    def _map(self) -> Any:
        if not self._count:  # what is empty cannot be mapped
            return np.empty(0, self._dtype)
        try:
            mapped = np.memmap(self.path, self._dtype, "r", self._offset, (self._count,))
        except (OSError, ValueError) as error:
            raise DatasetError(f"cannot map {self.path} into memory: {error}") from error
        return mapped.view(np.ndarray)

    def verify(self) -> None:
        """Read all of it, piece by piece. Raises DatasetError where its sha256 is not the one in the header."""
        digest = hashlib.sha256()
        step = PIECE // self._dtype.itemsize
        for start in range(0, self._count, step):
            digest.update(self.tokens[start : start + step].tobytes())
        if digest.hexdigest() != self.sha256:
            raise DatasetError(
                f"{self.path} is damaged: expected sha256 {self.sha256} of its tokens, found {digest.hexdigest()}; "
                "write it again"
            )

    def __len__(self) -> int:
        return self._count

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "tokens"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.tokens = self._map()

    def __repr__(self) -> str:
        return f"TokenFile({str(self.path)!r}: {len(self):,} tokens of {self._dtype.name})"


def write_tokens(path: str | os.PathLike[str], arrays: Iterable[Any], dtype: Any = np.uint16) -> TokenFile:
    """Write arrays of token ids, one behind the other, into a file for `TokenFile`; returns it, open.

    The arrays come one at a time, so the corpus need not fit into memory. The file is written aside, flushed and
    renamed: under its name it is whole, or as it was before.

    Args:
        path: the file; one that is there is replaced.
        arrays: arrays, Tensors or lists of whole numbers; a generator will do.
        dtype: what an id is kept in, uint16 (ids up to 65,535) or uint32.

    Raises ArgumentError for an id that the dtype does not hold, DTypeError for other than whole numbers, DatasetError
    where the file cannot be written.
    """
    kept = np.dtype(dtype).newbyteorder("<")
    name = next((name for name, known in DTYPES.items() if known == kept), None)
    if name is None:
        raise ArgumentError(f"write_tokens: dtype is uint16 or uint32, not {np.dtype(dtype).name}")
    target = Path(path)
    digest, count, largest = hashlib.sha256(), 0, -1
    with _aside(target) as file:
        file.write(bytes(HEADER))
        for given in arrays:
            ids = _ids(given, count, kept)
            if ids.size:
                largest = max(largest, int(ids.max()))
                data = ids.astype(kept).tobytes()
                digest.update(data)
                file.write(data)
                count += ids.size
        header = json.dumps(
            {
                "__metadata__": {"format": FORMAT, "sha256": digest.hexdigest(), "largest": str(largest)},
                "tokens": {"dtype": name, "shape": [count], "data_offsets": [0, count * kept.itemsize]},
            }
        ).encode()
        file.seek(0)
        file.write((HEADER - 8).to_bytes(8, "little") + header.ljust(HEADER - 8))
    return TokenFile(target)


def _ids(given: Any, before: int, kept: np.dtype[Any]) -> Any:
    """One array of ids, flat. `before` counts those that were written, to say where a wrong one is."""
    array = given.array if isinstance(given, Tensor) else as_array(given, "write_tokens")
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(f"write_tokens: ids are whole numbers, not {array.dtype}")
    flat = array.reshape(-1)
    if flat.size and not (flat.min() >= 0 and flat.max() <= np.iinfo(kept).max):
        at = int(((flat < 0) | (flat > np.iinfo(kept).max)).argmax())
        raise ArgumentError(
            f"write_tokens: id {int(flat[at])} at position {before + at} does not go into {kept.name}; ids there are 0 "
            f"to {np.iinfo(kept).max}, and dtype='uint32' holds larger ones"
        )
    return flat


@contextmanager
def _aside(target: Path) -> Iterator[BinaryIO]:
    """A file beside `target`, which takes its place where all went well and is gone otherwise."""
    try:
        with whole_file(target) as file:
            yield file
    except OSError as error:
        raise DatasetError(f"cannot write {target}: {error}") from error


def _read_header(path: Path, file: BinaryIO, size: int) -> tuple[int, Any]:
    """Where the data begin, and what the header tells."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(LONGEST, size - 8):
        raise DatasetError(
            f"{path} is no file of tokens, or was cut short: it has {size} bytes and announces a header of {length}"
        )
    try:
        return 8 + length, json.loads(file.read(length).decode())
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path} is damaged, or no file of tokens: its header is no JSON: {error}"
        ) from error


def _checked(path: Path, header: Any, size: int) -> tuple[np.dtype[Any], int, str, int]:
    """dtype, number of tokens, sha256 and largest id of a header that fits `size` bytes of data."""
    try:
        about, tensor = header["__metadata__"], header["tokens"]
        dtype = DTYPES[tensor["dtype"]]
        (count,), (start, stop) = tensor["shape"], tensor["data_offsets"]
        sha256, largest = about["sha256"], int(about["largest"])
        numbers = all(type(number) is int and number >= 0 for number in (count, start, stop))
        if about["format"] != FORMAT or len(header) != 2 or not numbers or not isinstance(sha256, str):
            raise ValueError("it tells something else")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DatasetError(
            f"{path} is damaged, or no file of tokens that write_tokens made: its header lacks what it needs: {error!r}"
        ) from error
    if (start, stop) != (0, count * dtype.itemsize) or stop != size:
        raise DatasetError(
            f"{path} was cut short or is damaged: its header tells of {count} tokens of {dtype.name}, so "
            f"{count * dtype.itemsize} bytes, but {size} bytes follow it"
        )
    return dtype, count, sha256, largest
