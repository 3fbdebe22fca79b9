"""Learning merges: against the loop that defines it, and against the `tokenizers` library."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_text.errors import TokenizerError
from tt_text.tokenizers import BPETokenizer
from tt_text.tokenizers.arguments import TokenizerTypeError
from tt_text.tokenizers.bpe_training import by_definition, learn
from tt_text.tokenizers.byte_alphabet import written

BYTES = [bytes([byte]) for byte in range(256)]
WORDS = st.dictionaries(
    st.binary(min_size=1, max_size=8).map(lambda data: bytes(b % 3 for b in data)),
    st.integers(1, 5),
    max_size=12,
)


@settings(max_examples=200)
@given(words=WORDS, count=st.integers(0, 12), least=st.integers(0, 4))
def test_by_the_definition(words, count, least):
    tokens = list(BYTES)
    merges = learn(words, tokens, 256 + count, least)
    pieces = [tokens[left] + tokens[right] for left, right in merges]
    if len(set(pieces)) < len(pieces):
        return  # two pairs spelled one token, which the definition gives two ids
    expected = by_definition(
        Counter({tuple(word): times for word, times in words.items()}), count, 256, least
    )
    assert merges == expected
    assert tokens[256:] == pieces


def test_two_pairs_that_spell_one_token_share_it():
    """ab+c and a+bc: the token abc once, both merges."""
    words = {b"abc": 5, b"xab": 20, b"yab": 20, b"bcz": 9, b"qbc": 9}
    tokens = list(BYTES)
    merges = learn({**words, b"abcabc": 1}, tokens, 300, 1)
    assert len(tokens) == len(set(tokens))
    assert all(tokens[left] + tokens[right] in tokens for left, right in merges)


def test_ties_go_to_the_smaller_ids():
    tokens = list(BYTES)
    assert learn({b"cd": 2, b"ab": 2, b"ad": 2}, tokens, 259, 1) == [(97, 98), (97, 100), (99, 100)]


def test_the_library_learns_the_same(goldens):
    for name, special in (("gpt2", ["<s>"]), ("roberta", ["<s>", "</s>"])):
        document = goldens["files"][name]["document"]
        added = sum(token["id"] >= len(document["model"]["vocab"]) for token in document["added_tokens"])
        size = len(document["model"]["vocab"])
        made = BPETokenizer.train(
            goldens["corpus"], size, special_tokens=special, add_prefix_space=name == "roberta"
        )
        assert [[written(left), written(right)] for left, right in made.merges] == [
            pair if isinstance(pair, list) else pair.split(" ") for pair in document["model"]["merges"]
        ]
        assert made.get_vocab() == document["model"]["vocab"]
        assert added in (0, 2)


def test_the_order_of_the_texts_does_not_matter(goldens):
    one, other = (BPETokenizer.train(texts, 300) for texts in (goldens["corpus"], goldens["corpus"][::-1]))
    assert one.merges == other.merges


def test_rare_pairs_are_not_learned():
    text = "abab abab xy"
    assert BPETokenizer.train(text, 500, min_frequency=3).vocab_size == 257
    assert b"xy" not in BPETokenizer.train(text, 500, min_frequency=2).vocab
    assert b" xy" in BPETokenizer.train(text, 500, min_frequency=1).vocab


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((["a"], 255), "vocab_size is at least 256, not 255"),
        ((["a"], "300"), "vocab_size is an integer"),
        ((["a", 3], 300), "expected a str"),
        ((["\ud800"], 300), "surrogate"),
        ((3, 300), "expected texts"),
    ],
)
def test_what_nothing_can_be_learned_from(arguments, match):
    with pytest.raises(TokenizerError, match=match):
        BPETokenizer.train(*arguments)


def test_special_tokens_come_first():
    made = BPETokenizer.train("low low", 260, special_tokens=["<s>", "</s>"], bos_token="<s>")
    assert made.special_tokens == {"<s>": 0, "</s>": 1}
    assert made.bos_id == 0
    assert made.token_to_id("!") == 2
    with pytest.raises(TokenizerError, match="at least 258"):
        BPETokenizer.train("low", 257, special_tokens=["<s>", "</s>"])
    with pytest.raises(TypeError, match="list of texts"):
        BPETokenizer.train("low", 300, special_tokens="<s>")
    with pytest.raises(TokenizerTypeError, match="special_tokens is a list of texts, not None"):
        BPETokenizer.train("low", 300, special_tokens=None)
