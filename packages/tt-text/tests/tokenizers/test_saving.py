"""Tokenizers in files of their own, and JSON files in general: whole or not there, refused where damaged."""

from __future__ import annotations

import json

import pytest

from tt_text.errors import TokenizerError
from tt_text.tokenizers import ByteTokenizer, CharTokenizer, Tokenizer, load_tokenizer
from tt_text.tokenizers.json_files import digest, parse_json, read_bytes, write_bytes


def test_saved_and_loaded_it_is_the_same(tokenizer, tmp_path, alphabet):
    path = tmp_path / "tokenizer.file"
    tokenizer.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.file"]
    for again in (type(tokenizer).from_file(path), load_tokenizer(path)):
        assert type(again) is type(tokenizer)
        assert again.get_vocab() == tokenizer.get_vocab()
        assert again.special_tokens == tokenizer.special_tokens
        for role in ("bos_id", "eos_id", "pad_id", "unk_id", "prefix_ids", "suffix_ids"):
            assert getattr(again, role) == getattr(tokenizer, role)
        assert again.encode(alphabet) == tokenizer.encode(alphabet)


def test_any_kind_or_one(tmp_path):
    CharTokenizer("ab").save(tmp_path / "a.json")
    assert isinstance(Tokenizer.from_file(tmp_path / "a.json"), CharTokenizer)
    with pytest.raises(TokenizerError, match="holds a CharTokenizer, not a ByteTokenizer"):
        ByteTokenizer.from_file(tmp_path / "a.json")


def resealed(document):
    document.pop("sha256", None)
    document["sha256"] = digest(document)
    return document


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"format": "other"}, "no file that Tokenizer.save wrote"),
        ({"version": 2}, "version 2"),
        ({"kind": "word"}, "kind is 'word'"),
        ({"kind": []}, "kind is"),
        ({"state": 3}, "state and roles"),
        ({"state": {}}, "alphabet is a string"),
        ({"state": {"alphabet": "aa"}}, "twice"),
        ({"roles": None}, "state and roles"),
        ({"roles": {"other": 1}}, "unknown roles"),
        ({"roles": {"bos_token": "<x>"}}, "bos_token"),
        ({"roles": {"prefix": [3]}}, "prefix"),
        ({"added": {}}, "added tokens are a list"),
        ({"added": [{"content": "<s>"}]}, "id of '<s>'"),
        ({"added": [{"content": "<s>", "id": 9, "special": 1}]}, "true or false"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(changes, match, tmp_path):
    path = tmp_path / "a.json"
    CharTokenizer("ab").save(path)
    document = json.loads(path.read_text())
    document.update(changes)
    path.write_text(json.dumps(resealed(document)))
    with pytest.raises(TokenizerError, match=match):
        Tokenizer.from_file(path)


def test_an_edit_is_noticed(tmp_path):
    path = tmp_path / "a.json"
    CharTokenizer("ab").save(path)
    path.write_text(path.read_text().replace('"ab"', '"ac"'))
    with pytest.raises(TokenizerError, match="do not match their digest"):
        Tokenizer.from_file(path)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[1]", "holds a JSON object, not list"),
        (b'{"a": 1, "a": 2}', "'a' comes twice"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deep|nested deeper"),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "nested deeper than 32"),
        (b'{"a":' + b"9" * 10_000 + b"}", "no JSON"),
    ],
)
def test_json_that_is_none(data, match):
    with pytest.raises(TokenizerError, match=match):
        parse_json(data, "file")


def test_files_that_are_not_there(tmp_path):
    for path, match in ((tmp_path, "is a folder"), (tmp_path / "none", "does not exist")):
        with pytest.raises(TokenizerError, match=match):
            read_bytes(path)
    (tmp_path / "large").write_bytes(bytes(11))
    with pytest.raises(TokenizerError, match="more than 10 bytes"):
        read_bytes(tmp_path / "large", 10)
    with pytest.raises(FileNotFoundError, match="make it first"):
        CharTokenizer("a").save(tmp_path / "no folder" / "a.json")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    write_bytes(path, b"old")

    def full(descriptor):
        raise OSError(28, "no space")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_kind_of_ones_own_is_not_saved_under_another_name(tmp_path):
    class Mine(ByteTokenizer):
        pass

    with pytest.raises(TokenizerError, match="Mine is none of the kinds"):
        Mine().save(tmp_path / "a.json")
