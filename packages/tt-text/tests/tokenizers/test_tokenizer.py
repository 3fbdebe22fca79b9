"""Laws of every tokenizer: texts come back, special tokens are found only where allowed, bad input is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_tensor import Tensor
from tt_text.errors import TokenizerError
from tt_text.tokenizers import BPETokenizer, ByteTokenizer
from tt_text.tokenizers.arguments import TokenizerTypeError

EVERY = ("byte", "bpe", "metaspace", "llama2c")  # these know every character


@settings(max_examples=200)
@given(text=st.text())
@pytest.mark.parametrize("kind", EVERY)
def test_any_text_comes_back(kind, text, tokenizers):
    tokenizer = tokenizers[kind]
    if kind == "metaspace":  # its space
        text = text.replace("▁", "_")
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens, skip_special_tokens=True) == text
    assert all(type(token) is int and 0 <= token < tokenizer.vocab_size for token in tokens)
    assert "".join(tokenizer.stream(tokens)) == text


@given(data=st.data())
def test_text_of_the_alphabet_comes_back(data, tokenizers, alphabet):
    text = data.draw(st.text(st.sampled_from(alphabet)))
    for tokenizer in tokenizers.values():
        assert tokenizer.decode(tokenizer(text), skip_special_tokens=True) == text


@pytest.mark.parametrize("special", ["<s>", "</s>"])
def test_the_text_of_a_special_token_is_ordinary_unless_allowed(tokenizer, special):
    text = f"a{special}b"
    number = tokenizer.token_to_id(special)
    bare = tokenizer.encode(text, add_special_tokens=False)
    assert number not in bare
    allowed = tokenizer.encode(text, add_special_tokens=False, allowed_special={special})
    assert allowed.count(number) == 1
    assert tokenizer.encode(text, add_special_tokens=False, allowed_special="all") == allowed
    assert (
        tokenizer.encode(text, add_special_tokens=False, allowed_special=set(), disallowed_special=()) == bare
    )
    with pytest.raises(TokenizerError, match=rf"{special}.* at index 1"):
        tokenizer.encode(text, disallowed_special="all")
    with pytest.raises(TokenizerError, match=special):
        tokenizer.encode(text, disallowed_special=[special])
    # Allowed goes before disallowed, as in tiktoken.
    assert (
        tokenizer.encode(text, add_special_tokens=False, allowed_special={special}, disallowed_special="all")
        == allowed
    )


def test_allowed_tokens_have_to_be_special(tokenizer):
    with pytest.raises(TokenizerError, match="no special token here"):
        tokenizer.encode("a", allowed_special={"<nothing>"})
    with pytest.raises(TokenizerError, match='"all" or a collection'):
        tokenizer.encode("a", allowed_special="<s>")
    with pytest.raises(TypeError, match="disallowed_special"):
        tokenizer.encode("a", disallowed_special=3)


def test_prefix_and_suffix_stand_around_a_text(tokenizers):
    tokenizer = tokenizers["bpe"]
    inner = tokenizer.encode("low", add_special_tokens=False)
    assert tokenizer.encode("low") == [tokenizer.bos_id, *inner, tokenizer.eos_id]
    assert tokenizer.decode(tokenizer.encode("low")) == "<s>low</s>"
    assert tokenizer.decode(tokenizer.encode("low"), skip_special_tokens=True) == "low"


@pytest.mark.parametrize("text", ["\ud800", "ab\udfffc", "\ud83d \ude00"])
def test_a_lone_surrogate_is_refused(tokenizer, text):
    with pytest.raises(TokenizerError, match=r"lone surrogate, U\+D[89A-F]"):
        tokenizer.encode(text)
    with pytest.raises(TokenizerError, match="surrogate") as caught:
        tokenizer.encode_batch(["a", text])
    assert "this is text 1" in caught.value.__notes__[0]


@pytest.mark.parametrize("text", [None, 3, b"bytes", ["a"]])
def test_what_is_no_text_is_refused(tokenizer, text):
    with pytest.raises(TypeError, match="expected a str"):
        tokenizer.encode(text)
    with pytest.raises(TokenizerError):
        tokenizer.encode(text)


@pytest.mark.parametrize(
    "tokens", ["a", b"a", None, 1.5, [1.5], ["a"], [None], [True], np.array([1.0]), np.zeros((2, 2), int)]
)
def test_what_is_no_token_is_refused(tokenizer, tokens):
    with pytest.raises(TypeError, match="id"):
        tokenizer.decode(tokens)


@pytest.mark.parametrize("token", [-1, 10_000, 2**70])
def test_an_id_that_is_none_is_named(tokenizer, token):
    for call in (
        lambda: tokenizer.decode([0, token]),
        lambda: tokenizer.id_to_token(token),
        lambda: tokenizer.token_bytes(token),
    ):
        with pytest.raises(
            TokenizerError, match=rf"{token} is the id of no token; .* to {tokenizer.vocab_size - 1}"
        ):
            call()


def test_tokens_may_be_of_any_kind_of_sequence(tokenizers):
    tokenizer = tokenizers["byte"]
    ids = [104, 105]
    arrays = [np.array(ids), np.array(ids, np.uint8), Tensor(np.array(ids))]
    for tokens in (ids, tuple(ids), iter(ids), [np.int32(104), np.int64(105)], *arrays):
        assert tokenizer.decode(tokens) == "hi"
    assert tokenizer.decode(104) == tokenizer.decode(np.int64(104)) == "h"
    assert tokenizer.decode([]) == tokenizer.decode(np.array([])) == ""


def test_names_and_ids_are_each_others_inverse(tokenizer):
    vocab = tokenizer.get_vocab()
    for name, number in vocab.items():
        assert tokenizer.token_to_id(name) == number
    for number in range(tokenizer.vocab_size):
        assert isinstance(tokenizer.id_to_token(number), str)
        assert tokenizer.token_bytes(number)
    assert len(tokenizer) == tokenizer.vocab_size
    with pytest.raises(TokenizerError, match="is none of the"):
        tokenizer.token_to_id("no such token")


@pytest.mark.parametrize(("errors", "text"), [("replace", "a\ufffdb"), ("ignore", "ab")])
def test_bytes_that_are_no_utf8(errors, text):
    tokenizer = ByteTokenizer()
    assert tokenizer.decode([97, 0xE9, 98], errors=errors) == text
    with pytest.raises(TokenizerError, match="no UTF-8 at byte 1"):
        tokenizer.decode([97, 0xE9, 98], errors="strict")
    with pytest.raises(TokenizerError, match="surrogateescape"):
        tokenizer.decode([97], errors="surrogateescape")


def test_a_stream_gives_whole_characters():
    tokenizer = ByteTokenizer()
    assert list(tokenizer.stream("aé😀".encode())) == ["a", "é", "😀"]
    assert list(tokenizer.stream([97, 0xC3])) == ["a", "\ufffd"]


@pytest.mark.parametrize("tokens", [None, 97, "a"])
def test_a_stream_of_no_tokens_is_refused(tokens):
    with pytest.raises(TokenizerTypeError, match="stream: expected token ids"):
        list(ByteTokenizer().stream(tokens))


@pytest.mark.parametrize("kind", EVERY)
def test_a_stream_after_other_tokens_goes_on_with_their_text(kind, tokenizers):
    tokenizer = tokenizers[kind]
    tokens = [token for token in tokenizer.encode("low lower") if token not in tokenizer.suffix_ids]
    start = len(tokenizer.prefix_ids)
    for cut in range(start, len(tokens) + 1):
        before = tokenizer.decode(tokens[:cut], skip_special_tokens=True)
        assert before + "".join(tokenizer.stream(tokens[cut:], after=tokens[:cut])) == "low lower"


def test_roles_are_special_tokens():
    tokenizer = ByteTokenizer(special_tokens=["<e>"])
    assert tokenizer.eos_id is None
    tokenizer.eos_token = tokenizer.pad_token = "<e>"
    assert tokenizer.eos_id == tokenizer.pad_id == 256
    tokenizer.pad_token = None
    assert tokenizer.pad_id is None
    with pytest.raises(TokenizerError, match=r"pad_token: 'a' is no special token.*<e>"):
        tokenizer.pad_token = "a"
    with pytest.raises(TokenizerError, match="prefix: '<b>'"):
        ByteTokenizer(prefix=["<b>"])
    with pytest.raises(TokenizerError, match="prefix is a sequence"):
        ByteTokenizer(special_tokens=["<b>"], prefix="<b>")


def test_special_tokens_that_contradict_each_other_are_refused():
    with pytest.raises(TokenizerError, match="same text or id"):
        ByteTokenizer(special_tokens=["<a>", "<a>"])
    with pytest.raises(TokenizerError, match="empty text"):
        ByteTokenizer(special_tokens=[""])
    with pytest.raises(TokenizerError, match="0 to 255 are the bytes"):
        ByteTokenizer(special_tokens={"<a>": 5})
    with pytest.raises(TokenizerError, match="id of '<a>'"):
        ByteTokenizer(special_tokens={"<a>": 2**40})
    with pytest.raises(TokenizerError, match="list of texts"):
        ByteTokenizer(special_tokens="<a>")


def test_tokenizers_of_bytes_agree_where_nothing_was_learned():
    untrained = BPETokenizer.train("", 256)
    assert untrained.vocab_size == 256
    text = "naïve 世界\n"
    assert untrained.decode_bytes(untrained(text)) == bytes(ByteTokenizer()(text)) == text.encode()
