"""Byte-level BPE: GPT-2's tokens, words, patterns, and what contradicts itself."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_text.errors import TokenizerError
from tt_text.tokenizers import BPETokenizer
from tt_text.tokenizers.byte_alphabet import ALPHABET, bytes_of, written
from tt_text.tokenizers.merging import by_definition
from tt_text.tokenizers.split_patterns import GPT2, Words
from tt_text.tokenizers.word_cache import LENGTH, WordCache

VOCAB = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256, b"abc": 257}
MERGES = [(b"a", b"b"), (b"ab", b"c")]


def test_gpt2_gives_tiktokens_tokens(gpt2, goldens):
    for text, tokens in goldens["gpt2"]:
        assert gpt2.encode(text) == tokens, text
        assert gpt2.decode(tokens) == text
    assert gpt2.encode("a<|endoftext|>", allowed_special="all") == [64, 50256]
    assert gpt2.vocab_size == 50257
    assert gpt2.bos_id == gpt2.eos_id == 50256


def test_gpt2_on_tiny_shakespeare(gpt2, shakespeare):
    tokens = gpt2.encode(shakespeare)
    assert len(tokens) == 338_025  # nanoGPT's prepare.py: 301,966 for training, 36,059 for validation
    assert gpt2.decode(tokens) == shakespeare


def test_every_token_of_gpt2_is_its_own_word(gpt2):
    """So tiktoken may take a word that is a token for that token."""
    for data, number in list(gpt2.vocab.items())[::97]:
        assert gpt2._merges.apply([gpt2._byte_ids[byte] for byte in data]) == [number]


@given(text=st.text(st.sampled_from("abc de\n"), max_size=200))
def test_the_words_of_a_text_are_merged_by_the_definition(text):
    tokenizer = BPETokenizer(VOCAB, MERGES)
    table = tokenizer._merges
    expected = []
    for word in Words(GPT2, "").cut(text):
        expected += by_definition(list(word.encode()), table.ranks, table.merged)
    for _ in range(2):  # the second time from the cache
        assert tokenizer.encode(text) == expected


def test_the_alphabet_is_gpt2s():
    assert len(set(ALPHABET)) == 256
    assert written(b" \n\0\x7f\xadA") == "ĠĊĀġŃA"
    assert all(bytes_of(written(bytes([byte]))) == bytes([byte]) for byte in range(256))
    assert bytes_of("世") is None


@given(text=st.text())
def test_words_joined_are_the_text(text):
    for patterns in (None, GPT2, r"\d", r"(a)|b", [r"\p{N}", GPT2], r"x*", []):
        words = Words(patterns, "").cut(text)
        assert "".join(words) == text
        assert all(words)


@pytest.mark.parametrize("pattern", ["(", "[z-a]", r"\p{Nothing}", "", "a{2,1}", "a" * 10_001, 3, [None]])
def test_what_is_no_pattern(pattern):
    with pytest.raises(TokenizerError, match="pattern"):
        BPETokenizer(VOCAB, MERGES, pattern=pattern)


def test_a_pattern_of_ones_own():
    assert BPETokenizer(VOCAB, MERGES, pattern=None).encode("abcab") == [257, 256]
    assert BPETokenizer(VOCAB, MERGES, pattern="b|c").encode("abcab") == [97, 98, 99, 97, 98]
    assert BPETokenizer(VOCAB, MERGES, pattern=["b(?=c)", "x"]).encode("abcab") == [97, 98, 99, 256]


def test_a_space_before_the_text():
    tokenizer = BPETokenizer(VOCAB, MERGES, add_prefix_space=True)
    assert tokenizer.encode("ab") == tokenizer.encode(" ab") == [32, 256]
    assert tokenizer.encode("") == []


def test_normalization():
    tokenizer = BPETokenizer(VOCAB, MERGES, normalization="NFC")
    assert tokenizer.decode(tokenizer.encode("e\u0301")) == "\u00e9"
    with pytest.raises(TokenizerError, match="NFX"):
        BPETokenizer(VOCAB, MERGES, normalization="NFX")


def test_a_word_that_no_merges_make():
    vocab = VOCAB | {b"hello": 258}
    assert BPETokenizer(vocab, MERGES).encode("hello") == list(b"hello")
    assert BPETokenizer(vocab, MERGES, ignore_merges=True).encode("hello") == [258]


def test_a_vocabulary_without_all_bytes():
    few = {b"a": 0, b"b": 1}
    assert BPETokenizer(few, []).encode("ab") == [0, 1]
    with pytest.raises(TokenizerError, match="byte 0x63 of 'abc' is no token"):
        BPETokenizer(few, []).encode("abc")
    tokenizer = BPETokenizer(few, [], special_tokens=["<unk>"], unk_token="<unk>")
    assert tokenizer.encode("abc") == [0, 1, 2]


@pytest.mark.parametrize(
    ("vocab", "merges", "match"),
    [
        ({b"a": 0, b"b": 0}, [], "same id, 0"),
        ({b"": 0}, [], "one or more bytes"),
        ({"a": 0}, [], "one or more bytes"),
        ({b"a": -1}, [], "int from 0"),
        ({b"a": True}, [], "int from 0"),
        ({b"a": 2**31}, [], "int from 0"),
        ({b"a": 0, b"b": 1}, [(b"a", b"b")], "what they become have to be tokens"),
        (VOCAB, [*MERGES, MERGES[0]], "merges 0 and 2 are the same"),
        ([], [], "maps bytes to ids"),
    ],
)
def test_what_contradicts_itself(vocab, merges, match):
    with pytest.raises(TokenizerError, match=match):
        BPETokenizer(vocab, merges)


def test_a_special_token_has_an_id_of_its_own():
    with pytest.raises(TokenizerError, match="id 97 is both the special token '<s>' and 'a'"):
        BPETokenizer(VOCAB, MERGES, special_tokens={"<s>": 97})


def test_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr("tt_text.tokenizers.word_cache.WORDS", 10)
    tokenizer = BPETokenizer(VOCAB, MERGES)
    for number in range(100):
        assert tokenizer.encode(f"w{number}") == list(f"w{number}".encode())
        assert len(tokenizer._cache.found) <= 10
    tokenizer.encode("x" * (LENGTH + 1))
    assert max(map(len, tokenizer._cache.found)) <= LENGTH


def test_what_is_given_out_can_be_changed():
    tokenizer = BPETokenizer(VOCAB, MERGES)
    tokenizer.encode("ab").clear()
    tokenizer.merges.clear()
    tokenizer.vocab.clear()
    tokenizer.get_vocab().clear()
    assert tokenizer.encode("ab") == [256]


def test_copies_for_other_processes(gpt2):
    for copied in (pickle.loads(pickle.dumps(gpt2)), copy.deepcopy(gpt2)):
        assert copied.encode("Hello, world") == gpt2.encode("Hello, world") == [15496, 11, 995]
    assert isinstance(pickle.loads(pickle.dumps(WordCache())), WordCache)


def test_threads_share_a_tokenizer(monkeypatch):
    monkeypatch.setattr("tt_text.tokenizers.word_cache.WORDS", 3)
    tokenizer, wrong = BPETokenizer(VOCAB, MERGES), []
    texts = [f"abc ab {number}" for number in range(20)]
    expected = [BPETokenizer(VOCAB, MERGES).encode(text) for text in texts]

    def work():
        for _ in range(50):
            if [tokenizer.encode(text) for text in texts] != expected:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
