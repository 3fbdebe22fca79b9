"""TokenFile: a corpus on disk, written whole or not at all, and refused where it is damaged."""

import gc
import hashlib
import json
import pickle
import tracemalloc

import numpy as np
import pytest

from tt_tensor import Tensor
from tt_tensor.errors import ArgumentError, DTypeError
from tt_text.datasets import DatasetError, TokenDataset, TokenFile, write_tokens


@pytest.mark.parametrize(
    ("dtype", "largest"), [("uint16", 65_535), ("uint32", 2**32 - 1), (np.uint32, 70_000)]
)
def test_what_was_written_is_read(tmp_path, dtype, largest):
    parts = [[3, 0, 1], np.array([], np.int64), Tensor([7, 8]), np.array([[largest, 2]], np.uint64), []]
    file = write_tokens(tmp_path / "corpus", (part for part in parts), dtype)
    assert file.tokens.tolist() == [3, 0, 1, 7, 8, largest, 2]
    assert (file.tokens.dtype, len(file), file.largest) == (np.dtype(dtype), 7, largest)
    assert file.sha256 == hashlib.sha256(file.tokens.tobytes()).hexdigest()
    again = TokenFile(str(tmp_path / "corpus"), verify=True)
    np.testing.assert_array_equal(again.tokens, file.tokens)
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]
    assert repr(file).endswith(f"corpus': 7 tokens of {np.dtype(dtype).name})")


def test_nothing_is_a_corpus_too(tmp_path):
    file = write_tokens(tmp_path / "corpus", [])
    assert len(file) == 0 and file.largest == -1 and file.tokens.shape == (0,)
    file.verify()
    assert len(pickle.loads(pickle.dumps(file))) == 0


def test_it_is_a_safetensors_file(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    write_tokens(tmp_path / "corpus.safetensors", [[5, 1, 4]])
    assert numpy.load_file(tmp_path / "corpus.safetensors")["tokens"].tolist() == [5, 1, 4]


def test_tokens_cannot_be_written_to(tmp_path):
    file = write_tokens(tmp_path / "corpus", [[1, 2]])
    with pytest.raises(ValueError, match="read-only"):
        file.tokens[0] = 3


def test_memory_is_bounded_by_what_is_asked_for(tmp_path):
    piece = np.arange(250_000) % 60_000
    write_tokens(tmp_path / "corpus", (piece for _ in range(8)))  # 4 MB
    gc.collect()
    tracemalloc.start()
    try:
        blocks = TokenDataset(TokenFile(tmp_path / "corpus"), 64, 1)
        for start in range(0, 1_900_000, 100_000):
            blocks.__getitems__(list(range(start, start + 12)))
        assert tracemalloc.get_traced_memory()[1] < 300_000
    finally:
        tracemalloc.stop()
    assert len(pickle.dumps(blocks)) < 1000


def test_where_something_fails_the_old_file_stays(tmp_path):
    path = tmp_path / "corpus"
    write_tokens(path, [[1, 2, 3]])

    def failing():
        yield [4] * 1000
        raise RuntimeError("the tokenizer gave up")

    with pytest.raises(RuntimeError, match="gave up"):
        write_tokens(path, failing())
    with pytest.raises(ArgumentError, match=r"id 70000 at position 3 .*uint16.*uint32"):
        write_tokens(path, [[1, 2], [3, 70_000]])
    assert TokenFile(path, verify=True).tokens.tolist() == [1, 2, 3]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arrays", "dtype", "error", "words"),
    [
        ([[0, -1]], "uint16", ArgumentError, "id -1 at position 1"),
        ([[0.5]], "uint16", DTypeError, "whole numbers, not float32"),
        ([[1]], "int64", ArgumentError, "uint16 or uint32, not int64"),
        (["text"], "uint16", DTypeError, "write_tokens"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, arrays, dtype, error, words):
    with pytest.raises(error, match=words):
        write_tokens(tmp_path / "corpus", arrays, dtype)
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_none_is_told(tmp_path):
    with pytest.raises(DatasetError, match="cannot write"):
        write_tokens(tmp_path / "missing" / "corpus", [[1]])
    with pytest.raises(DatasetError, match="cannot read"):
        TokenFile(tmp_path / "corpus")
    with pytest.raises(DatasetError, match="cannot read"):
        TokenFile(tmp_path)


def contents(**changes):
    """A file whose header has these entries instead, or not at all where they are None."""
    data = np.arange(6, dtype="<u2").tobytes()
    entries = {
        "format": "tt.tokens", "sha256": hashlib.sha256(data).hexdigest(), "largest": "5",
        "dtype": "U16", "shape": [6], "data_offsets": [0, 12], **changes,
    }  # fmt: skip
    entries = {name: value for name, value in entries.items() if value is not None}
    about = {name: entries[name] for name in ("format", "sha256", "largest") if name in entries}
    tensor = {name: entries[name] for name in ("dtype", "shape", "data_offsets") if name in entries}
    header = json.dumps({"__metadata__": about, "tokens": tensor}).encode()
    return len(header).to_bytes(8, "little") + header + data


def test_a_header_of_any_length_will_do(tmp_path):
    (tmp_path / "corpus").write_bytes(contents())
    assert TokenFile(tmp_path / "corpus", verify=True).tokens.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x05", bytes(8), bytes(100), b"\xff" * 100, (3).to_bytes(8, "little") + b"[1]",
        (4).to_bytes(8, "little") + b"\xff{}}", (2).to_bytes(8, "little") + b"{}",
        (60_000).to_bytes(8, "little") + b"[" * 60_000, contents()[:-1], contents() + b"\x00", contents()[:50],
        contents(format="other"), contents(format=None), contents(sha256=None), contents(sha256=5),
        contents(largest="many"), contents(largest=None), contents(largest=float("inf")), contents(dtype="F32"),
        contents(dtype=["U16"]), contents(dtype="U32"), contents(shape=[6.0]), contents(shape=[-6]),
        contents(shape=[2, 3]), contents(shape=[True]), contents(shape="6"), contents(shape=None), contents(shape=6),
        contents(shape=[10**30]), contents(data_offsets=[2, 12]), contents(data_offsets=[0]),
        contents(data_offsets=[0, 10]),
    ],
)  # fmt: skip
def test_a_damaged_file_is_told(tmp_path, data):
    (tmp_path / "corpus").write_bytes(data)
    with pytest.raises(DatasetError, match="corpus"):
        TokenFile(tmp_path / "corpus")


def test_any_mutated_header_is_told_or_means_the_same(tmp_path):
    rng = np.random.default_rng(0)
    whole = write_tokens(tmp_path / "whole", [np.arange(100)]).path.read_bytes()
    path = tmp_path / "corpus"
    told = 0
    for _ in range(300):
        data = bytearray(whole)
        data[rng.integers(0, len(data))] ^= 1 << rng.integers(0, 8)
        path.write_bytes(data)
        try:
            file = TokenFile(path, verify=True)
        except DatasetError:
            told += 1
        else:
            # What is not under the digest: the largest id, and the blanks behind the header.
            assert file.tokens.tolist() == list(range(100))
    assert told > 50
