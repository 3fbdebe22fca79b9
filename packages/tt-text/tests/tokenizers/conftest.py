"""Goldens, real files where they are, and one tokenizer of each kind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tt_text.tokenizers import BPETokenizer, ByteTokenizer, CharTokenizer, Llama2cTokenizer
from tt_text.tokenizers.tokenizer_json import from_document

HERE = Path(__file__).parent
ALPHABET = "abcdefghijklmnopqrstuvwxyz ABC.,'\né世😀<>/"


@pytest.fixture(scope="session")
def goldens():
    return json.loads((HERE / "goldens.json").read_text("ascii"))


@pytest.fixture(scope="session")
def data_home():
    if not os.environ.get("TT_DATA_HOME"):
        pytest.skip(
            "TT_DATA_HOME does not name the folder with GPT-2's files, tiny Shakespeare and stories260K"
        )
    return Path(os.environ["TT_DATA_HOME"])


@pytest.fixture(scope="session")
def gpt2(data_home):
    return BPETokenizer.from_gpt2(data_home / "gpt2-bpe")


@pytest.fixture(scope="session")
def shakespeare(data_home):
    return (data_home / "tinyshakespeare" / "input.txt").read_text("utf-8")


@pytest.fixture(scope="session")
def llama2c():
    """A small vocabulary of llama2.c's layout."""
    learned = [
        b" ",
        b"l",
        b"o",
        b"w",
        b"e",
        b"r",
        b"a",
        b"b",
        b"lo",
        b"low",
        b" low",
        b"er",
        b"lower",
        b"aa",
        b"ab",
        b"\xc3\xa9",
    ]
    scores = [0.0] * 8 + [-1.0, -3.0, -4.0, -2.0, -5.0, -6.0, -6.0, 0.0]
    tokens = [b"<unk>", b"\n<s>\n", b"\n</s>\n", *(b"<0x%02X>" % byte for byte in range(256)), *learned]
    return Llama2cTokenizer(tokens, [0.0] * 259 + scores)


@pytest.fixture(scope="session")
def tokenizers(goldens, llama2c):
    """One of each kind, all with special tokens."""
    special = ["<pad>", "<s>", "</s>"]
    roles = {
        "pad_token": "<pad>",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "prefix": ["<s>"],
        "suffix": ["</s>"],
    }
    return {
        "char": CharTokenizer(ALPHABET, special_tokens=special, **roles),
        "char with unknown": CharTokenizer(ALPHABET, special_tokens=special, unk_token="<?>", **roles),
        "byte": ByteTokenizer(special_tokens=special, **roles),
        "bpe": BPETokenizer.train(goldens["corpus"], 340, special_tokens=special, **roles),
        "metaspace": from_document(goldens["files"]["llama"]["document"], "llama"),
        "llama2c": llama2c,
    }


KINDS = ("char", "char with unknown", "byte", "bpe", "metaspace", "llama2c")


@pytest.fixture(params=KINDS)
def tokenizer(request, tokenizers):
    return tokenizers[request.param]


@pytest.fixture(scope="session")
def alphabet():
    """Characters that all of them know."""
    return ALPHABET
