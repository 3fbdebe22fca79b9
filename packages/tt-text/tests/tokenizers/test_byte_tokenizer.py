"""Bytes as tokens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tt_text.tokenizers import ByteTokenizer


@given(text=st.text())
def test_tokens_are_the_bytes_of_utf8(text):
    tokenizer = ByteTokenizer()
    assert tokenizer.encode(text) == list(text.encode("utf-8"))
    assert tokenizer.decode(list(text.encode("utf-8"))) == text


@given(data=st.binary())
def test_any_bytes_are_decoded_as_python_does(data):
    assert ByteTokenizer().decode(list(data)) == data.decode("utf-8", "replace")
    assert ByteTokenizer().decode_bytes(list(data)) == data
    assert "".join(ByteTokenizer().stream(data)) == data.decode("utf-8", "replace")


def test_special_tokens_come_after_the_bytes():
    tokenizer = ByteTokenizer(special_tokens=["<a>", "<b>"], suffix=["<b>"])
    assert tokenizer.vocab_size == 258
    assert tokenizer.encode("<a>", allowed_special="all") == [256, 257]
    assert tokenizer.id_to_token(32) == "Ġ"
