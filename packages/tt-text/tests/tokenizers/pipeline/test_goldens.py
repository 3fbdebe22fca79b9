"""Each kind of part of a tokenizer.json gives the `tokenizers` library's tokens and text (see make_goldens.py)."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from tt_text.errors import TokenizerError
from tt_text.tokenizers import PipelineTokenizer, load_tokenizer
from tt_text.tokenizers.tokenizer_json import from_document

GOLDENS = json.loads((Path(__file__).parent / "goldens.json").read_text("ascii"))
KINDS = sorted(GOLDENS["kinds"])
QUICK = {"bloom", "llama", "llama, normalized", "phi", "gemma", "never"}


def document(name):
    kind = GOLDENS["kinds"][name]
    return kind["document"] | {"model": GOLDENS["models"][kind["model"]] | kind["settings"]}


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("name", KINDS)
def test_the_librarys_tokens_and_text(name, quick):
    golden = GOLDENS["kinds"][name]
    tokenizer = from_document(document(name), name, quick)
    assert isinstance(tokenizer, PipelineTokenizer) == (not quick or name not in QUICK)
    for text, tokens in zip(GOLDENS["texts"], golden["tokens"], strict=True):
        assert tokenizer.encode(text, allowed_special="all") == tokens, text
    for tokens, text in golden["decoded"]:
        assert tokenizer.decode(tokens) == text, [tokenizer.id_to_token(token) for token in tokens]


@pytest.mark.parametrize("name", KINDS)
def test_a_stream_is_the_text(name):
    tokenizer = from_document(document(name), name)
    for tokens, text in GOLDENS["kinds"][name]["decoded"]:
        if "\ufffd" in text:
            continue
        assert "".join(tokenizer.stream(tokens, skip_special_tokens=False)) == text
        assert tokenizer.decode_bytes(tokens) == text.encode()
        for cut in range(len(tokens)):
            rest = "".join(tokenizer.stream(tokens[cut:], after=tokens[:cut], skip_special_tokens=False))
            if "\ufffd" not in rest:
                assert text.endswith(rest)


@pytest.mark.parametrize("name", KINDS)
def test_saved_loaded_and_sent_elsewhere_it_is_the_same(name, tmp_path):
    golden = GOLDENS["kinds"][name]
    tokenizer = from_document(document(name), name)
    tokenizer.save(tmp_path / "own.json")
    tokenizer.save_tokenizer_json(tmp_path / "tokenizer.json")
    for again in (
        load_tokenizer(tmp_path / "own.json"),
        load_tokenizer(tmp_path / "tokenizer.json"),
        pickle.loads(pickle.dumps(tokenizer)),
    ):
        assert again.get_vocab() == tokenizer.get_vocab()
        for text, tokens in zip(GOLDENS["texts"], golden["tokens"], strict=True):
            assert again.encode(text, allowed_special="all") == tokens
        for tokens, text in golden["decoded"]:
            assert again.decode(tokens) == text


def test_special_tokens_are_left_out_whatever_their_flags():
    """The library's version leaves them where `normalized` changes their text, against what was asked."""
    told = document("llama, normalized")
    told["added_tokens"] = [token | {"normalized": True} for token in told["added_tokens"]]
    for quick in (True, False):
        tokenizer = from_document(told, "", quick)
        tokens = tokenizer.encode("a <s>", allowed_special="all")
        assert tokens[-1] == 1
        assert tokenizer.decode(tokens) == "a <s>"
        assert tokenizer.decode(tokens, skip_special_tokens=True) == "a"


def test_bytes_of_tokens():
    tokenizer = from_document(document("first"), "", quick=False)
    for name, data in (("<0xE2>", b"\xe2"), ("▁", b" "), ("a", b"a")):
        assert tokenizer.token_bytes(tokenizer.token_to_id(name)) == data
    assert tokenizer.decode([tokenizer.token_to_id("<0xE2>")] * 2) == "\ufffd\ufffd"


def test_an_unknown_token_that_is_none():
    told = document("words")
    del told["model"]["vocab"]["<unk>"]
    told["added_tokens"] = []
    with pytest.raises(
        TokenizerError, match="'nothing' is no token, and the unknown token '<unk>' is not in"
    ):
        from_document(told, "").encode("nothing")
