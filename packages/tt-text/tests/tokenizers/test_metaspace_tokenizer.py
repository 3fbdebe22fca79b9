"""SentencePiece's BPE: cutting at ▁ changes nothing, bytes stand in for what is no token, prefixes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_text.errors import TokenizerError
from tt_text.tokenizers import MetaspaceBPETokenizer
from tt_text.tokenizers.merging import by_definition
from tt_text.tokenizers.special_tokens import AddedToken

BYTES = {f"<0x{byte:02X}>": byte for byte in range(256)}
PIECES = ["▁", "a", "b", "c", "ab", "▁a", "▁ab", "▁▁", "▁▁▁▁"]
VOCAB = BYTES | {piece: 256 + at for at, piece in enumerate(PIECES)}
MERGES = [("▁", "▁"), ("a", "b"), ("▁", "ab"), ("▁▁", "▁▁"), ("▁", "a")]
ACROSS = [*MERGES, ("ab", "▁")]


@given(text=st.text(st.sampled_from("ab c"), max_size=60))
@pytest.mark.parametrize("merges", [MERGES, ACROSS])
def test_the_whole_text_is_one_word(merges, text):
    """Cut at ▁ where no merge goes across (the first), whole where one does."""
    tokenizer = MetaspaceBPETokenizer(VOCAB | {"ab▁": 300}, merges)
    written = "▁" + text.replace(" ", "▁") if text else ""
    table = tokenizer._merges
    expected = by_definition([tokenizer.token_to_id(one) for one in written], table.ranks, table.merged)
    assert tokenizer.encode(text) == expected
    assert tokenizer.decode(expected) == text


def test_bytes_stand_in():
    tokenizer = MetaspaceBPETokenizer(VOCAB, MERGES, prefix_space="never", strip=False)
    assert tokenizer.encode("a€") == [257, 0xE2, 0x82, 0xAC]
    assert tokenizer.decode([257, 0xE2, 0x82, 0xAC]) == "a€"
    # As the library has them: one for each byte of a run that is no UTF-8 as a whole.
    assert tokenizer.decode([0xE2, 0x82]) == "\ufffd\ufffd"
    assert tokenizer.decode([0x41, 0xE2, 257, 0x41]) == "\ufffd\ufffdaA"
    assert tokenizer.decode([0x41, 0xE2], errors="ignore") == "A"


def test_added_tokens_mean_what_the_same_text_means():
    """▁ in one is a space, <0x41> a byte, as in the library, whose decoder looks at text alone."""
    added = [
        AddedToken("▁x", 300),
        AddedToken("<0x41>", 0x41),
        AddedToken("▁ab", VOCAB["▁ab"], special=False),
    ]
    tokenizer = MetaspaceBPETokenizer(VOCAB, MERGES, prefix_space="never", strip=False, added=added)
    assert tokenizer.encode("c▁x", allowed_special="all") == [VOCAB["c"], 300]
    assert tokenizer.decode([VOCAB["c"], 300, 0x41, VOCAB["▁ab"]]) == "c xA ab"
    assert tokenizer.decode([VOCAB["c"], 300, 0x41, VOCAB["▁ab"]], skip_special_tokens=True) == "c ab"


def test_the_first_token_without_its_spaces():
    """As the library's Metaspace decoder has it: ▁ inside of it go, too."""
    added = [AddedToken("a▁b", 400, special=False)]
    tokenizer = MetaspaceBPETokenizer(VOCAB, MERGES, strip=False, strip_token=True, added=added)
    spaces, word, inner = VOCAB["▁▁"], VOCAB["▁a"], 400
    for tokens, text in (
        ([spaces, word], " a"),
        ([word, word], "a a"),
        ([inner, inner], "aba b"),
        ([0x20, word], "  a"),
        ([], ""),
    ):
        assert tokenizer.decode(tokens) == "".join(tokenizer.stream(tokens)) == text
        for cut in range(1, len(tokens)):
            head = tokenizer.decode(tokens[:cut])
            assert head + "".join(tokenizer.stream(tokens[cut:], after=tokens[:cut])) == text


def test_unknown_characters():
    vocab = {piece: at for at, piece in enumerate(["<unk>", *PIECES])}
    options = {"prefix_space": "never", "unknown": "<unk>"}
    assert MetaspaceBPETokenizer(vocab, [], **options).encode("aéèa") == [2, 0, 2]
    assert MetaspaceBPETokenizer(vocab, [], **options, fuse_unk=False).encode("aéèa") == [2, 0, 0, 2]
    with pytest.raises(TokenizerError, match=r"'é' \(U\+00E9, at index 1"):
        MetaspaceBPETokenizer(vocab, [], prefix_space="never").encode("aé")


@pytest.mark.parametrize(
    ("prefix", "tokens"),
    [("prepend", "▁▁ a"), ("always", "▁ a"), ("first", "▁ a"), ("never", "▁ a")],
)
def test_a_space_before_the_text(prefix, tokens):
    tokenizer = MetaspaceBPETokenizer(VOCAB, [("▁", "▁")], prefix_space=prefix)
    assert [tokenizer.id_to_token(one) for one in tokenizer.encode(" a")] == tokens.split(" ")
    assert len(tokenizer.encode("a")) == (1 if prefix == "never" else 2)
    assert tokenizer.encode("") == []


@pytest.mark.parametrize(
    ("vocab", "merges", "options", "match"),
    [
        (VOCAB, MERGES, {"prefix_space": "last"}, "prefix_space is one of"),
        (VOCAB, [("a", "c")], {}, "merge 0 is of"),
        ({"a": 0, "b": 0}, [], {}, "have one id"),
        ({"": 0}, [], {}, "a token is text"),
        ({"\ud800": 0}, [], {}, "lone surrogate"),
        ({"a": -1}, [], {}, "int from 0"),
        (VOCAB, MERGES, {"unknown": "<none>"}, "not in the vocabulary"),
        ([], [], {}, "maps text to ids"),
    ],
)
def test_what_contradicts_itself(vocab, merges, options, match):
    with pytest.raises(TokenizerError, match=match):
        MetaspaceBPETokenizer(vocab, merges, **options)
