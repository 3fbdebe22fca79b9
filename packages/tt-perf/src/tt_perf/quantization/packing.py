"""Packed files: what `tt_nn.save` writes, through DEFLATE, in one tensor of a safetensors file.

Weights that were rounded to 8 bits do not need all of them: small ones are more frequent than large ones, so that the
entropy of a long row, the greatest of which is 127, is some 7 bits. DEFLATE gives frequent bytes shorter codes, in each
part of the data other ones; names and shapes shrink along. Nothing is lost.

Sources: Deutsch, "DEFLATE Compressed Data Format Specification", 1996, RFC 1951; for weights: Han, Mao & Dally, "Deep
Compression", 2016, arXiv:1510.00149.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from tt_nn import Module, WeightsError, load, save
from tt_tensor import Tensor

__all__ = ["PACKED", "load_packed", "save_packed"]

PACKED = "tt.packed"
"""In the header: how many bytes come out."""

TENSOR = "packed"
LEVEL = 9
MOST_HEADER = 1 << 20


def save_packed(model: Module, path: str | PathLike[str], metadata: Mapping[str, str]) -> None:
    """Write the state of `model` packed, the metadata as they are. Raises what `tt_nn.save` raises."""
    with tempfile.TemporaryDirectory(prefix="tt-perf-") as folder:
        plain = Path(folder) / "plain.safetensors"
        save(model, plain)
        contents = plain.read_bytes()
    stream = np.frombuffer(zlib.compress(contents, LEVEL), np.uint8)
    save({TENSOR: stream}, path, {**metadata, PACKED: str(len(contents))})


def load_packed(path: str | PathLike[str], metadata: Mapping[str, str], most: int) -> dict[str, Tensor]:
    """The state in a packed file with these metadata, of which no more than `most` bytes of tensors can come.

    Raises WeightsError for a file that is damaged, or would fill the memory.
    """
    found: Any = load(path).get(TENSOR)
    size = metadata[PACKED]
    if found is None or found.dtype != np.uint8 or found.ndim != 1:
        raise WeightsError(
            f"load_quantized: {path} says that it is packed, but has no bytes named {TENSOR!r}"
        )
    if not size.isascii() or not size.isdigit() or len(size) > 18:
        raise WeightsError(f"load_quantized: {path}: {size[:40]!r} is no number of bytes to unpack")
    if int(size) > most + MOST_HEADER:
        raise WeightsError(
            f"load_quantized: {path} would unpack to {int(size):,} bytes, more than this model can have; it is that of "
            "another, or made to fill the memory"
        )
    stream = zlib.decompressobj()
    try:
        contents = stream.decompress(found.array.tobytes(), int(size) + 1)
    except zlib.error as error:
        raise WeightsError(f"load_quantized: {path} cannot be unpacked: {error}") from error
    if len(contents) != int(size) or not stream.eof or stream.unused_data:
        raise WeightsError(f"load_quantized: {path} does not unpack to the {int(size):,} bytes of its header")
    with tempfile.TemporaryDirectory(prefix="tt-perf-") as folder:
        plain = Path(folder) / "plain.safetensors"
        plain.write_bytes(contents)
        try:
            return load(plain)
        except WeightsError as error:
            # The file that the error names is gone by then.
            raise WeightsError(
                f"load_quantized: what {path} unpacks to is no file of weights: {error}"
            ) from error
