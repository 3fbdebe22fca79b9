"""TinyShakespeare: the published bytes, nanoGPT's split, and a damaged file that is told."""

import hashlib
import lzma
import os
from pathlib import Path

import pytest

from tt_tensor.errors import ArgumentError
from tt_text.datasets import DatasetError, TinyShakespeare, tiny_shakespeare

# Of input.txt as published.
PUBLISHED = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


def test_it_is_the_published_text():
    text = TinyShakespeare("all").text
    assert hashlib.sha256(text.encode()).hexdigest() == PUBLISHED
    assert len(text) == 1_115_394 and len(set(text)) == 65


def test_it_is_the_file_of_the_shared_data():
    if "TT_DATA_HOME" not in os.environ:
        pytest.skip("set TT_DATA_HOME to a folder with tinyshakespeare/input.txt")
    path = Path(os.environ["TT_DATA_HOME"]) / "tinyshakespeare" / "input.txt"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    assert path.read_bytes() == TinyShakespeare("all").text.encode()


def test_the_split_is_nanogpts():
    train, val, whole = (TinyShakespeare(split) for split in ("train", "val", "all"))
    assert (len(train), len(val)) == (1_003_854, 111_540)  # as its prepare.py prints
    assert train.text + val.text == whole.text
    assert TinyShakespeare().text == train.text == TinyShakespeare(root="anywhere").text
    assert repr(val) == "TinyShakespeare('val': 111,540 characters)"


@pytest.mark.parametrize("split", ["test", None, 0])
def test_another_split_is_refused(split):
    with pytest.raises(ArgumentError, match="'train', 'val', 'all'"):
        TinyShakespeare(split)


def test_it_is_small_and_its_licence_is_beside_it():
    folder = tiny_shakespeare.resources.files("tt_text.datasets")
    assert len((folder / tiny_shakespeare.FILE).read_bytes()) < 450_000
    licence = (folder / "TINY-SHAKESPEARE-LICENSE").read_text(encoding="utf-8")
    for word in ("public domain", "MIT", "karpathy/char-rnn", PUBLISHED, "What was changed"):
        assert word in licence


@pytest.mark.parametrize("damage", ["one bit", "cut short", "another file", "missing"])
def test_a_damaged_file_is_named_with_both_digests(damage, tmp_path, monkeypatch):
    data = bytearray(
        (tiny_shakespeare.resources.files("tt_text.datasets") / tiny_shakespeare.FILE).read_bytes()
    )
    if damage == "one bit":
        data[1000] ^= 1
    elif damage == "cut short":
        del data[-10:]
    elif damage == "another file":
        data = bytearray(lzma.compress(b"To be, or not to be"))
    if damage != "missing":
        (tmp_path / tiny_shakespeare.FILE).write_bytes(data)
    monkeypatch.setattr(tiny_shakespeare.resources, "files", lambda package: tmp_path)
    with pytest.raises(DatasetError, match="reinstall tt-text") as caught:
        TinyShakespeare()
    if damage != "missing":
        assert tiny_shakespeare.SHA256 in str(caught.value)
        assert hashlib.sha256(data).hexdigest() in str(caught.value)
