"""Added tokens in text: the leftmost first, the longest of those, and white space that goes with them."""

from __future__ import annotations

from functools import partial

import pytest

from tt_text.errors import TokenizerError
from tt_text.tokenizers import BPETokenizer, ByteTokenizer, CharTokenizer
from tt_text.tokenizers.special_tokens import AddedToken, AddedTokens


def cut(tokens, text, allowed=None):
    added = AddedTokens(tokens)
    allowed = frozenset(added.special if allowed is None else allowed)
    return [piece if isinstance(piece, str) else piece.id for piece in added.pieces(text, allowed)]


def test_the_longest_token_at_the_leftmost_place():
    tokens = [AddedToken("<a", 0), AddedToken("<a>", 1), AddedToken("a>b", 2)]
    assert cut(tokens, "x<a>b<a b<a>") == ["x", 1, "b", 0, " b", 1]
    assert cut(tokens, "x<a>b", allowed=["a>b"]) == ["x<", 2]
    assert cut(tokens, "x<a>b", allowed=[]) == ["x<a>b"]
    assert cut(tokens, "") == []


def test_characters_that_mean_something_in_patterns():
    tokens = [AddedToken("[.*]", 0), AddedToken("a|b ", 1), AddedToken("\n", 2)]
    assert cut(tokens, "[.*]xa|b \n") == [0, "x", 1, 2]


def test_white_space_goes_with_a_token():
    tokens = [AddedToken("<l>", 0, lstrip=True), AddedToken("<r>", 1, rstrip=True), AddedToken("<n>", 2)]
    assert cut(tokens, "a \n<l> b") == ["a", 0, " b"]
    assert cut(tokens, "a <r> \nb") == ["a ", 1, "b"]
    assert cut(tokens, "a <n> b") == ["a ", 2, " b"]
    assert cut(tokens, " <l> <r> <n> <l>") == [0, " ", 1, 2, 0]


def test_white_space_is_what_unicode_says():
    """U+001C to U+001F are none, though Python's strip takes them, nor are the zero-width ones."""
    tokens = [AddedToken("<l>", 0, lstrip=True), AddedToken("<r>", 1, rstrip=True)]
    for code in (*range(0x1C, 0x20), 0x180E, 0x200B, 0xFEFF):
        assert cut(tokens, f"{chr(code)}<l>") == [chr(code), 0]
        assert cut(tokens, f"<r>{chr(code)} ") == [1, f"{chr(code)} "]
    white = [
        *range(9, 14),
        0x20,
        0x85,
        0xA0,
        0x1680,
        *range(0x2000, 0x200B),
        0x2028,
        0x2029,
        0x202F,
        0x205F,
        0x3000,
    ]
    for code in white:
        assert cut(tokens, f"a{chr(code)}<l><r>{chr(code)}b") == ["a", 0, 1, "b"]


def test_a_token_in_the_white_space_that_one_took_is_found_again():
    """As the library has it, whose tokens may overlap."""
    tokens = [AddedToken("\n", 0, rstrip=True), AddedToken("<r>", 1, rstrip=True), AddedToken("\t", 2)]
    assert cut(tokens, "\n\n\nb") == [0, 0, 0, "b"]
    assert cut(tokens, "<r> \t b") == [1, 2, " b"]


def test_a_token_that_takes_white_space_back_is_lost_in_what_one_took():
    """As the library has it, where nothing of it is left."""
    tokens = [AddedToken("<r>", 0, rstrip=True), AddedToken("  ", 1, lstrip=True)]
    assert cut(tokens, "<r>  b") == [0, "b"]
    assert cut(tokens, "a   b") == ["a", 1, " b"]


def test_what_is_looked_for_in_normalized_text_comes_second():
    """In what the others left over; so the leftmost of all may lose."""
    tokens = [
        AddedToken("<s>", 0),
        AddedToken("<s> ", 1, normalized=True),
        AddedToken("x<", 2, normalized=True),
    ]
    assert cut(tokens, "x<s> x<") == ["x", 0, " ", 2]
    assert cut(tokens, "x<s> x<", allowed=["<s> ", "x<"]) == [2, "s> ", 2]
    later = [AddedToken("<s>", 0, normalized=True), AddedToken("<s> ", 1, normalized=True)]
    assert cut(later, "x<s> x") == ["x", 1, "x"]


def test_single_words_have_no_letters_beside_them():
    tokens = [AddedToken("tool", 0, single_word=True, lstrip=True), AddedToken("_", 1, single_word=True)]
    assert cut(tokens, "a tool, tools tool_ 1tool \u0301tool") == ["a", 0, ", tools tool_ 1tool \u0301tool"]
    assert cut(tokens, "tool") == [0]
    assert cut(tokens, "tool _ -_-") == [0, " ", 1, " -", 1, "-"]


def test_normalized_tokens_are_looked_for_in_normalized_text():
    tokens = [AddedToken("<S>", 0), AddedToken("A", 1, normalized=True), AddedToken("a", 2, normalized=True)]
    added = AddedTokens(tokens)
    pieces = list(added.pieces("B<S>AbaC", frozenset(added.special), str.lower))
    assert [piece if isinstance(piece, str) else piece.id for piece in pieces] == ["b", 0, 1, "b", 1, "c"]


def test_tokens_that_are_not_special_are_always_found():
    assert cut([AddedToken("word", 7, special=False)], "a word") == ["a ", 7]


def test_many_sets_of_allowed_tokens_keep_few_patterns():
    added = AddedTokens(AddedToken(f"<{number}>", number) for number in range(40))
    for number in range(40):
        assert list(added.pieces(f"<{number}>", frozenset([f"<{number}>"]))) == [added.by_id[number]]
    assert len(added._patterns) <= 16


@pytest.mark.parametrize("number", [-1, True, 1.0, None, 2**31])
def test_an_id_that_is_none(number):
    with pytest.raises(TokenizerError, match="the id of '<a>' is an int from 0"):
        AddedTokens([AddedToken("<a>", number)])


@pytest.mark.parametrize("content", [None, 3, b"<a>"])
def test_a_text_that_is_none(content):
    with pytest.raises(TypeError, match="special tokens: expected a str"):
        AddedToken(content, 0)
    characters = partial(CharTokenizer, "ab", unk_token="<u>")
    for kind in (ByteTokenizer, characters, partial(BPETokenizer, {b"a": 0}, [])):
        with pytest.raises(TokenizerError, match="special tokens: expected a str"):
            kind(special_tokens=[content])
        with pytest.raises(TokenizerError, match="special tokens: the id of"):
            kind(special_tokens={"<a>": {}})
