"""Folders of models: which files are read, and what a configuration adds."""

from __future__ import annotations

import json

import pytest

from tt_text.errors import TokenizerError
from tt_text.tokenizers import (
    BPETokenizer,
    CharTokenizer,
    Llama2cTokenizer,
    MetaspaceBPETokenizer,
    load_tokenizer,
)
from tt_text.tokenizers.byte_alphabet import ALPHABET

VOCAB = {**{character: byte for byte, character in enumerate(ALPHABET)}, "ab": 256, "<|endoftext|>": 257}


def write_two(folder, names=("vocab.json", "merges.txt"), vocab=VOCAB, merges="#version: 0.2\na b\n"):
    (folder / names[0]).write_text(json.dumps(vocab))
    (folder / names[1]).write_text(merges)


@pytest.mark.parametrize("names", [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")])
def test_gpt2s_files_by_both_names(names, tmp_path):
    write_two(tmp_path, names)
    paths = [tmp_path / name for name in names]
    for tokenizer in (
        load_tokenizer(tmp_path),
        BPETokenizer.from_gpt2(tmp_path),
        BPETokenizer.from_gpt2(*paths),
    ):
        assert tokenizer.encode("abc") == [256, 99]
        assert tokenizer.special_tokens == {"<|endoftext|>": 257}
        assert tokenizer.eos_id == 257


def test_lines_of_merges(tmp_path):
    for merges in ("a b", "a b\r\n\r\n", "\na b\n\n"):
        write_two(tmp_path, merges=merges)
        assert load_tokenizer(tmp_path).merges == [(b"a", b"b")]
    for merges, match in (
        ("a b c", "merge 0"),
        ("a", "merge 0"),
        ("a b\nb a", "merge 1"),
        ("a b\na b", "the same"),
    ):
        write_two(tmp_path, merges=merges)
        with pytest.raises(TokenizerError, match=match):
            load_tokenizer(tmp_path)
    (tmp_path / "merges.txt").write_bytes(b"\xff \xff")
    with pytest.raises(TokenizerError, match="no UTF-8"):
        load_tokenizer(tmp_path)


def test_a_vocabulary_without_the_special_token(tmp_path):
    write_two(tmp_path, vocab={key: value for key, value in VOCAB.items() if value < 257})
    assert load_tokenizer(tmp_path).special_tokens == {}
    write_two(tmp_path, vocab={**VOCAB, "<|endoftext|>": "257"})
    with pytest.raises(TokenizerError, match=r"the id of '<\|endoftext\|>'"):
        load_tokenizer(tmp_path)


def test_tokenizer_json_goes_first(tmp_path, goldens, llama2c):
    llama2c.save(tmp_path / "tokenizer.bin")
    assert isinstance(load_tokenizer(tmp_path), Llama2cTokenizer)
    write_two(tmp_path)
    assert isinstance(load_tokenizer(tmp_path), BPETokenizer)
    (tmp_path / "tokenizer.json").write_text(json.dumps(goldens["files"]["llama"]["document"]))
    assert isinstance(load_tokenizer(tmp_path), MetaspaceBPETokenizer)
    CharTokenizer("ab").save(tmp_path / "tokenizer.json")
    assert isinstance(load_tokenizer(tmp_path), CharTokenizer)


def test_a_configuration_gives_roles(tmp_path, goldens):
    (tmp_path / "tokenizer.json").write_text(json.dumps(goldens["files"]["llama"]["document"]))
    config = {
        "bos_token": {"content": "<s>", "lstrip": False},
        "eos_token": "</s>",
        "pad_token": None,
        "unk_token": "<none>",
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = load_tokenizer(tmp_path)
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == ("<s>", "</s>", None)
    (tmp_path / "tokenizer_config.json").write_text('{"bos_token": 3}')
    with pytest.raises(TokenizerError, match="bos_token is a string"):
        load_tokenizer(tmp_path)


def test_two_files_and_a_configuration(tmp_path):
    # As OPT's: GPT-2's pattern, and special tokens of its own.
    write_two(tmp_path, vocab={**VOCAB, "</s>": 258, "<pad>": 259})
    config = {
        "tokenizer_class": "GPT2Tokenizer",
        "bos_token": {"content": "</s>"},
        "pad_token": "<pad>",
        "unk_token": "<none>",
        "add_bos_token": True,
        "add_prefix_space": True,
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.encode("ab") == [258, 32, 256]
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id, tokenizer.unk_id) == (258, 257, 259, None)
    assert tokenizer.special_tokens == {"<|endoftext|>": 257, "</s>": 258, "<pad>": 259}
    (tmp_path / "tokenizer_config.json").write_text('{"add_eos_token": true}')
    assert load_tokenizer(tmp_path).encode("ab") == [256, 257]
    (tmp_path / "tokenizer_config.json").write_text('{"bos_token": "<s>", "add_bos_token": true}')
    with pytest.raises(TokenizerError, match="'<s>' around every text, and it is not in the vocabulary"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "Qwen2Tokenizer"}')
    with pytest.raises(TokenizerError, match="how a Qwen2Tokenizer cuts text"):
        load_tokenizer(tmp_path)
    BPETokenizer.from_gpt2(tmp_path).save_tokenizer_json(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_text('{"bos_token": "<|endoftext|>", "add_bos_token": true}')
    assert load_tokenizer(tmp_path).encode("ab") == [256]  # as in the library


def test_nothing_there(tmp_path):
    with pytest.raises(TokenizerError, match=r"neither tokenizer\.json, nor vocab\.json"):
        load_tokenizer(tmp_path)
    with pytest.raises(TokenizerError, match="does not exist"):
        load_tokenizer(tmp_path / "none")
    with pytest.raises(TokenizerError, match="no folder that has"):
        BPETokenizer.from_gpt2(tmp_path)
