"""Files of weights made to harm, or to be read in two ways."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tt_nn
import tt_perf
from tt_perf.competition import SubmissionError, UnsafeSubmissionError
from tt_perf.competition.weights_check import check_weights

DIGEST = {"__metadata__": {"tt.sha256": "0" * 64}}


def file(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_what_tt_nn_writes_is_well(tmp_path):
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "none": np.zeros((0, 4), np.float32),
        "one": np.array(2.5),
        "i": np.array([1, -2], np.int8),
        "h": np.array([1.5], np.float16),
    }
    tt_nn.save(arrays, tmp_path / "w.safetensors", {"k": "v"})
    assert check_weights((tmp_path / "w.safetensors").read_bytes())["k"] == "v"


def test_packed_weights_cannot_be_looked_over(tmp_path):
    quantized = tt_perf.quantize(tt_nn.Linear(4, 3))
    tt_perf.save_quantized(quantized, tmp_path / "w.safetensors", packed=True)
    with pytest.raises(SubmissionError, match="packed"):
        check_weights((tmp_path / "w.safetensors").read_bytes())


HOSTILE = {
    "empty": (b"", "0 bytes are no safetensors file"),
    "short": (b"\1" * 7, "7 bytes"),
    "header-longer-than-the-file": (file({}, length=100), "a header of 100 bytes"),
    "header-of-2-64": (file({}, length=2**64 - 1), "a header of 18,446,744,073,709,551,615 bytes"),
    "header-of-2-MiB": (file(b"{}" + b" " * (2 << 20)), "a header of 2,097,154 bytes"),
    "header-no-json": (file(b"{..."), "the header is no JSON"),
    "header-a-list": (file([]), "the header is list"),
    "header-deep": (file(b'{"a":' * 50_000), "brackets"),
    "header-no-text": (file(b"\xff\xfe{}"), "utf-8"),
    "name-twice": (file(b'{"a": {}, "a": {}}'), "'a' is given twice"),
    "metadata-no-texts": (file({"__metadata__": {"a": 1}}), "metadata are names with texts"),
    "metadata-a-list": (file({"__metadata__": []}), "metadata are names with texts"),
    "too-many": (file({f"t{i}": tensor(shape=(0,), offsets=(0, 0)) for i in range(4097)}), "4,097 tensors"),
    "entry-a-list": (file({"a": []}), "tensor 'a': it has a dtype"),
    "entry-with-more": (file({"a": {**tensor(), "code": "x"}}, b"\0" * 8), "and nothing else"),
    "name-empty": (file({"": tensor()}, b"\0" * 8), "names are printable"),
    "name-with-escapes": (file({"a\x1b[2J": tensor()}, b"\0" * 8), "names are printable"),
    "name-long": (file({"a" * 201: tensor()}, b"\0" * 8), "names are printable"),
    "dtype-object": (file({"a": tensor("O")}, b"\0" * 8), "dtype 'O' is none of"),
    "dtype-number": (file({"a": tensor(4)}, b"\0" * 8), "dtype '4' is none of"),
    "shape-negative": (file({"a": tensor(shape=(-1, -2))}, b"\0" * 8), "is no row of up to 8 whole numbers"),
    "shape-fractions": (file({"a": tensor(shape=(2.0,))}, b"\0" * 8), "is no row"),
    "shape-bools": (file({"a": tensor(shape=(True, 2))}, b"\0" * 8), "is no row"),
    "shape-of-nine": (file({"a": tensor(shape=(1,) * 8 + (2,))}, b"\0" * 8), "is no row"),
    "shape-overflows-64-bits": (file({"a": tensor(shape=(2**62, 4, 2))}, b"\0" * 8), "bytes, its data_offsets 8"),
    "shape-overflows-to-the-size": (file({"a": tensor(shape=(2**62 + 1, 2))}, b"\0" * 8), "its data_offsets 8"),
    "shape-huge": (file({"a": tensor(shape=(10**9, 10**9))}, b"\0" * 8), "its data_offsets 8"),
    "shape-smaller": (file({"a": tensor(shape=(1,))}, b"\0" * 8), "has 4 bytes, its data_offsets 8"),
    "offsets-behind-the-end": (file({"a": tensor()}, b"\0" * 7), "do not lie in the 7 bytes"),
    "offsets-backwards": (file({"a": tensor(offsets=(8, 0))}, b"\0" * 8), "do not lie"),
    "offsets-negative": (file({"a": tensor(offsets=(-8, 0))}, b"\0" * 8), "do not lie"),
    "offsets-three": (file({"a": tensor(offsets=(0, 8, 8))}, b"\0" * 8), "do not lie"),
    "bytes-of-another": (file({"a": tensor(), "b": tensor(offsets=(4, 12))}, b"\0" * 12), "bytes of another tensor"),
    "bytes-twice": (file({"a": tensor(), "b": tensor()}, b"\0" * 8), "bytes of another tensor"),
    "bytes-between": (file({"a": tensor(), "b": tensor(offsets=(12, 20))}, b"\0" * 20), "unused bytes before it"),
    "bytes-behind": (file({"a": tensor()}, b"\0" * 16), "8 bytes behind the tensors belong to none"),
    "nan": (file({"a": tensor()}, np.array([1, np.nan], "<f4").tobytes()), "it holds NaN or infinity"),
    "infinity": (file({"a": tensor("F64", (1,))}, np.array([-np.inf]).tobytes()), "it holds NaN or infinity"),
    "half-infinity": (file({"a": tensor("F16", (4,))}, np.array([0, np.inf, 0, 0], "<f2").tobytes()), "NaN or inf"),
    "bfloat16-nan": (file({"a": tensor("BF16", (4,))}, np.array([0, 0x7FC0, 0, 0], "<u2").tobytes()), "NaN or inf"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_files_that_are_refused(name):
    contents, message = HOSTILE[name]
    with pytest.raises(UnsafeSubmissionError, match=message):
        check_weights(contents)


def test_a_file_without_a_digest():
    with pytest.raises(SubmissionError, match="the file has no digest"):
        check_weights(file({"a": tensor()}, b"\0" * 8))
    check_weights(file({**DIGEST, "a": tensor()}, b"\0" * 8))


@given(st.binary(max_size=200))
def test_noise_is_refused_or_whole(contents):
    with pytest.raises(SubmissionError):
        check_weights(contents)


@given(st.data())
def test_a_mutant_is_refused_or_read_alike(data):
    """What passes, safetensors reads, too, and finds what the header says."""
    from safetensors.numpy import load

    header = {**DIGEST, "a": tensor(), "b": tensor("I8", (3, 2), (8, 14))}
    contents = bytearray(file(header, bytes(range(14))))
    for _ in range(data.draw(st.integers(1, 3))):
        contents[data.draw(st.integers(0, len(contents) - 1))] = data.draw(st.integers(0, 255))
    try:
        check_weights(bytes(contents))
    except SubmissionError:
        return
    assert sum(array.nbytes for array in load(bytes(contents)).values()) == 14
