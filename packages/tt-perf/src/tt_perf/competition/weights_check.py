"""A safetensors file looked over before anybody makes arrays of it.

The format: 8 bytes, the length of the header (little-endian); the header, JSON: name → dtype, shape, data_offsets; the
data. Checked here, in integers that do not overflow: each tensor's bytes are what its dtype and shape say, all of
them together are the whole of the data, each byte in one tensor, and floats are finite.

Source: https://huggingface.co/docs/safetensors, "Format".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tt_perf.benchmarking.errors import ResultFileError
from tt_perf.benchmarking.json_files import parse
from tt_perf.competition.errors import SubmissionError, UnsafeSubmissionError

__all__ = ["check_weights"]

ITEMSIZE = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
            "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}  # fmt: skip
FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
MOST_HEADER = 1 << 20
MOST_TENSORS = 4096
MOST_AXES = 8
LONGEST_NAME = 200
METADATA = "__metadata__"


def check_weights(contents: bytes) -> dict[str, str]:
    """The metadata of a file of weights, all of which holds together.

    Raises UnsafeSubmissionError that names what does not, SubmissionError where the file has no digest of tt_nn.save
    or is packed.
    """
    if len(contents) < 8:
        raise UnsafeSubmissionError(f"weights: {len(contents)} bytes are no safetensors file")
    length = int.from_bytes(contents[:8], "little")
    if length > min(MOST_HEADER, len(contents) - 8):
        raise UnsafeSubmissionError(
            f"weights: a header of {length:,} bytes is more than the file has, or more than {MOST_HEADER:,}"
        )
    try:
        header = parse(contents[8 : 8 + length], "weights: the header")
    except ResultFileError as error:
        raise UnsafeSubmissionError(str(error)) from error
    if not isinstance(header, dict):
        raise UnsafeSubmissionError(f"weights: the header is {type(header).__name__}, not an object")
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise UnsafeSubmissionError("weights: metadata are names with texts")
    if len(header) > MOST_TENSORS:
        raise UnsafeSubmissionError(f"weights: {len(header):,} tensors are more than {MOST_TENSORS:,}")
    data = memoryview(contents)[8 + length :]
    spans = sorted(_span(name, entry, data) for name, entry in header.items())
    end = 0
    for start, stop, name in spans:
        if start != end:
            what = "bytes of another tensor" if start < end else "unused bytes before it"
            raise UnsafeSubmissionError(f"weights: tensor {name!r} has {what}")
        end = stop
    if end != len(data):
        raise UnsafeSubmissionError(f"weights: {len(data) - end:,} bytes behind the tensors belong to none")
    if "tt.sha256" not in metadata:
        raise SubmissionError("weights: the file has no digest; write it with tt_nn.save")
    if "tt.packed" in metadata:
        raise SubmissionError(
            "weights: the file is packed, so that nobody can look it over; save it without packed="
        )
    return metadata


def _span(name: str, entry: Any, data: memoryview) -> tuple[int, int, str]:
    """First byte, last byte + 1, and the name."""

    def refuse(what: str) -> UnsafeSubmissionError:
        return UnsafeSubmissionError(f"weights: tensor {name[:LONGEST_NAME]!r}: {what}")

    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise refuse("names are printable and have 1 to 200 characters")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise refuse("it has a dtype, a shape and data_offsets, and nothing else")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in ITEMSIZE:
        raise refuse(f"dtype {str(kind)[:20]!r} is none of {', '.join(ITEMSIZE)}")
    if not _whole(shape) or len(shape) > MOST_AXES:
        raise refuse(f"the shape {str(shape)[:60]} is no row of up to {MOST_AXES} whole numbers")
    if not _whole(offsets) or len(offsets) != 2 or not offsets[0] <= offsets[1] <= len(data):
        raise refuse(f"data_offsets {str(offsets)[:60]} do not lie in the {len(data):,} bytes of data")
    start, stop = offsets
    if (size := math.prod(shape) * ITEMSIZE[kind]) != stop - start:
        raise refuse(f"{kind} of shape {tuple(shape)} has {size:,} bytes, its data_offsets {stop - start:,}")
    if not _finite(kind, data[start:stop]):
        raise refuse("it holds NaN or infinity")
    return start, stop, name


def _whole(row: Any) -> bool:
    return isinstance(row, list) and all(type(number) is int and number >= 0 for number in row)


def _finite(kind: str, data: memoryview) -> bool:
    if kind == "BF16":
        return bool(np.all(np.frombuffer(data, "<u2") & 0x7F80 != 0x7F80))
    return kind not in FLOATS or bool(np.isfinite(np.frombuffer(data, FLOATS[kind])).all())
