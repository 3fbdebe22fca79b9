"""llama2.c's tokenizer, against its C code written in plain Python, and against the real file."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_text.errors import TokenizerError
from tt_text.tokenizers import Llama2cTokenizer


def run_c(tokenizer, text):
    """encode() of run.c, BOS and no EOS."""
    vocab, scores = tokenizer.tokens, tokenizer.scores
    tokens = [1]
    if text:
        tokens.append(vocab.index(b" "))
    for character in text:
        data = character.encode()
        tokens += [vocab.index(data)] if data in vocab else [byte + 3 for byte in data]
    while True:
        best, best_id, best_at = -1e10, -1, -1
        for at in range(len(tokens) - 1):
            both = vocab[tokens[at]] + vocab[tokens[at + 1]]
            if both in vocab and scores[vocab.index(both)] > best:
                best_id, best_at = vocab.index(both), at
                best = scores[best_id]
        if best_at == -1:
            return tokens
        tokens[best_at : best_at + 2] = [best_id]


def decoded_c(tokenizer, tokens):
    """What run.c prints of the tokens after BOS."""
    text = b""
    for before, token in pairwise(tokens):
        piece = tokenizer.tokens[token]
        if before == 1 and piece.startswith(b" "):
            piece = piece[1:]
        text += bytes([token - 3]) if 3 <= token < 259 else piece
    return text.decode()


@settings(max_examples=300)
@given(text=st.text(st.sampled_from("low erab é世"), max_size=30))
def test_as_run_c(llama2c, text):
    tokens = llama2c.encode(text)
    assert tokens == run_c(llama2c, text)
    assert llama2c.decode(tokens) == decoded_c(llama2c, tokens) == text


def test_ties_and_hopeless_scores():
    """Of equal scores the leftmost pair; a score of -1e10 or worse is never made."""
    base = [
        b"<unk>",
        b"\n<s>\n",
        b"\n</s>\n",
        *(b"<0x%02X>" % byte for byte in range(256)),
        b" ",
        b"a",
        b"b",
        b"c",
    ]
    made = Llama2cTokenizer([*base, b"ab", b"bc", b"ca"], [0.0] * len(base) + [-1.0, -1.0, -1e10])
    for text in ("abc", "bcab", "caca", "cabca"):
        assert made.encode(text) == run_c(made, text)


def test_the_real_file(data_home, shakespeare, tmp_path):
    path = data_home / "stories260K" / "tok512.bin"
    tokenizer = Llama2cTokenizer.from_file(path, vocab_size=512)
    for text in ("Once upon a time", "", " two  spaces", "Lily's café 世界\n\t😀", shakespeare[:500]):
        tokens = tokenizer.encode(text)
        assert tokens == run_c(tokenizer, text)
        assert tokenizer.decode(tokens) == decoded_c(tokenizer, tokens) == text
    assert tokenizer.encode("Once upon a time") == [1, 403, 407, 261, 378]
    assert (tokenizer.bos_id, tokenizer.eos_id) == (1, 2)
    tokenizer.save(tmp_path / "again.bin")
    assert (tmp_path / "again.bin").read_bytes() == path.read_bytes()
    with pytest.raises(TokenizerError, match="512 tokens, and the model 32000"):
        Llama2cTokenizer.from_file(path, vocab_size=32_000)


def test_the_first_space_after_bos(llama2c):
    low = llama2c.encode("low", add_special_tokens=False)
    assert llama2c.encode("low") == [1, *low]
    assert llama2c.decode(low) == " low"
    assert llama2c.decode([1, *low]) == "low"
    assert llama2c.decode([1, *low, 2]) == "low</s>"
    assert llama2c.decode([1, *low, 2], skip_special_tokens=True) == "low"
    assert "".join(llama2c.stream(low, after=[1])) == "low"
    assert "".join(llama2c.stream(low, after=[1, *low])) == " low"


def entry(token=b"x", score=0.0, length=None):
    return struct.pack("<fi", score, len(token) if length is None else length) + token


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "0 bytes"),
        (b"\0\0\0\0", "would have 0 bytes"),
        (b"\xff\xff\xff\x7f", "would have 2147483647 bytes"),
        (struct.pack("<i", 7), "0 tokens"),
        (struct.pack("<i", 7) + entry(length=2**31 - 1), "token 0 would have 2147483647 bytes"),
        (struct.pack("<i", 7) + entry(length=-1), "token 0 would have -1 bytes"),
        (struct.pack("<i", 7) + entry(length=0), "token 0 would have 0 bytes"),
        (struct.pack("<i", 7) + entry(length=5), "cut off in token 0"),
        (struct.pack("<i", 7) + entry() + b"\0\0", "cut off in token 1"),
        (struct.pack("<i", 7) + entry() * 300, "token 3 is the byte <0x00>"),
    ],
)
def test_files_that_are_none(data, match, tmp_path):
    (tmp_path / "tok.bin").write_bytes(data)
    with pytest.raises(TokenizerError, match=match):
        Llama2cTokenizer.from_file(tmp_path / "tok.bin")


def test_tokens_that_are_none(llama2c):
    tokens, scores = llama2c.tokens, llama2c.scores
    with pytest.raises(TokenizerError, match="score nan"):
        Llama2cTokenizer(tokens, [float("nan"), *scores[1:]])
    with pytest.raises(TokenizerError, match=f"{len(tokens)} tokens and 3 scores"):
        Llama2cTokenizer(tokens, scores[:3])
    with pytest.raises(TokenizerError, match="the space is no token"):
        Llama2cTokenizer(tokens[:259], scores[:259])
