"""idx: every type and rank comes back; what is not idx is refused before memory is taken for it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tt_data.download_errors import ArchiveError
from tt_vision.datasets import DatasetError, read_idx

TYPES = ("u1", "i1", "i2", "i4", "f4", "f8")
RIGHT = bytes.fromhex("00000802 00000002 00000003 010203040506")


@given(
    st.sampled_from(TYPES).flatmap(
        lambda kind: hnp.arrays(kind, hnp.array_shapes(max_dims=8, min_side=0, max_side=3))
    )
)
def test_what_was_written_is_read(tmp_path_factory, as_idx, array):
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(as_idx(array))
    found = read_idx(path)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_it_may_be_packed(pack, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(pack(RIGHT))
    assert read_idx(path).tolist() == [[1, 2, 3], [4, 5, 6]]
    path.write_bytes(pack(RIGHT)[:-3])
    with pytest.raises(ValueError, match=str(path)):
        read_idx(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "truncated"),
        (b"\0\0\x08", "truncated"),
        (RIGHT[:7], "truncated"),
        (RIGHT[:-1], "ends after 5 of 6"),
        (RIGHT + b"\0", "more in the file"),
        (struct.pack(">HBB3I", 0, 8, 3, 0, 2**32 - 1, 2**32 - 1), "says that it holds 0 × 4294967295"),
        (b"\x01" + RIGHT[1:], "0x01000802"),
        (b"\0\0\x0a\x02" + RIGHT[4:], "0x00000a02"),
        (b"\0\0\x08\0" + RIGHT[4:], "0x00000800"),
        (b"\0\0\x08\x09" + RIGHT[4:], "0x00000809"),
        (b"\x1f\x8b" + RIGHT[2:], "cannot be read"),
    ],
)
def test_what_is_not_idx_is_refused(data, message, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises((DatasetError, ArchiveError), match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "shape", [(2**32 - 1,), (2**32 - 1,) * 8, (1 << 20, 1 << 20), (1 << 29,), (1 << 25,)]
)
def test_absurd_sizes_take_no_memory(shape, pack, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(pack(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(100)))
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match=r"allowed|truncated"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_no_more_than_the_limit_is_read(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(RIGHT)
    assert read_idx(path, limit=len(RIGHT)).shape == (2, 3)
    with pytest.raises(DatasetError, match=r"2 × 3 values of uint8, 6 bytes; 5 are allowed"):
        read_idx(path, limit=len(RIGHT) - 1)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ArchiveError, match="missing"):
        read_idx(tmp_path / "missing")
