"""Shards and their index: what is read, and what is refused before anything is read."""

import json
import os
import struct

import numpy as np
import pytest

from tt_nn import save
from tt_text.errors import PretrainedError
from tt_text.models.safetensors_folder import SafetensorsFolder, read_header

INDEX = "model.safetensors.index.json"


@pytest.fixture
def shards(tmp_path):
    """Two shards with three tensors, and their index."""
    save(
        {"a": np.arange(6.0, dtype=np.float32).reshape(2, 3), "b": np.ones(2, np.float32)},
        tmp_path / "one.safetensors",
    )
    save({"c": np.zeros((0, 4), np.float16)}, tmp_path / "two.safetensors")
    write(tmp_path, {"a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors"})
    return tmp_path


def write(folder, weight_map):
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")


def raw(path, header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def test_shards_are_one_mapping(shards):
    files = SafetensorsFolder(shards)
    assert {name: (entry.dtype, entry.shape) for name, entry in files.entries.items()} == {
        "a": ("F32", (2, 3)), "b": ("F32", (2,)), "c": ("F16", (0, 4)),
    }  # fmt: skip
    files.rename(lambda name: None if name == "b" else name.upper())
    files.check([("A", (2, 3)), ("C", (0, 4)), ("D", (1,))], optional=["D"])
    found = dict(files.tensors())
    assert list(found) == ["A", "C"]
    np.testing.assert_array_equal(found["A"], [[0, 1, 2], [3, 4, 5]])
    assert found["C"].dtype == np.float32


def test_one_file_goes_before_an_index(shards):
    save({"x": np.ones(1, np.float32)}, shards / "model.safetensors")
    assert list(SafetensorsFolder(shards).entries) == ["x"]


@pytest.mark.parametrize(
    "name",
    ["../one.safetensors", "/etc/one.safetensors", "sub/one.safetensors", "..\\one.safetensors", "C:one.safetensors",
     ".one.safetensors", "one.bin", "..", "", "one.safetensors\n", "one\0.safetensors", "x" * 5000 + ".safetensors", 3,
     None, ["one.safetensors"]],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(shards, name):
    write(shards, {"a": name})
    with pytest.raises(PretrainedError, match="is no name of a shard"):
        SafetensorsFolder(shards)


@pytest.mark.parametrize(
    ("weight_map", "message"),
    [
        ({"a": "three.safetensors"}, "three.safetensors does not exist"),
        (
            {"a": "one.safetensors", "c": "one.safetensors"},
            "'c' shall be in one.safetensors, but is not there",
        ),
        ({"a": "one.safetensors", "b": "two.safetensors"}, "'b' shall be in two.safetensors"),
        ({}, "weight_map must map"),
        (["a"], "weight_map must map"),
        (None, "weight_map must map"),
    ],
)
def test_an_index_that_is_not_true_is_refused(shards, weight_map, message):
    write(shards, weight_map)
    with pytest.raises(PretrainedError, match=message):
        SafetensorsFolder(shards)


def test_a_tensor_in_two_shards_is_refused(shards):
    save({"a": np.ones(1)}, shards / "two.safetensors")
    with pytest.raises(PretrainedError, match=r"'a' is in one\.safetensors and in two\.safetensors"):
        SafetensorsFolder(shards)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 50_000])
def test_a_damaged_index_is_refused(shards, content):
    (shards / INDEX).write_bytes(content)
    with pytest.raises(PretrainedError, match="index of the model's shards"):
        SafetensorsFolder(shards)


def test_an_empty_folder_and_pickles(tmp_path):
    with pytest.raises(PretrainedError, match=r"neither model\.safetensors nor"):
        SafetensorsFolder(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(PretrainedError, match=r"pytorch_model\.bin is a pickle"):
        SafetensorsFolder(tmp_path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"", "header of 0 bytes"),
        (b"{", "header of 1 bytes"),
        (b"[]", "the header is list"),
        (b"{]", "cannot be read"),
        (b"\xff\xff", "cannot be read"),
        (b"[" * 50_000, "cannot be read"),
        ({"a": 3}, "neither shape nor dtype of 'a'"),
        ({"a": {"dtype": "F32", "shape": [1, -2]}}, "neither shape nor dtype of 'a'"),
        ({"a": {"dtype": "F32", "shape": [True]}}, "neither shape nor dtype"),
        ({"a": {"dtype": 4, "shape": []}}, "neither shape nor dtype"),
        ({"a": {"dtype": "F32", "shape": "12"}}, "neither shape nor dtype"),
        ({"n" * 1000: 3}, r"… \(1,002 characters\)"),
    ],
)
def test_damaged_headers_are_refused(tmp_path, header, message):
    with pytest.raises(PretrainedError, match=message):
        read_header(raw(tmp_path / "x.safetensors", header))


def test_a_header_longer_than_the_file_is_not_read(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    with pytest.raises(PretrainedError, match="1,152,921,504,606,846,976 bytes in a file of 10"):
        read_header(path)
    path.write_bytes(b"{}")
    with pytest.raises(PretrainedError, match="truncated"):
        read_header(path)
    with pytest.raises(PretrainedError, match="is a folder"):
        read_header(tmp_path)


def test_a_header_that_lies_about_its_bytes_is_refused_when_it_is_read(tmp_path):
    entry = {"dtype": "F32", "shape": [1000], "data_offsets": [0, 8]}
    raw(tmp_path / "model.safetensors", {"a": entry}, bytes(8))
    files = SafetensorsFolder(tmp_path)
    files.rename(str)
    files.check([("a", (1000,))])
    with pytest.raises(PretrainedError, match=r"model\.safetensors"):
        dict(files.tensors())


def test_the_digest_of_tt_nn_is_checked(shards):
    path = shards / "one.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    files = SafetensorsFolder(shards)
    files.rename(str)
    with pytest.raises(PretrainedError, match="do not match their digest"):
        dict(files.tensors())


def test_a_file_that_changes_meanwhile_is_refused(shards):
    files = SafetensorsFolder(shards)
    files.rename(str)
    save({"a": np.ones(3, np.float32), "b": np.ones(2, np.float32)}, shards / "one.safetensors")
    with pytest.raises(PretrainedError, match="another tensor than a moment ago"):
        dict(files.tensors())


def test_what_is_needed_may_have_no_end(shards):
    files = SafetensorsFolder(shards)
    files.rename(str)

    def endless():
        number = 0
        while True:
            yield f"layer {number}", (1,)
            number += 1

    with pytest.raises(PretrainedError, match="missing: layer 0, layer 1"):
        files.check(endless())


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_are_followed_as_a_hub_cache_has_them(shards, tmp_path):
    (shards / "blob").mkdir()
    os.replace(shards / "one.safetensors", shards / "blob" / "0123")
    (shards / "one.safetensors").symlink_to("blob/0123")
    assert list(SafetensorsFolder(shards).entries) == ["a", "b", "c"]
