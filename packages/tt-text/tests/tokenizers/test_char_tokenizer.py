"""Characters as tokens: sorted, unknown ones refused or replaced."""

from __future__ import annotations

import pytest

from tt_text.errors import TokenizerError
from tt_text.tokenizers import CharTokenizer


def test_the_alphabet_is_sorted():
    tokenizer = CharTokenizer.from_text("hello wörld")
    assert tokenizer.alphabet == " dehlorwö"
    assert tokenizer.encode("dö") == [1, 8]
    assert tokenizer.vocab_size == 9
    assert CharTokenizer.from_text(["wörld", "hello "]).alphabet == tokenizer.alphabet


def test_an_unknown_character_is_named():
    with pytest.raises(TokenizerError, match=r"'é' \(U\+00E9, at index 2\) is not among the 3 characters"):
        CharTokenizer("abc").encode("abé")


def test_an_unknown_character_becomes_the_unknown_token():
    tokenizer = CharTokenizer("abc", unk_token="<unk>")
    assert tokenizer.encode("aéb") == [0, 3, 1]
    assert tokenizer.decode([0, 3, 1]) == "a<unk>b"
    assert tokenizer.decode([0, 3, 1], skip_special_tokens=True) == "ab"
    assert CharTokenizer("abc", special_tokens=["<pad>", "<unk>"], unk_token="<unk>").unk_id == 4


def test_tiny_shakespeare_has_65_characters(shakespeare):
    tokenizer = CharTokenizer.from_text(shakespeare)
    assert tokenizer.vocab_size == 65
    assert tokenizer.encode("hii there") == [46, 47, 47, 1, 58, 46, 43, 56, 43]  # as nanoGPT's lecture has it
    assert tokenizer.decode(tokenizer.encode(shakespeare)) == shakespeare


@pytest.mark.parametrize(
    ("alphabet", "match"), [("aba", "twice"), (["ab"], "not one character"), (["\ud800"], "surrogate")]
)
def test_what_is_no_alphabet(alphabet, match):
    with pytest.raises(TokenizerError, match=match):
        CharTokenizer(alphabet)
    with pytest.raises(TypeError):
        CharTokenizer(3)


def test_a_special_token_does_not_take_a_characters_id():
    with pytest.raises(TokenizerError, match="has id 1, the one of 'b'"):
        CharTokenizer("abc", special_tokens={"<p>": 1})


def test_an_empty_alphabet():
    assert CharTokenizer("").encode("") == []
    with pytest.raises(TokenizerError, match="0 characters"):
        CharTokenizer("").encode("a")
